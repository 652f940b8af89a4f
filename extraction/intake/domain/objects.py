"""Putting things into a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from extraction.intake.domain.images import keep_images
from extraction.intake.domain.incoming import Checked, Incoming, check
from extraction.intake.hooks import objects_ready
from extraction.intake.models import Bucket, Image, Object
from mixcv.celery import app
from mixcv.kernel.errors import DomainError
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor

_DECODERS = 4


@dataclass(frozen=True)
class Outcome:
    """What became of one item, in the order in which the items came. A duplicate names the object that was there."""

    name: str
    status: Literal["created", "duplicate", "error"]
    object: Object | None = None
    error: DomainError | None = None


def add_objects(
    *, bucket: Bucket, incoming: Sequence[Incoming], by: Actor, skip_duplicates: bool = False
) -> list[Outcome]:
    """Add items to a bucket, one outcome each; a bad one costs the others nothing.

    Bytes are verified at once and their objects are READY. Addresses are fetched afterwards; until then their
    objects are PENDING. With `skip_duplicates` an item whose content the bucket has already adds nothing.
    """
    checked = _check_all(bucket, incoming)
    good = [item for item in checked if isinstance(item, Checked)]
    if not good:
        return [
            _refused(item, error)
            for item, error in zip(incoming, checked, strict=True)
            if isinstance(error, DomainError)
        ]
    with transaction.atomic():
        images = keep_images(
            namespace=bucket.namespace, pictures=[item.picture for item in good if item.picture]
        )
        # One writer of a bucket at a time from here on: nobody adds the same content in between.
        bucket = Bucket.objects.select_for_update(no_key=True).select_related("namespace").get(pk=bucket.pk)
        outcomes, news = _plan(bucket, incoming, checked, images, skip_duplicates)
        Object.objects.bulk_create(news, batch_size=1000)
        _announce(bucket, news, by)
        mark_ready(bucket=bucket, rows=[row for row in news if row.image_id])
        Bucket.objects.filter(pk=bucket.pk).update(
            object_count=F("object_count") + len(news), updated_at=timezone.now()
        )
        if waiting := [row.pk for row in news if row.state == Object.State.PENDING]:
            # Where the broker is away, the sweep finds them later.
            transaction.on_commit(lambda: _queue_fetches(waiting), robust=True)
    return outcomes


def mark_ready(*, bucket: Bucket, rows: Iterable[Object]) -> None:
    """Count and hand on objects whose image is there now. Call it in the transaction that set their images."""
    ready = [row for row in rows if row.image]
    if not ready:
        return
    size = sum(row.image.original.size for row in ready if row.image)
    Bucket.objects.filter(pk=bucket.pk).update(total_bytes=F("total_bytes") + size)
    for hook in objects_ready:
        hook(bucket, [row.pk for row in ready])


def describe(row: Object, bucket: Bucket) -> dict[str, Any]:
    """What an event says of an object."""
    return {"object_id": row.public_id, "bucket_id": bucket.public_id, "key": row.key, "status": row.state}


def _check_all(bucket: Bucket, incoming: Sequence[Incoming]) -> list[Checked | DomainError]:
    def one(item: Incoming) -> Checked | DomainError:
        try:
            return check(item, bucket)
        except DomainError as error:
            return error

    if len(incoming) == 1:
        return [one(incoming[0])]
    # Pillow lets go of the interpreter's lock while it decodes. The threads touch no row.
    with ThreadPoolExecutor(_DECODERS) as pool:
        return list(pool.map(one, incoming))


def _plan(
    bucket: Bucket,
    incoming: Sequence[Incoming],
    checked: Sequence[Checked | DomainError],
    images: dict[str, Image],
    skip_duplicates: bool,
) -> tuple[list[Outcome], list[Object]]:
    there: dict[int, Object] = {}
    if skip_duplicates:
        rows = Object.objects.filter(
            bucket=bucket, image__in=[image.pk for image in images.values()]
        ).order_by("-id")
        there = {row.image_id: row for row in rows.select_related("image__original") if row.image_id}
    outcomes: list[Outcome] = []
    news: list[Object] = []
    for item, result in zip(incoming, checked, strict=True):
        if isinstance(result, DomainError):
            outcomes.append(_refused(item, result))
            continue
        image = images[result.picture.sha256] if result.picture else None
        if image and skip_duplicates and image.pk in there:
            outcomes.append(Outcome(result.key, "duplicate", there[image.pk]))
            continue
        row = Object(
            bucket=bucket,
            key=result.key,
            property=result.property,
            metadata=result.metadata,
            source_url=result.url,
            image=image,
            state=Object.State.READY if image else Object.State.PENDING,
        )
        news.append(row)
        outcomes.append(Outcome(result.key, "created", row))
        if image:
            there[image.pk] = row
    return outcomes, news


def _refused(item: Incoming, error: DomainError) -> Outcome:
    return Outcome(item.name or item.url[:200] or "image", "error", error=error)


def _announce(bucket: Bucket, rows: Iterable[Object], by: Actor) -> None:
    publish(
        namespace_id=bucket.namespace_id,
        actor=by.name,
        happenings=[Happening("object.created", row.public_id, describe(row, bucket)) for row in rows],
    )


def refetch(*, keys: Sequence[int]) -> None:
    """Fetch failed objects anew from their addresses, once the transaction is through."""
    failed = Object.objects.filter(pk__in=keys, state=Object.State.FAILED).exclude(source_url="")
    waiting = list(failed.values_list("pk", flat=True))
    Object.objects.filter(pk__in=waiting).update(
        state=Object.State.PENDING, error="", updated_at=timezone.now()
    )
    if waiting:
        transaction.on_commit(lambda: _queue_fetches(waiting), robust=True)


def _queue_fetches(keys: list[int]) -> None:
    for key in keys:
        # By name: tasks stand above verbs.
        app.send_task("extraction.intake.fetch_object", args=[key], queue="io")
