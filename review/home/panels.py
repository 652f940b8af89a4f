"""The panels of home: quality over time, versions, and the queues that wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from extraction.packages.models import Extractor, ExtractorVersion
from mixcv.tenancy.models import Namespace
from review.home.charts import Measured, Series, series_of
from review.home.lines import compared_with, training_of
from review.home.rows import Evaluated, Rows
from review.home.values import Difference, Place, State, number_of
from review.quality.charts import day_text
from review.quality.queries import Asked, stats
from review.quality.rates import rates_of, verdicts_in
from review.queues.models import Queue
from review.verdicts.models import Label

MOST_VERSIONS = 6
WEEKS = 12
MOST_DAYS = 14


@dataclass(frozen=True)
class Quality:
    """A chart with what it shows in words; without `series` there is nothing to show yet."""

    note: str
    series: Series | None
    label: str


def quality_over_time(namespace: Namespace, rows: Rows, state: State) -> Quality:
    """mAP of the versions on the holdout; before any is measured, how many boxes stand as they were found."""
    now = timezone.now()
    for line in state.lines:
        extractor = next(one for one in rows.extractors if one.name == line.extractor)
        measured, images = measured_versions(rows, extractor.pk)
        if measured:
            series = series_of(measured, _put_into_production(rows, extractor), until=now)
            many = f" of {extractor.name}" if len(state.lines) > 1 else ""
            note = f"mAP{many} on {number_of(images, 'held-out image')}, with its 95% interval"
            return Quality(note, series, f"mAP on the holdout {series.summary}")
    if not state.verdicts:
        return Quality("", None, "")
    return _confirmed(namespace, now)


def measured_versions(rows: Rows, extractor: int) -> tuple[list[Measured], int]:
    """Each version's newest measurement, by when the version was made; and on how many images the newest is."""
    newest: dict[int, Evaluated] = {}
    for one in rows.evaluated:
        if one.extractor == extractor and one.value is not None:
            newest.setdefault(one.version, one)
    made = {version.pk: version for version in rows.versions}
    found = [
        Measured(made[key].created_at, one.value, one.low, one.high, str(made[key]))
        for key, one in newest.items()
        if key in made and one.value is not None
    ]
    images = max(newest.values(), key=lambda one: one.at).images if newest else 0
    return sorted(found, key=lambda one: one.at), images


def _put_into_production(rows: Rows, extractor: Extractor) -> list[tuple[datetime, str]]:
    names = {version.pk: version.version for version in rows.versions}
    return [
        (change.changed_at, f"{names[change.version_id]} in production")
        for change in rows.changes
        if change.extractor_id == extractor.pk and change.version_id in names
    ]


