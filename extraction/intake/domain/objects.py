"""Putting things into a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.db.models import F, ProtectedError
from django.utils import timezone

from extraction.intake.domain.images import keep_images
from extraction.intake.domain.incoming import Checked, Incoming, check, check_key, unique_value
from extraction.intake.domain.plan import Change, Outcome, Plan, taken
from extraction.intake.hooks import objects_changed, objects_leaving, objects_ready
from extraction.intake.models import Bucket, Image, Object
from extraction.intake.schema import check_metadata
from mixcv.celery import app
from mixcv.kernel.errors import Conflict, DomainError, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor

_DECODERS = 4


@dataclass(frozen=True)
class Kept:
    """Items that were checked and whose images are kept; `images` by the hash of the original bytes."""

    names: list[str]
    checked: list[Checked | DomainError]
    images: dict[str, Image]


class NoPolicy(DomainError):
    """The bucket tells its objects apart by a key, and nobody said what becomes of a second one."""

    code = "no_policy"


def add_objects(
    *,
    bucket: Bucket,
    incoming: Sequence[Incoming],
    by: Actor,
    skip_duplicates: bool = False,
    policy: str = "",
) -> list[Outcome]:
    """Add items to a bucket, one outcome each; a bad one costs the others nothing.

    Bytes are verified at once and their objects are READY. Addresses are fetched afterwards; until then their
    objects are PENDING. With `skip_duplicates` an item whose content the bucket has already adds nothing; nor does one
    whose `idempotency_key` came before. `policy` (else the bucket's own) says what becomes of an item whose
    `unique_key` values the bucket has. Raises NoPolicy where neither says it.
    """
    kept = keep_incoming(bucket=bucket, incoming=incoming)
    return add_kept(bucket=bucket, kept=[kept], by=by, skip_duplicates=skip_duplicates, policy=policy)


def keep_incoming(*, bucket: Bucket, incoming: Sequence[Incoming]) -> Kept:
    """Check items and keep their images, without their bytes from here on. Makes no object."""
    checked = _check_all(bucket, incoming)
    pictures = [item.picture for item in checked if isinstance(item, Checked) and item.picture]
    images = keep_images(namespace=bucket.namespace, pictures=pictures)
    names = [item.name or item.url[:200] or "image" for item in incoming]
    return Kept(names, [_light(item) for item in checked], images)


def add_kept(
    *,
    bucket: Bucket,
    kept: Sequence[Kept],
    by: Actor,
    skip_duplicates: bool = False,
    policy: str = "",
) -> list[Outcome]:
    """The second half of `add_objects`, for several groups: all images were kept before the bucket is locked."""
    policy = _policy(bucket, policy)
    names = [name for group in kept for name in group.names]
    checked = [item for group in kept for item in group.checked]
    images = {sha: image for group in kept for sha, image in group.images.items()}
    if not any(isinstance(item, Checked) for item in checked):
        return [Outcome(name, "error", error=error) for name, error in _faults(names, checked)]
    with transaction.atomic():
        # One writer of a bucket at a time from here on: nobody adds the same content in between.
        bucket = Bucket.objects.select_for_update(no_key=True).select_related("namespace").get(pk=bucket.pk)
        plan = Plan(bucket, images, skip_duplicates, policy)
        outcomes = plan.make(names, checked)
        Object.objects.bulk_create(plan.news, batch_size=1000)
        _announce(bucket, "object.created", plan.news, by)
        write_changes(bucket=bucket, changes=plan.changes, by=by)
        mark_ready(bucket=bucket, rows=[row for row in plan.news if row.image_id])
        Bucket.objects.filter(pk=bucket.pk).update(
            object_count=F("object_count") + len(plan.news), updated_at=timezone.now()
        )
        if waiting := [row.pk for row in plan.news if row.state == Object.State.PENDING]:
            # Where the broker is away, the sweep finds them later.
            transaction.on_commit(lambda: queue_fetches(waiting), robust=True)
    return outcomes


def _light(item: Checked | DomainError) -> Checked | DomainError:
    if isinstance(item, DomainError) or item.picture is None:
        return item
    upright = item.picture.upright._replace(data=b"")
    return replace(item, picture=replace(item.picture, data=b"", upright=upright))


def _faults(names: Sequence[str], checked: Sequence[Checked | DomainError]) -> list[tuple[str, DomainError]]:
    pairs = zip(names, checked, strict=True)
    return [(name, item) for name, item in pairs if isinstance(item, DomainError)]


def _policy(bucket: Bucket, policy: str) -> str:
    wanted = policy or bucket.unique_policy
    if bucket.unique_key and not wanted:
        raise NoPolicy(
            f"Objects of {bucket.name} are told apart by {', '.join(bucket.unique_key)}. Say with ?policy=insert, "
            "update or upsert what becomes of one that is there already, or set the bucket's default_policy."
        )
    return wanted


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


def _announce(bucket: Bucket, event: str, rows: Iterable[Object], by: Actor) -> None:
    publish(
        namespace_id=bucket.namespace_id,
        actor=by.name,
        happenings=[Happening(event, row.public_id, describe(row, bucket)) for row in rows],
    )


def write_changes(*, bucket: Bucket, changes: Sequence[Change], by: Actor) -> None:
    """Store what became of objects that were there; the bucket's row is locked."""
    if not changes:
        return
    now = timezone.now()
    rows = [change.row for change in changes]
    for row in rows:
        row.updated_at = now
    Object.objects.bulk_update(
        rows,
        [
            "key",
            "property",
            "metadata",
            "source_url",
            "image",
            "state",
            "error",
            "unique_value",
            "updated_at",
        ],
    )
    _announce(bucket, "object.updated", rows, by)
    for hook in objects_changed:
        hook(bucket, [row.pk for row in rows])
    new_image = [change for change in changes if change.image_changed]
    gone = sum(change.old_bytes for change in new_image)
    Bucket.objects.filter(pk=bucket.pk).update(total_bytes=F("total_bytes") - gone, updated_at=now)
    mark_ready(bucket=bucket, rows=[change.row for change in new_image if change.row.image_id])
    if waiting := [row.pk for row in rows if row.state == Object.State.PENDING]:
        transaction.on_commit(lambda: queue_fetches(waiting), robust=True)


def update_object(
    *, row: Object, by: Actor, metadata: Any = None, prefix: str | None = None, whole: bool = False
) -> Object:
    """Change an object's metadata (merged, or all of it with `whole`) and the folder of its key.

    Raises InvalidInput for metadata that does not fit the bucket's schema, AlreadyExists where another object has the
    values of the bucket's `unique_key`.
    """
    with transaction.atomic():
        bucket = (
            Bucket.objects.select_for_update(no_key=True).select_related("namespace").get(pk=row.bucket_id)
        )
        row = Object.objects.select_related("image__original").get(pk=row.pk)
        if metadata is not None:
            if not isinstance(metadata, Mapping):
                raise InvalidInput("metadata must be an object.", field="metadata")
            merged = dict(metadata) if whole else {**row.metadata, **metadata}
            row.metadata = check_metadata(merged, bucket.schema)
            row.unique_value = unique_value(row.metadata, bucket)
            twin = Object.objects.filter(bucket=bucket, unique_value=row.unique_value).exclude(pk=row.pk)
            if row.unique_value and (other := twin.first()):
                raise taken(bucket, other)
        if prefix is not None:
            name = row.key.rpartition("/")[2]
            row.key = check_key(f"{prefix.strip('/')}/{name}" if prefix.strip("/") else name)
        write_changes(bucket=bucket, changes=[Change(row)], by=by)
    return row


def delete_objects(*, bucket: Bucket, rows: Sequence[Object], by: Actor) -> int:
    """Take objects out of a bucket, with what detectors made of them. Raises InUse where people decided about them."""
    keys = [row.pk for row in rows]
    with transaction.atomic():
        bucket = Bucket.objects.select_for_update(no_key=True).get(pk=bucket.pk)
        found = list(
            Object.objects.filter(pk__in=keys, bucket=bucket).select_related("image__original").order_by("pk")
        )
        for hook in objects_leaving:
            hook(bucket, [row.pk for row in found])
        size = sum(row.image.original.size for row in found if row.image)
        _announce(bucket, "object.deleted", found, by)
        try:
            Object.objects.filter(pk__in=[row.pk for row in found]).delete()
        except ProtectedError:
            raise InUse("Other rows refer to this object; it cannot be deleted.") from None
        Bucket.objects.filter(pk=bucket.pk).update(
            object_count=F("object_count") - len(found), total_bytes=F("total_bytes") - size
        )
    return len(found)


class InUse(Conflict):
    """Something that people decided, or a frozen dataset, refers to the row."""

    code = "in_use"


def refetch(*, keys: Sequence[int]) -> None:
    """Fetch failed objects anew from their addresses, once the transaction is through."""
    failed = Object.objects.filter(pk__in=keys, state=Object.State.FAILED).exclude(source_url="")
    waiting = list(failed.values_list("pk", flat=True))
    Object.objects.filter(pk__in=waiting).update(
        state=Object.State.PENDING, error="", updated_at=timezone.now()
    )
    if waiting:
        transaction.on_commit(lambda: queue_fetches(waiting), robust=True)


def queue_fetches(keys: list[int]) -> None:
    for key in keys:
        # By name: tasks stand above verbs.
        app.send_task("extraction.intake.fetch_object", args=[key], queue="io")
