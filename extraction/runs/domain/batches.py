"""Batches: made, submitted, cancelled, retried, finished."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from extraction.intake.domain import refetch
from extraction.intake.models import Bucket, Object
from extraction.packages.models import ExtractorVersion
from extraction.runs.models import Batch, BatchItem, Collection
from mixcv.celery import app
from mixcv.kernel.errors import Conflict, InvalidInput, NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.http import check_url
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import SYSTEM, Actor

Item = BatchItem.State


class NotSubmittable(Conflict):
    """The batch is not a draft any more."""

    code = "not_submittable"


def create_batch(
    *,
    bucket: Bucket,
    collections: Sequence[Collection],
    object_ids: Sequence[str] | None = None,
    objects: QuerySet[Object] | None = None,
    name: str = "",
    dedup: str = Batch.Dedup.SKIP,
    metadata: dict[str, Any] | None = None,
    by: Actor = SYSTEM,
) -> Batch:
    """A draft over the bucket's objects for each collection: those of `object_ids` (public ids), or of the query
    `objects`, or all.

    Raises NotFound naming ids that the bucket does not have, InvalidInput for no object, no collection, a collection
    of another namespace, or an unknown dedup strategy.
    """
    if dedup not in Batch.Dedup.values:
        raise InvalidInput(
            f"dedup_strategy is one of {', '.join(Batch.Dedup.values)}.", field="dedup_strategy"
        )
    if any(collection.namespace_id != bucket.namespace_id for collection in collections):
        raise NotFound("A collection of this batch is not in the bucket's namespace.", field="collection_ids")
    with transaction.atomic():
        rows = objects if objects is not None else Object.objects.filter(bucket=bucket).order_by("pk")
        if object_ids is not None:
            rows = _named(bucket, object_ids)
        batch = Batch.objects.create(
            namespace_id=bucket.namespace_id,
            bucket=bucket,
            name=name[:200],
            dedup=dedup,
            metadata=metadata or {},
        )
        batch.collections.set(collections)
        keys = list(rows.values_list("pk", flat=True))
        for collection in collections:
            add_items(batch, collection, keys)
        publish(
            namespace_id=bucket.namespace_id,
            actor=by.name,
            happenings=[Happening("batch.created", batch.public_id, {"objects": len(keys)})],
        )
    return batch


def _named(bucket: Bucket, refs: Sequence[str]) -> QuerySet[Object]:
    wanted = list(dict.fromkeys(refs))
    rows = Object.objects.filter(bucket=bucket, public_id__in=wanted).order_by("pk")
    found = set(rows.values_list("public_id", flat=True))
    if missing := [ref for ref in wanted if ref not in found]:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise NotFound(f"The bucket has no object {', '.join(missing[:5])}{more}.", field="object_ids")
    return rows


def add_items(batch: Batch, collection: Collection, object_keys: Sequence[int]) -> int:
    """Insert items, leaving out those that are there. Returns how many are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO extraction_batchitem
                (batch_id, collection_id, object_id, state, reason, attempt, lease_owner)
            SELECT %s, %s, o, 'PENDING', '', 0, '' FROM unnest(%s::bigint[]) AS o
            ON CONFLICT (batch_id, collection_id, object_id) DO NOTHING
            """,
            [batch.pk, collection.pk, list(object_keys)],
        )
        new: int = cursor.rowcount
    Batch.objects.filter(pk=batch.pk).update(item_count=F("item_count") + new)
    return new


def submit_batch(
    *,
    batch: Batch,
    collections: Sequence[Collection] | None = None,
    webhook_url: str = "",
    by: Actor = SYSTEM,
) -> Batch:
    """Hand a draft over to the workers. Collections that the draft lacks are added first. `webhook_url` is told when
    the batch is over.

    With dedup `skip`, items whose object that collection has done, or has under way in another batch, are SKIPPED.
    Raises NotSubmittable where the batch is no draft, InvalidInput where it has no object or no collection.
    """
    if webhook_url:
        check_url(webhook_url, field="webhook_url")
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=batch.pk)
        if batch.state != Batch.State.DRAFT:
            raise NotSubmittable(f"The batch is {batch.state}; only a DRAFT is submitted.")
        for collection in collections or []:
            batch.collections.add(collection)
            keys = BatchItem.objects.filter(batch=batch).values_list("object_id", flat=True).distinct()
            add_items(
                batch, collection, list(keys) or list(batch.bucket.contents.values_list("pk", flat=True))
            )
        batch.refresh_from_db()
        if not batch.collections.exists():
            raise InvalidInput("The batch names no collection.", field="collection_ids")
        retired = batch.collections.filter(extractor_version__state=ExtractorVersion.State.RETIRED).first()
        if retired:
            raise NotSubmittable(
                f"The detector of {retired.name} is retired. Make a collection of another version."
            )
        if not batch.item_count:
            raise InvalidInput(
                "The batch has no object. Upload images to the bucket first.", field="object_ids"
            )
        Batch.objects.filter(pk=batch.pk).update(webhook_url=webhook_url)
        start(batch, by=by)
    batch.refresh_from_db()
    return batch


def start(batch: Batch, *, by: Actor = SYSTEM) -> None:
    """From DRAFT or OPEN to PROCESSING, with the job that shows its progress. The batch's row is locked."""
    now = timezone.now()
    if batch.dedup == Batch.Dedup.SKIP:
        _skip_known(batch, now)
    _fail_broken(batch, now)
    job = Job.objects.create(
        namespace_id=batch.namespace_id,
        kind="batch",
        subject=batch.public_id,
        state=Job.State.RUNNING,
        total=batch.item_count,
        started_at=now,
    )
    Batch.objects.filter(pk=batch.pk).update(
        state=Batch.State.PROCESSING, submitted_at=now, job=job, webhook_due_at=None
    )
    recount(batch)
    publish(
        namespace_id=batch.namespace_id,
        actor=by.name,
        happenings=[Happening("batch.submitted", batch.public_id, {"items": batch.item_count})],
    )
    wake(batch)
    finish_if_done(batch)


