"""Where a namespace stands: `values.State` from its rows and its stored counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from extraction.imports.models import TruthImport
from extraction.intake.models import Image, Object
from extraction.packages.models import ExtractorVersion
from extraction.runs.models import Batch, Collection
from extraction.runs.queries import stuck_batches
from extraction.truth.models import ImageReview
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import person
from mixcv.tenancy.models import Namespace, User
from review.evaluation.gate import checks
from review.home.lines import lines_of
from review.home.rows import Rows
from review.home.values import Failed, Gate, Line, Place, State, WaitingQueue
from review.quality.queries import Asked, stats
from review.quality.rates import verdicts_in
from review.queues.models import Queue
from review.verdicts.models import Annotation, Label

# How long something that failed is what to see to first; later it is history.
FRESH = timedelta(days=7)
PACE_OF = 300
LEAST_SECONDS = 3.0
LEAST_FOR_PACE = 5
WHOLE = [ImageReview.Completeness.COMPLETE, ImageReview.Completeness.VERIFIED_EMPTY]
THERE = (Label.CONFIRMED, Label.CORRECTED, Label.MISSED)


def state_of(
    namespace: Namespace, rows: Rows, queues: Sequence[Queue], *, user: User, manages: bool, waiting: int
) -> State:
    """The same number of queries for any number of rows; `queues` with the fullest first, `waiting` boxes in all."""
    now = timezone.now()
    lines = _with_gate(rows, lines_of(rows, _complete_since(namespace, rows)))
    trained = next((run for run in rows.runs if run.produced_version is not None), None)
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ever = stats(namespace, Asked()).all.by_label
    verdicts = verdicts_in(ever)
    since = _verdicts(namespace, trained.created_at) if trained else verdicts
    detecting, left = _detecting(namespace)
    stuck = stuck_batches(namespace.pk) if detecting else 0
    collections, boxes, documents = _collected(namespace)
    seconds = _seconds_each(namespace, user)
    return State(
        manages=manages,
        images=Image.objects.filter(namespace=namespace).count(),
        boxes=boxes,
        documents=documents,
        unreadable=Object.objects.filter(bucket__namespace=namespace, state=Object.State.FAILED).count(),
        collections=collections,
        ready_detectors=_with_state(rows, ExtractorVersion.State.READY),
        deploying=_with_state(rows, ExtractorVersion.State.DEPLOYING),
        detecting=detecting - stuck,
        stuck=stuck,
        detect_left=left,
        waiting=waiting,
        decided_this_month=_verdicts(namespace, month),
        verdicts=verdicts,
        since_training=since,
        verified=sum(ever.get(label, 0) for label in THERE) + _imported(namespace),
        failed=tuple(_failed(rows, now - FRESH)),
        queue=_first(rows, queues, seconds, holdout=False),
        holdout_queue=_first(rows, queues, seconds, holdout=True),
        lines=lines,
        last_trained=str(trained.produced_version) if trained else "",
    )


def _with_gate(rows: Rows, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The gate of the first version that wants a decision: home names what it lacks."""
    for n, line in enumerate(lines):
        one = line.candidate
        if one is None or not one.evaluation:
            continue
        version = next(row for row in rows.versions if row.public_id == one.version)
        gate = checks(version)
        lacks = tuple(check.text for check in gate.checks if not check.passed)
        known = replace(line, candidate=replace(one, gate=Gate(gate.open, lacks)))
        return (*lines[:n], known, *lines[n + 1 :])
    return lines


def waiting_first(namespace: Namespace) -> list[Queue]:
    """All queues, those with most waiting first, with what a table of them shows."""
    return list(
        Queue.objects.filter(namespace=namespace)
        .select_related("collection__extractor_version__extractor", "retriever")
        .order_by("-waiting_count", "name", "pk")
    )


def _with_state(rows: Rows, state: str) -> int:
    return sum(1 for one in rows.versions if one.state == state)


def _collected(namespace: Namespace) -> tuple[int, int, int]:
    """How many collections there are, and what they hold: boxes and documents, from stored counts."""
    sums = Collection.objects.filter(namespace=namespace).aggregate(
        number=Count("pk"), boxes=Sum("detection_count"), documents=Sum("document_count")
    )
    return sums["number"], sums["boxes"] or 0, sums["documents"] or 0


def _detecting(namespace: Namespace) -> tuple[int, int]:
    """Batches under way, and the images that are left to them."""
    live = Batch.objects.filter(namespace=namespace, state__in=[Batch.State.OPEN, Batch.State.PROCESSING])
    left = F("item_count") - F("done_count") - F("failed_count") - F("skipped_count")
    sums = live.aggregate(number=Count("pk"), left=Sum(left))
    return sums["number"], max(0, sums["left"] or 0)


