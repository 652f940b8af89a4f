"""The loop as five stages with their numbers. Pure functions over `values.State`."""

from __future__ import annotations

from dataclasses import dataclass

from mixcv.kernel.jobs import seconds_text
from review.home.values import Candidate, Line, Place, State, number_of


@dataclass(frozen=True)
class Stage:
    """A card: `mark` is the class of its state (live, ok, you, bad or none), `number` stands large before `unit`."""

    title: str
    mark: str
    words: str
    number: str
    unit: str
    line: str
    at: Place | None


def stages(state: State) -> list[Stage]:
    """Detect, Review, Train, Compare, Compound."""
    return [_detect(state), _review(state), _train(state), _compare(state), _compound(state)]


def _detect(state: State) -> Stage:
    mark, words = "", ""
    line = number_of(state.boxes, "box", "boxes") + " found"
    if state.unreadable:
        mark, words = "bad", f"{state.unreadable:,} unreadable"
    if state.detecting:
        mark, words = "live", "running"
        line = f"{state.detect_left:,} left to look at, {number_of(state.boxes, 'box', 'boxes')} found"
    elif state.stuck:
        mark, words = "you", "waits for a detector"
    unit = "image" if state.images == 1 else "images"
    return Stage("Detect", mark, words, f"{state.images:,}", unit, line, Place("images"))


def _review(state: State) -> Stage:
    mark, words = ("you", "needs you") if state.waiting else ("", "")
    if not state.waiting and state.boxes:
        mark, words = "ok", "nothing waits"
    unit = "box waits" if state.waiting == 1 else "boxes wait"
    line = f"{state.decided_this_month:,} decided this month"
    return Stage("Review", mark, words, f"{state.waiting:,}", unit, line, Place("review"))


def _train(state: State) -> Stage:
    at = Place("training")
    run = next((line.training for line in state.lines if line.training is not None), None)
    if run is not None and run.epoch:
        left = f"{seconds_text(run.seconds)} left" if run.seconds is not None else "counting"
        line = f"{run.extractor}, {left}"
        return Stage(
            "Train", "live", "running", f"{run.epoch:,}", f"of {number_of(run.epochs, 'epoch')}", line, at
        )
    since = number_of(state.since_training, "verdict")
    line = (
        f"since {state.last_trained} was trained" if state.last_trained else "to train the first version on"
    )
    if run is not None:
        words = "waits for a worker" if run.waits else "prepares"
        return Stage("Train", "" if run.waits else "live", words, "–", "epochs", run.extractor, at)
    number, _, unit = since.partition(" ")
    wants = any(one.number and not one.trained_on for one in state.lines)
    mark, words = ("you", "needs you") if wants else ("", "")
    return Stage("Train", mark, words, number, f"new {unit}" if state.last_trained else unit, line, at)


def _compare(state: State) -> Stage:
    line, one = _candidate(state)
    at = Place("versions")
    if one is None or line is None:
        text = (
            f"{state.lines[0].production} is in production"
            if _has_production(state)
            else "Nothing to compare yet"
        )
        return Stage("Compare", "", "", "–", "mAP", text, at)
    if one.difference is None:
        mark, words = ("live", "running") if one.under_way else ("you", "needs you")
        return Stage("Compare", mark, words, "–", "mAP", f"{one.name}, not measured yet", at)
    text = f"{one.name} against {line.production}"
    where = Place("compare", (one.evaluation,))
    return Stage("Compare", "you", "wants a decision", one.difference.text, "mAP", text, where)


def _candidate(state: State) -> tuple[Line | None, Candidate | None]:
    """The newest that is measured before those that are not, however new."""
    found = [(line, line.measured or line.candidate) for line in state.lines if line.candidate is not None]
    found.sort(key=lambda pair: pair[1] is None or pair[1].difference is None)
    return found[0] if found else (None, None)


def _has_production(state: State) -> bool:
    return bool(state.lines and state.lines[0].production)


def _compound(state: State) -> Stage:
    """Honest: classes that grow by themselves are not here yet; what they will grow from is counted."""
    unit = "verified object" if state.verified == 1 else "verified objects"
    line = "grouping them is not here yet"
    return Stage("Compound", "", "", f"{state.verified:,}", unit, line, None)
