"""Documents changed and deleted by people and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, ProtectedError, Q
from django.utils import timezone

from extraction.intake.domain import InUse
from extraction.intake.models import Bucket
from extraction.intake.schema import check_json
from extraction.runs.domain.locking import lock_detections_of
from extraction.runs.domain.naming import document_ref
from extraction.runs.hooks import WrittenChunk, chunk_written, documents_leaving
from extraction.runs.models import Batch, BatchItem, Collection, Detection, Document
from mixcv.kernel.errors import Conflict, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import SYSTEM, Actor


def update_documents(
    *, changes: Sequence[tuple[Document, Mapping[str, Any]]], by: Actor, replace: bool = False
) -> list[Document]:
    """Merge fields into documents' metadata, or set it as a whole with `replace`. Raises InvalidInput."""
    for _, metadata in changes:
        if not isinstance(metadata, Mapping):
            raise InvalidInput("metadata must be an object.", field="metadata")
        check_json(dict(metadata), field="metadata")
    if not changes:
        return []
    with transaction.atomic():
        keys = [document.pk for document, _ in changes]
        rows = {
            row.pk: row
            for row in Document.objects.select_for_update(of=("self",))
            .filter(pk__in=keys)
            .select_related("collection")
            .order_by("pk")
        }
        now = timezone.now()
        for document, metadata in changes:
            row = rows.get(document.pk)
            if row is None:
                raise Conflict("A document was deleted meanwhile.")
            row.metadata = dict(metadata) if replace else {**row.metadata, **metadata}
            row.updated_at = now
        Document.objects.bulk_update(rows.values(), ["metadata", "updated_at"], batch_size=1000)
        _say("updated", list(rows.values()), by)
    return [rows[key] for key in keys]


def follow_objects(bucket: Bucket, object_keys: list[int]) -> None:
    """Called when objects changed: their documents take the new metadata, keeping fields of their own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE extraction_document d SET metadata = d.metadata || o.metadata, updated_at = now()
            FROM extraction_object o WHERE o.id = d.object_id AND o.id = ANY(%s)
              AND NOT d.metadata @> o.metadata
            """,
            [object_keys],
        )


def delete_documents(*, documents: Sequence[Document], by: Actor) -> int:
    """Delete documents with their detections and vectors. Raises InUse once people decided about them."""
    keys = sorted({document.pk for document in documents})
    with transaction.atomic():
        lock_detections_of(document_id__in=keys)
        rows = list(
            Document.objects.select_for_update(of=("self",))
            .filter(pk__in=keys)
            .select_related("collection__namespace")
            .order_by("pk")
        )
        by_collection: dict[int, list[Document]] = {}
        for row in rows:
            by_collection.setdefault(row.collection_id, []).append(row)
        for mine in by_collection.values():
            _leave(mine[0].collection, [row.pk for row in mine])
        for hook in documents_leaving:
            hook(Document.objects.filter(pk__in=[row.pk for row in rows]))
        _say("deleted", rows, by)
        try:
            Document.objects.filter(pk__in=[row.pk for row in rows]).delete()
        except ProtectedError:
            raise InUse(
                "People decided about detections of these documents; take the annotations back first."
            ) from None
    return len(rows)


def _leave(collection: Collection, keys: list[int]) -> None:
    """Let queues forget the detections, and count them out of the collection."""
    current = Detection.objects.filter(document_id__in=keys, current=True)
    detections = list(current.values_list("pk", flat=True))
    for hook in chunk_written:
        hook(WrittenChunk(collection, [], [], detections))
    Collection.objects.filter(pk=collection.pk).update(
        document_count=F("document_count") - len(keys),
        detection_count=F("detection_count") - len(detections),
    )


def leave_with_objects(bucket: Bucket, object_keys: list[int]) -> None:
    """Called before objects are deleted. Raises Conflict while one is being detected, InUse as `delete_documents`."""
    live = BatchItem.objects.filter(object_id__in=object_keys, state=BatchItem.State.RUNNING)
    if live.exists():
        raise Conflict("A worker has one of these images in hand. Try again in a moment.")
    touched = BatchItem.objects.filter(object_id__in=object_keys).values("batch_id").order_by("batch_id")
    state = BatchItem.State
    for row in touched.annotate(
        all=Count("pk"),
        done=Count("pk", filter=Q(state=state.DONE)),
        failed=Count("pk", filter=Q(state=state.FAILED)),
        skipped=Count("pk", filter=Q(state__in=[state.SKIPPED, state.CANCELED])),
    ):
        _count_out(row)
    delete_documents(documents=list(Document.objects.filter(object_id__in=object_keys)), by=SYSTEM)


def _count_out(row: Mapping[str, Any]) -> None:
    Batch.objects.filter(pk=row["batch_id"]).update(
        item_count=F("item_count") - row["all"],
        done_count=F("done_count") - row["done"],
        failed_count=F("failed_count") - row["failed"],
        skipped_count=F("skipped_count") - row["skipped"],
    )


def stay_with_collections(bucket: Bucket) -> None:
    """Called before a bucket is deleted. Raises InUse where a collection watches it."""
    names = list(Collection.objects.filter(buckets=bucket).values_list("name", flat=True)[:5])
    if names:
        raise InUse(f"The collections {', '.join(names)} watch this bucket. Delete them first.")


def _say(what: str, rows: Sequence[Document], by: Actor) -> None:
    by_namespace: dict[int, list[Happening]] = {}
    for row in rows:
        happening = Happening(
            f"document.{what}", document_ref(row.slug), {"collection_id": row.collection.public_id}
        )
        by_namespace.setdefault(row.collection.namespace_id, []).append(happening)
    for namespace_id, happenings in by_namespace.items():
        publish(namespace_id=namespace_id, actor=by.name, happenings=happenings)
