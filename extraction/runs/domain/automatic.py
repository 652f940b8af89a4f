"""New objects of a bucket gather in one open batch, which closes after some seconds or a thousand items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from extraction.intake.models import Bucket
from extraction.runs.domain.batches import add_items, start, wake
from extraction.runs.models import Batch, Collection
from mixcv.celery import app

FULL = 1000


def add_ready_objects(bucket: Bucket, object_keys: Sequence[int]) -> None:
    """Called when objects of a bucket have their image: collections that watch it will detect them.

    Runs inside the transaction that made the objects ready. Objects that an explicit batch waits for are taken up too.
    """
    watching = list(Collection.objects.filter(buckets=bucket, enabled=True, source="bucket").order_by("pk"))
    waiting = Batch.objects.filter(
        items__object_id__in=object_keys, items__state="PENDING", state=Batch.State.PROCESSING
    ).distinct()
    for awaited in waiting:
        wake(awaited)
    if not watching or not object_keys:
        return
    # Uploads of one bucket queue up here for a moment, so that there is never a second open batch.
    Bucket.objects.select_for_update(no_key=True).get(pk=bucket.pk)
    # And the batch itself is locked: it cannot be closed and finished between this look and the new items.
    open_batch = Batch.objects.select_for_update(no_key=True)
    batch = open_batch.filter(bucket=bucket, automatic=True, state=Batch.State.OPEN).first()
    if batch is None:
        batch = Batch.objects.create(
            namespace_id=bucket.namespace_id,
            bucket=bucket,
            automatic=True,
            state=Batch.State.OPEN,
            name=f"New images of {bucket.name}",
        )
        transaction.on_commit(
            lambda: app.send_task(
                "extraction.close_batch",
                args=[batch.pk],
                queue="cpu",
                countdown=settings.MIXCV_GATHER_SECONDS,
            )
        )
    for collection in watching:
        batch.collections.add(collection)
        add_items(batch, collection, object_keys)
    batch.refresh_from_db()
    if batch.item_count >= FULL:
        start(batch)


def close_batch(*, batch_id: int) -> bool:
    """Hand an open automatic batch over to the workers; False where somebody did already."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update().filter(pk=batch_id, state=Batch.State.OPEN).first()
        if batch is None:
            return False
        start(batch)
    return True


def close_old_batches() -> int:
    """Close open batches whose own message was lost."""
    before = timezone.now() - timedelta(seconds=settings.MIXCV_GATHER_SECONDS + 2)
    old = Batch.objects.filter(state=Batch.State.OPEN, created_at__lt=before).values_list("pk", flat=True)
    return sum(close_batch(batch_id=key) for key in list(old))
