"""Reads of the room that are used twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from extraction.intake.models import Bucket, Object
from extraction.packages.models import ExtractorVersion
from extraction.runs.domain.naming import parse_ref
from extraction.runs.models import Batch, BatchItem, Collection, Detection, Document
from mixcv.kernel.errors import Conflict, NotFound
from mixcv.tenancy.models import Namespace

_COUNTED = ("done", "failed", "skipped", "pending", "running", "total")
_NOTHING = [0] * len(_COUNTED)


class Ambiguous(Conflict):
    """Several collections have a document of this id; the message names them."""

    code = "ambiguous_document"


def collections_of(namespace: Namespace) -> QuerySet[Collection]:
    return (
        Collection.objects.filter(namespace=namespace)
        .select_related("extractor_version__extractor")
        .prefetch_related("buckets")
        .order_by("name")
    )


def sources_of(collection: Collection) -> list[tuple[Bucket, int]]:
    """The collection's buckets, each with the number of its images that the collection has not detected."""
    seen = Document.objects.filter(collection=collection, object=OuterRef("pk"))
    left = Object.objects.filter(~Exists(seen), bucket__in=collection.buckets.all(), state=Object.State.READY)
    number = dict(left.order_by().values_list("bucket").annotate(number=Count("pk")))
    return [(bucket, number.get(bucket.pk, 0)) for bucket in collection.buckets.all()]


def batches_of(namespace: Namespace) -> QuerySet[Batch]:
    return (
        Batch.objects.filter(namespace=namespace)
        .select_related("bucket", "job")
        .prefetch_related("collections")
        .order_by("-created_at", "-pk")
    )


def batch_progress(batch: Batch) -> dict[str, Any]:
    """The progress of one batch; see progress_of()."""
    return progress_of([batch])[batch.pk]


def progress_of(batches: Iterable[Batch]) -> dict[int, dict[str, Any]]:
    """By the batch's key: done, failed, skipped, pending, running, total; rate in images a second; seconds_left
    (None: no estimate). `waits_for` names a detector that is not up, where the batch cannot go on without it.

    The same number of queries for any number of batches, whose `job` should be loaded.
    """
    rows = {batch.pk: batch for batch in batches}
    state = BatchItem.State
    grouped = (
        BatchItem.objects.filter(batch__in=rows)
        .values("batch_id")
        .order_by("batch_id")
        .annotate(
            done=Count("pk", filter=Q(state=state.DONE)),
            failed=Count("pk", filter=Q(state=state.FAILED)),
            skipped=Count("pk", filter=Q(state__in=[state.SKIPPED, state.CANCELED])),
            pending=Count("pk", filter=Q(state=state.PENDING)),
            running=Count("pk", filter=Q(state=state.RUNNING)),
            total=Count("pk"),
        )
    )
    by_batch = {key: counts for key, *counts in grouped.values_list("batch_id", *_COUNTED)}
    found: dict[int, dict[str, Any]] = {}
    for key, batch in rows.items():
        counts: dict[str, Any] = dict(zip(_COUNTED, by_batch.get(key, _NOTHING), strict=True))
        job = batch.job
        counts["rate"] = job.rate if job and not batch.is_over else 0.0
        left = counts["pending"] + counts["running"]
        counts["seconds_left"] = left / counts["rate"] if counts["rate"] > 0 else None
        found[key] = counts
    stuck = [key for key, counts in found.items() if counts["pending"] and not counts["running"]]
    missing = _waits_for(stuck)
    for key, counts in found.items():
        counts["waits_for"] = missing.get(key, "")
    return found


def waits_for(batches: Iterable[int]) -> dict[int, str]:
    """The detector that has to come up before each of these batches goes on, where nothing of it is at work."""
    live = BatchItem.objects.filter(batch__in=list(batches))
    running = set(live.filter(state=BatchItem.State.RUNNING).values_list("batch_id", flat=True).distinct())
    return {key: name for key, name in _waits_for(batches).items() if key not in running}


def _waits_for(batches: Iterable[int]) -> dict[int, str]:
    """The detector that has to come up before each of these batches goes on; without those where all are up."""
    pending = BatchItem.objects.filter(batch__in=list(batches), state=BatchItem.State.PENDING)
    pairs = (
        pending.exclude(collection__extractor_version=None)
        .exclude(collection__extractor_version__state=ExtractorVersion.State.READY)
        .values_list("batch_id", "collection__extractor_version")
        .order_by("batch_id", "collection__extractor_version")
        .distinct()
    )
    first: dict[int, int] = {}
    for batch_id, version_id in pairs:
        first.setdefault(batch_id, version_id)
    versions = ExtractorVersion.objects.select_related("extractor").in_bulk(set(first.values()))
    return {batch_id: str(versions[version_id]) for batch_id, version_id in first.items()}


