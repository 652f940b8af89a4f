"""What to do next, best first, each with its reason. A pure function over `values.State`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from review.home.values import Line, Place, State, WaitingQueue, number_of

# From how many newly complete images on a new version of a dataset is worth building: at least so many, and
# at least this share of what the last version has.
FIRST_IMAGES = 10
NEW_IMAGES = 10
NEW_SHARE = 0.05


@dataclass(frozen=True)
class Step:
    """One thing to do: what, why, and where. `queue`: the boxes that it is about."""

    title: str
    reason: str
    at: Place
    action: str
    queue: WaitingQueue | None = None


def ideas(state: State) -> list[Step]:
    """At least one, the best first. Reviewers are only told of what they may do."""
    makers: tuple[tuple[Callable[[State], Iterator[Step]], bool], ...] = (
        (_mend, True),
        (_begin, True),
        (_detect_first, True),
        (_compare_first, True),
        (_decide_first, True),
        (_review, False),
        (_mend_later, True),
        (_holdout, False),
        (_build, True),
        (_train, True),
        (_detect_later, True),
        (_compare_later, True),
        (_decide_later, True),
        (_watch, False),
    )
    found = [step for make, manages in makers if state.manages or not manages for step in make(state)]
    if found and not state.images:
        return found  # they begin with the first images
    return [*found, _well(state, bool(found))]


def _before_review(state: State, line: Line) -> bool:
    """Whether what a newer version waits for comes before the boxes: they are of an older one of its extractor."""
    queue = state.queue
    return queue is not None and not queue.newest and queue.extractor == line.extractor and not _lost(line)


def _lost(line: Line) -> bool:
    """A version that is measured and provenly worse holds up nothing."""
    one = line.candidate
    return one is not None and one.difference is not None and one.difference.direction == "down"


def _mend(state: State) -> Iterator[Step]:
    yield from _failures(state, urgent=True)


def _mend_later(state: State) -> Iterator[Step]:
    """What nobody relies on yet, such as a detector beside the one that serves: boxes that wait come before it."""
    yield from _failures(state, urgent=False)


def _failures(state: State, *, urgent: bool) -> Iterator[Step]:
    for one in state.failed:
        if one.urgent == urgent:
            yield Step(one.title, one.error or "It stopped without a word.", one.at, one.action)


def _begin(state: State) -> Iterator[Step]:
    if not state.images:
        reason = "There is no picture yet. Put in pictures, or a set that has its boxes already."
        yield Step("Add the first images", reason, Place("images"), "Add images")
    if not state.ready_detectors:
        if state.deploying:
            reason = "It takes up to a minute; then it can look at images."
            yield Step("A detector is starting", reason, Place("detectors"), "Watch it")
        else:
            reason = "No detector is ready yet; nothing is found without one."
            yield Step("Deploy a detector", reason, Place("detectors"), "See the detectors")
    if state.ready_detectors and not state.collections:
        reason = "A collection runs one detector over a bucket, and over what comes into it."
        yield Step("Make a collection", reason, Place("detectors"), "Make a collection")
    if state.images and state.collections and not state.documents and not (state.detecting or state.stuck):
        reason = f"None of the {number_of(state.images, 'image')} is looked at yet."
        yield Step("Run a detector over the images", reason, Place("detectors"), "Start a batch")


def _review(state: State) -> Iterator[Step]:
    queue = state.queue
    if queue is None or not queue.boxes:
        return
    what = "doubtful box" if queue.doubtful_below else "box"
    reason = f"The retriever {queue.retriever} found them."
    if queue.doubtful_below:
        reason = f"The detector gave them less than {queue.doubtful_below:.2f}. Least sure first."
    title = f"Review {number_of(queue.boxes, what, what + 'es')} of {queue.collection}"
    yield Step(title, reason + _pace(queue), Place("focus", (queue.ref,)), "Start reviewing", queue)


def _pace(queue: WaitingQueue) -> str:
    if queue.seconds is None:
        return ""
    if queue.seconds < 90:
        return " About a minute at your pace."
    if queue.seconds < 5400:
        return f" About {round(queue.seconds / 60)} minutes at your pace."
    return f" About {round(queue.seconds / 3600)} hours at your pace."


def _holdout(state: State) -> Iterator[Step]:
    queue = state.holdout_queue
    wanted = any(line.candidate is not None or (line.number and not line.holdout) for line in state.lines)
    if queue is None or not queue.boxes or not wanted:
        return
    waits = number_of(queue.boxes, "box or image", "boxes and images")
    verb = "waits" if queue.boxes == 1 else "wait"
    reason = f"{waits} {verb} there. Versions are measured only on pictures that are known whole."
    yield Step(
        f"Complete the holdout of {queue.collection}", reason, Place("focus", (queue.ref,)), "Start", queue
    )


def _build(state: State) -> Iterator[Step]:
    for line in state.lines:
        if line.training is not None or (line.number and not line.trained_on):
            continue
        at = Place("dataset", (line.dataset,)) if line.dataset else Place("datasets")
        new = number_of(line.complete_since, "image")
        if not line.number and line.complete_since >= FIRST_IMAGES:
            verb = "are" if line.complete_since != 1 else "is"
            reason = f"{new} {verb} reviewed whole: enough to train {line.extractor} on."
            yield Step(f"Build the first dataset for {line.extractor}", reason, at, "See what it would hold")
        elif line.number and line.complete_since >= max(NEW_IMAGES, NEW_SHARE * line.images):
            reason = f"{new} became complete since version {line.number}, which has {line.images:,}."
            title = f"Build version {line.number + 1} of {line.dataset_name}"
            yield Step(title, reason, at, "See what it would hold")


def _train(state: State) -> Iterator[Step]:
    for line in state.lines:
        if line.number and not line.trained_on and line.training is None:
            reason = f"Nothing is trained on its {number_of(line.images, 'image')} yet."
            title = f"Train {line.extractor} on {line.dataset_name} {line.number}"
            yield Step(title, reason, Place("training"), "Set up the training")


def _detect_first(state: State) -> Iterator[Step]:
    yield from _detect(state, first=True)


def _detect_later(state: State) -> Iterator[Step]:
    yield from _detect(state, first=False)


def _detect(state: State, *, first: bool) -> Iterator[Step]:
    for line in state.lines:
        if _before_review(state, line) is not first:
            continue
        if line.undetected:
            reason = "It is trained and up, and has no collection: only by looking does it show what it sees better."
            at = Place("training-run", (line.run,))
            yield Step(f"Let {line.undetected} look at the images", reason, at, "Make its collection")


def _compare_first(state: State) -> Iterator[Step]:
    yield from _compare(state, first=True)


def _compare_later(state: State) -> Iterator[Step]:
    yield from _compare(state, first=False)


def _compare(state: State, *, first: bool) -> Iterator[Step]:
    for line in state.lines:
        if _before_review(state, line) is not first:
            continue
        one = line.candidate
        if one is not None and not one.evaluation and not one.under_way:
            reason = f"Nobody knows yet whether it is better than {line.production}, which is in production."
            yield Step(
                f"Compare {one.name} with production", reason, Place("versions"), "Set up the comparison"
            )


def _decide_first(state: State) -> Iterator[Step]:
    yield from _decide(state, first=True)


def _decide_later(state: State) -> Iterator[Step]:
    yield from _decide(state, first=False)


def _decide(state: State, *, first: bool) -> Iterator[Step]:
    for line in state.lines:
        if _before_review(state, line) is not first:
            continue
        one = line.candidate
        if one is None or not one.evaluation:
            continue
        at = Place("compare", (one.evaluation,))
        measured = _measured(line)
        if one.gate is None or one.gate.open:
            opened = " The gate is open." if one.gate else ""
            yield Step(f"Decide on {one.name}", f"{measured}{opened}", at, "See the comparison")
        else:
            lacks = " ".join(one.gate.lacks[:2]) or "The gate is closed."
            yield Step(
                f"{one.name} is not ready for production", f"{lacks} {measured}", at, "See what it lacks"
            )


def _measured(line: Line) -> str:
    one = line.candidate
    if one is None or one.difference is None:
        return "It is measured beside the version in production."
    gain = one.difference
    words = f"mAP {gain.text} ({gain.interval}) against {line.production}"
    return f"{words}." if gain.proven else f"{words}: no difference is proven."


def _watch(state: State) -> Iterator[Step]:
    for line in state.lines:
        if line.training is not None:
            run = line.training
            reason = f"Epoch {run.epoch} of {run.epochs}." if run.epoch else "It prepares its images."
            at = Place("training-run", (run.ref,))
            yield Step(f"{line.extractor} is being trained", reason, at, "Watch it")
        elif line.candidate is not None and line.candidate.under_way:
            reason = "It is measured on the holdout beside the version in production."
            yield Step(f"{line.candidate.name} is being compared", reason, Place("versions"), "Watch it")
    if state.detecting:
        reason = "Doubtful boxes come here as they are found."
        yield Step("Detection is running", reason, Place("batches"), "Watch it")


def _well(state: State, others: bool) -> Step:
    if others:
        return Step("Add images", "New pictures show what is still missed.", Place("images"), "Add images")
    if not state.manages:
        return Step("Nothing waits for you", "No box is in doubt.", Place("quality"), "See the quality")
    return Step(
        "All is decided", "No box is in doubt. Add images to find more.", Place("images"), "Add images"
    )