def wake(batch: Batch) -> None:
    """After the commit, tell a GPU worker that there is work. A message lost is made good by the sweep."""
    for collection_id in batch.collections.values_list("pk", flat=True):
        send = partial(app.send_task, "extraction.extract", args=[collection_id], queue="gpu")
        # Where the broker is away, the sweep finds the work later.
        transaction.on_commit(send, robust=True)


def _skip_known(batch: Batch, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE extraction_batchitem i SET state = 'SKIPPED', finished_at = %(now)s, reason =
                CASE WHEN d.image_id = o.image_id THEN 'done before in this collection'
                ELSE 'under way in another batch' END
            FROM extraction_batchitem j
            JOIN extraction_object o ON o.id = j.object_id
            LEFT JOIN extraction_document d ON d.collection_id = j.collection_id AND d.object_id = j.object_id
            WHERE i.id = j.id AND j.batch_id = %(batch)s AND j.state = 'PENDING'
              AND (d.image_id = o.image_id OR EXISTS (
                SELECT 1 FROM extraction_batchitem other JOIN extraction_batch b ON b.id = other.batch_id
                WHERE other.collection_id = j.collection_id AND other.object_id = j.object_id
                  AND other.batch_id <> j.batch_id AND other.state IN ('PENDING', 'RUNNING')
                  AND b.state IN ('OPEN', 'PROCESSING')))
            """,
            {"batch": batch.pk, "now": now},
        )


def _fail_broken(batch: Batch, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE extraction_batchitem i SET state = 'FAILED', finished_at = %s, reason = o.error
            FROM extraction_object o
            WHERE o.id = i.object_id AND i.batch_id = %s AND i.state = 'PENDING' AND o.state = 'FAILED'
            """,
            [now, batch.pk],
        )


def recount(batch: Batch) -> None:
    """Set the batch's counters from its items' states."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE extraction_batch b SET done_count = c.done, failed_count = c.failed, skipped_count = c.skipped
            FROM (SELECT count(*) FILTER (WHERE state = 'DONE') AS done,
                         count(*) FILTER (WHERE state = 'FAILED') AS failed,
                         count(*) FILTER (WHERE state IN ('SKIPPED', 'CANCELED')) AS skipped
                  FROM extraction_batchitem WHERE batch_id = %s) c
            WHERE b.id = %s
            """,
            [batch.pk, batch.pk],
        )