def stuck_batches(namespace_id: int) -> int:
    """How many batches have nothing left but items whose detector is not up."""
    live = BatchItem.objects.filter(
        batch=OuterRef("pk"), state__in=[BatchItem.State.PENDING, BatchItem.State.RUNNING]
    )
    moving = live.filter(
        Q(state=BatchItem.State.RUNNING)
        | Q(collection__extractor_version__state=ExtractorVersion.State.READY)
        | Q(collection__extractor_version__state=ExtractorVersion.State.DEPLOYING)
    )
    under_way = Batch.objects.filter(namespace_id=namespace_id, state=Batch.State.PROCESSING)
    return under_way.filter(Exists(live), ~Exists(moving)).count()


def failed_items(
    batch: Batch, *, limit: int = 100, offset: int = 0, collection: Collection | None = None
) -> list[BatchItem]:
    rows = (
        _failed(batch, collection)
        .select_related("object__image", "object__bucket__namespace", "collection")
        .order_by("pk")
    )
    return list(rows.order_by("pk")[offset : offset + limit])


def failed_number(batch: Batch, *, collection: Collection | None = None) -> int:
    return _failed(batch, collection).count()


def _failed(batch: Batch, collection: Collection | None) -> QuerySet[BatchItem]:
    rows = BatchItem.objects.filter(batch=batch, state=BatchItem.State.FAILED)
    return rows if collection is None else rows.filter(collection=collection)


def audit_of(batch: Batch) -> list[dict[str, Any]]:
    """How many of a batch's items are in which state, by collection; and the reasons of failures with their number."""
    rows = BatchItem.objects.filter(batch=batch).values("collection__public_id", "state", "reason")
    found: dict[str, dict[str, Any]] = {}
    for row in rows.annotate(number=Count("pk")).order_by("collection__public_id", "state", "reason"):
        entry = found.setdefault(
            row["collection__public_id"],
            {"collection_id": row["collection__public_id"], "states": {}, "reasons": {}},
        )
        entry["states"][row["state"]] = entry["states"].get(row["state"], 0) + row["number"]
        if row["state"] == BatchItem.State.FAILED and len(entry["reasons"]) < 100:
            entry["reasons"][row["reason"]] = row["number"]
    return list(found.values())


@dataclass(frozen=True)
class Found:
    """What a document_id names: a document, and its detection where the id is a detection's."""

    document: Document
    detection: Detection | None


def find_documents(
    namespace: Namespace, refs: Iterable[tuple[str, str | None]]
) -> dict[tuple[str, str | None], Found | NotFound | Ambiguous]:
    """Resolve pairs of document_id and collection (id or name, or None) in a few queries.

    Without a collection a unique match in the namespace is taken; several are Ambiguous.
    """
    wanted = {ref: parse_ref(ref[0]) for ref in dict.fromkeys(refs)}
    documents = list(
        Document.objects.filter(
            collection__namespace=namespace, slug__in={name for name, _ in wanted.values()}
        ).select_related("collection", "image")
    )
    by_slug: dict[str, list[Document]] = {}
    for document in documents:
        by_slug.setdefault(document.slug, []).append(document)
    chosen: dict[tuple[str, str | None], Document] = {}
    answers: dict[tuple[str, str | None], Found | NotFound | Ambiguous] = {}
    for ref, (name, _) in wanted.items():
        matches = [
            d for d in by_slug.get(name, []) if ref[1] in (None, d.collection.public_id, d.collection.name)
        ]
        if len(matches) == 1:
            chosen[ref] = matches[0]
        elif matches:
            names = ", ".join(sorted(document.collection.public_id for document in matches))
            answers[ref] = Ambiguous(
                f"{ref[0]} is in several collections: {names}. Send collection_id.", field="collection_id"
            )
        else:
            where = f" in {ref[1]}" if ref[1] else ""
            answers[ref] = NotFound(f"There is no document {ref[0]}{where}.", field="document_id")
    detections = _detections(
        [(chosen[ref].pk, ordinal) for ref in chosen if (ordinal := wanted[ref][1]) is not None]
    )
    for ref, document in chosen.items():
        ordinal = wanted[ref][1]
        detection = detections.get((document.pk, ordinal)) if ordinal is not None else None
        if ordinal is not None and detection is None:
            answers[ref] = NotFound(
                f"There is no detection {ref[0]}; doc_{document.slug} has {document.next_ordinal}.",
                field="document_id",
            )
        else:
            answers[ref] = Found(document, detection)
    return answers


def _detections(keys: list[tuple[int, int]]) -> dict[tuple[int, int | None], Detection]:
    if not keys:
        return {}
    rows = Detection.objects.raw(
        "SELECT d.* FROM extraction_detection d JOIN unnest(%s::bigint[], %s::bigint[]) AS v(document, ordinal)"
        " ON d.document_id = v.document AND d.ordinal = v.ordinal",
        [[document for document, _ in keys], [ordinal for _, ordinal in keys]],
    )
    return {(row.document_id, row.ordinal): row for row in rows}