def _verdicts(namespace: Namespace, since: datetime) -> int:
    return verdicts_in(stats(namespace, Asked(after=since)).all.by_label)


def _imported(namespace: Namespace) -> int:
    """Boxes that imports brought, as they counted them."""
    counts = TruthImport.objects.filter(bucket__namespace=namespace).values_list(
        "counts__boxes_added", flat=True
    )
    return sum(number for number in counts if isinstance(number, int))


def _complete_since(namespace: Namespace, rows: Rows) -> dict[int, int]:
    """Complete images by extractor: since its newest dataset version, of all (key 0) for one without."""
    since: dict[int, datetime] = {}
    for version in rows.dataset_versions:
        since.setdefault(version.dataset.extractor_id, version.created_at)
    counts = {f"of_{key}": Count("pk", filter=Q(updated_at__gt=at)) for key, at in since.items()}
    found = ImageReview.objects.filter(image__namespace=namespace, completeness__in=WHOLE).aggregate(
        of_0=Count("pk"), **counts
    )
    return {int(name.removeprefix("of_")): number for name, number in found.items()}


def _seconds_each(namespace: Namespace, user: User) -> float | None:
    """What the reader's last verdicts took, from being shown to being decided; None for too few. A burst of keys is no
    pace: at least `LEAST_SECONDS`."""
    mine = Annotation.objects.filter(namespace=namespace, actor=person(user).name, deleted_at=None)
    last = mine.order_by("-updated_at").values_list("seconds", flat=True)[:PACE_OF]
    known = [seconds for seconds in last if seconds is not None]
    return max(LEAST_SECONDS, median(known)) if len(known) >= LEAST_FOR_PACE else None


def _first(
    rows: Rows, queues: Sequence[Queue], seconds: float | None, *, holdout: bool
) -> WaitingQueue | None:
    """The fullest of the newest versions' collections; where nothing waits there, the fullest of all."""
    found = [
        queue for queue in queues if (queue.kind == Queue.Kind.HOLDOUT) == holdout and queue.waiting_count > 0
    ]
    queue = next((one for one in found if _of_newest(rows, one)), found[0] if found else None)
    if queue is None:
        return None
    version = queue.collection.extractor_version
    return WaitingQueue(
        queue.public_id,
        queue.collection.name,
        queue.waiting_count,
        queue.doubtful_below,
        queue.retriever.name,
        # An image as a whole takes as long as its boxes do: nobody knows how many there are.
        seconds * queue.waiting_count if seconds is not None and not holdout else None,
        version.extractor.name if version else "",
        _of_newest(rows, queue),
    )


def _of_newest(rows: Rows, queue: Queue) -> bool:
    """Whether no younger version of the extractor is up than the one whose boxes wait in the queue."""
    version = queue.collection.extractor_version
    return version is None or not any(
        one.state == ExtractorVersion.State.READY and one.created_at > version.created_at
        for one in rows.versions_of(version.extractor_id)
    )


def _failed(rows: Rows, since: datetime) -> list[Failed]:
    """What stopped and was not tried again: the newest version, run and evaluation of each extractor."""
    found: list[Failed] = []
    seen: set[int] = set()
    serving = {one.pk for one in rows.extractors if one.production_id is not None}
    ready = _with_state(rows, ExtractorVersion.State.READY)
    for version in rows.versions:
        if version.extractor_id not in seen and version.state == ExtractorVersion.State.FAILED:
            urgent = version.extractor_id in serving or not ready
            found.append(
                Failed(f"{version} does not start", version.error, Place("detectors"), urgent=urgent)
            )
        seen.add(version.extractor_id)
    seen = set()
    for run in rows.runs:
        if run.extractor_id not in seen and _fresh_failure(run.job.state, run.job.finished_at, since):
            at = Place("training-run", (run.public_id,))
            found.append(Failed(f"The training of {run.extractor.name} failed", run.job.error, at))
        seen.add(run.extractor_id)
    names = {one.pk: one.name for one in rows.extractors}
    seen = set()
    for one in rows.evaluated:
        if one.extractor not in seen and _fresh_failure(one.state, one.ended, since):
            at = Place("compare", (one.evaluation,))
            title = f"The comparison of {names.get(one.extractor, 'versions')} failed"
            found.append(Failed(title, one.error, at))
        seen.add(one.extractor)
    return found


def _fresh_failure(state: str, ended: datetime | None, since: datetime) -> bool:
    return state == Job.State.FAILED and (ended is None or ended > since)