def _confirmed(namespace: Namespace, now: datetime) -> Quality:
    """By day; by week where there are many."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
    days = {one.start: one.by_label for one in stats(namespace, Asked(after=first, interval="day")).series}
    by_label = {at: labels for at, labels in days.items() if at is not None and verdicts_in(labels)}
    word = ""
    if len(by_label) > MOST_DAYS:
        word = "Week of "
        by_label = _by_week(by_label)
    measured = []
    for at, labels in sorted(by_label.items()):
        rate = rates_of(labels)[Label.CONFIRMED]
        if rate.value is not None:
            measured.append(Measured(at, rate.value, rate.low, rate.high, f"{word}{day_text(at)}"))
    if not measured:
        return Quality("", None, "")
    note = "share of judged boxes that stood as found, with its 95% interval; mAP follows with the first comparison"
    series = series_of(measured, [], until=max(now, measured[-1].at), percent=True)
    return Quality(note, series, f"The confirmed rate {series.summary}")


def _by_week(days: dict[datetime, Counter[str]]) -> dict[datetime, Counter[str]]:
    weeks: dict[datetime, Counter[str]] = {}
    for at, labels in days.items():
        weeks.setdefault(at - timedelta(days=at.weekday()), Counter()).update(labels)
    return weeks


@dataclass(frozen=True)
class VersionRow:
    """A version, or a run that will make one. `mark` is the class of its state."""

    name: str
    at: Place
    value: str
    change: Difference | None
    against: str
    mark: str
    words: str


def version_rows(rows: Rows, state: State) -> list[VersionRow]:
    """Runs under way, then versions, the newest first."""
    many = len(rows.extractors) > 1
    found = []
    for run in rows.runs:
        if not run.job.is_over:
            training = training_of(run)
            words = "waits" if training.waits else f"training, {training.share:.0%}"
            name = f"{run.extractor.name}, next" if many else "Next"
            at = Place("training-run", (run.public_id,))
            found.append(VersionRow(name, at, "–", None, "", "" if training.waits else "live", words))
    values: dict[int, float] = {}
    for one in rows.evaluated:
        if one.value is not None:
            values.setdefault(one.version, one.value)
    candidates = {line.candidate.version: line.candidate for line in state.lines if line.candidate}
    for version in rows.versions[: max(0, MOST_VERSIONS - len(found))]:
        base = _compared_to(rows, version)
        evaluation, change = compared_with(rows, version.pk, base.pk) if base else ("", None)
        value = values.get(version.pk)
        mark, words = _standing(rows, version)
        if candidate := candidates.get(version.public_id):
            mark, words = ("you", "wants a decision") if candidate.evaluation else (mark, words)
            mark, words = ("live", "being compared") if candidate.under_way else (mark, words)
        found.append(
            VersionRow(
                str(version) if many else version.version,
                Place("compare", (evaluation,)) if evaluation else Place("detector", (version.public_id,)),
                "–" if value is None else f"{value:.3f}",
                change,
                str(base) if base else "",
                mark,
                words,
            )
        )
    return found


def _compared_to(rows: Rows, version: ExtractorVersion) -> ExtractorVersion | None:
    """What a version's figure is held against: production; for that one, what it followed there."""
    extractor = next((one for one in rows.extractors if one.pk == version.extractor_id), None)
    if extractor is None or extractor.production_id is None:
        return None
    known = {one.pk: one for one in rows.versions}
    if extractor.production_id != version.pk:
        # Older ones are what production was held against.
        base = known.get(extractor.production_id)
        return base if base is not None and base.created_at < version.created_at else _before(rows, version)
    return _before(rows, version)


def _before(rows: Rows, version: ExtractorVersion) -> ExtractorVersion | None:
    """The version that was in production before this one came there for the first time."""
    known = {one.pk: one for one in rows.versions}
    changes = [one for one in reversed(rows.changes) if one.extractor_id == version.extractor_id]
    for n, change in enumerate(changes):
        if change.version_id == version.pk:
            return known.get(changes[n - 1].version_id or 0) if n else None
    return None


def _standing(rows: Rows, version: ExtractorVersion) -> tuple[str, str]:
    states = ExtractorVersion.State
    if any(one.production_id == version.pk for one in rows.extractors):
        return "ok", "in production"
    if version.state == states.READY:
        return "", "was in production" if version.pk in rows.served() else "ready"
    if version.state == states.RETIRED:
        return "", f"retired {day_text(version.retired_at)}" if version.retired_at else "retired"
    known: dict[str, tuple[str, str]] = {
        states.DEPLOYING: ("live", "starting"),
        states.FAILED: ("bad", "does not start"),
        states.REGISTERED: ("", "not deployed"),
    }
    return known.get(version.state, ("", version.state))


@dataclass(frozen=True)
class QueueRow:
    queue: Queue
    waiting: int
    done: int
    mark: str
    words: str


def queue_rows(queues: Sequence[Queue], running: set[int]) -> list[QueueRow]:
    """`running`: collections that a batch is at work for."""
    return [_queue_row(queue, running) for queue in queues]


def _queue_row(queue: Queue, running: set[int]) -> QueueRow:
    version, waiting = queue.collection.extractor_version, max(0, queue.waiting_count)
    up = version is not None and version.state == version.State.READY
    if (
        version is not None
        and version.state not in {version.State.READY, version.State.DEPLOYING}
        and not waiting
    ):
        mark, words = "bad", "detector not up"
    elif queue.collection_id in running and up:
        mark, words = "live", "detection runs"
    elif waiting:
        mark, words = "you", "needs you"
    else:
        mark, words = "ok", "nothing waits"
    return QueueRow(queue, waiting, max(0, queue.done_count), mark, words)