def finish_if_done(batch: Batch) -> bool:
    """Close a batch under way whose items are all over. Exactly one caller gets True."""
    with transaction.atomic():
        row = Batch.objects.select_for_update().get(pk=batch.pk)
        live = Q(state=Item.PENDING) | Q(state=Item.RUNNING)
        if row.state != Batch.State.PROCESSING or BatchItem.objects.filter(live, batch=row).exists():
            return False
        recount(row)
        row.refresh_from_db()
        if row.failed_count == 0:
            state = Batch.State.COMPLETED
        elif row.failed_count == row.item_count:
            state = Batch.State.FAILED
        else:
            state = Batch.State.COMPLETED_WITH_ERRORS
        _close(row, state, actor="system")
    return True


def _close(batch: Batch, state: Batch.State, *, actor: str) -> None:
    now = timezone.now()
    Batch.objects.filter(pk=batch.pk).update(state=state, finished_at=now)
    Job.objects.filter(pk=batch.job_id or 0).update(
        state=state,
        finished_at=now,
        done=batch.done_count + batch.failed_count + batch.skipped_count,
        error=f"{batch.failed_count} of {batch.item_count} failed" if batch.failed_count else "",
    )
    name = {Batch.State.CANCELED: "canceled", Batch.State.FAILED: "failed"}.get(state, "completed")
    counts = {"done": batch.done_count, "failed": batch.failed_count, "skipped": batch.skipped_count}
    publish(
        namespace_id=batch.namespace_id,
        actor=actor,
        happenings=[Happening(f"batch.{name}", batch.public_id, {"state": state, **counts})],
    )
    if batch.webhook_url:
        Batch.objects.filter(pk=batch.pk).update(
            webhook_due_at=now, webhook_attempts=0, webhook_sent_at=None, webhook_error=""
        )
        send = partial(app.send_task, "extraction.tell_batch", args=[batch.pk], queue="io")
        transaction.on_commit(send, robust=True)


def cancel_batch(*, batch: Batch, by: Actor) -> Batch:
    """Stop a batch: what waits is not started; what a worker holds is not written. Raises Conflict when it is over."""
    with transaction.atomic():
        row = Batch.objects.select_for_update().get(pk=batch.pk)
        if row.is_over:
            raise Conflict(f"The batch is {row.state} already; there is nothing left to stop.")
        BatchItem.objects.filter(batch=row, state__in=[Item.PENDING, Item.RUNNING]).update(
            state=Item.CANCELED,
            reason=f"stopped by {by.name}",
            lease_owner="",
            lease_until=None,
            finished_at=timezone.now(),
        )
        recount(row)
        row.refresh_from_db()
        _close(row, Batch.State.CANCELED, actor=by.name)
    row.refresh_from_db()
    return row


def retry_failed(*, batch: Batch, by: Actor, item_keys: Sequence[int] | None = None) -> int:
    """Put the failed items (or those of them in `item_keys`) of a batch that is over back to work. Returns how many.

    Raises Conflict when none failed, or the batch is not over.
    """
    with transaction.atomic():
        row = Batch.objects.select_for_update().get(pk=batch.pk)
        if not row.is_over:
            raise Conflict(f"The batch is {row.state}; wait until it is over, or cancel it.")
        failed = BatchItem.objects.filter(batch=row, state=Item.FAILED)
        if item_keys is not None:
            failed = failed.filter(pk__in=item_keys)
        number = failed.update(state=Item.PENDING, reason="", attempt=0, finished_at=None)
        if not number:
            raise Conflict("No item of this batch failed in a way that trying again could mend.")
        again = Object.objects.filter(items__batch=row, items__state=Item.PENDING, state=Object.State.FAILED)
        refetch(keys=list(again.values_list("pk", flat=True)))
        Batch.objects.filter(pk=row.pk).update(finished_at=None)
        row.refresh_from_db()
        start(row, by=by)
    return number


def delete_batch(*, batch: Batch, by: Actor) -> None:
    """Delete a batch and its items; what it detected stays. Raises Conflict while it is under way."""
    with transaction.atomic():
        row = Batch.objects.select_for_update().get(pk=batch.pk)
        if row.state in {Batch.State.OPEN, Batch.State.PROCESSING}:
            raise Conflict(f"The batch is {row.state}; cancel it, or wait until it is over.")
        publish(
            namespace_id=row.namespace_id,
            actor=by.name,
            happenings=[Happening("batch.deleted", row.public_id, {"name": row.name})],
        )
        row.delete()
