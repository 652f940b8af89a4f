"""Collections: made once for a version and its source buckets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from extraction.intake.domain import InUse
from extraction.intake.models import Bucket, Object
from extraction.intake.schema import check_json
from extraction.packages.models import ExtractorVersion
from extraction.runs.domain.batches import create_batch, submit_batch
from extraction.runs.domain.locking import lock_detections_of
from extraction.runs.hooks import collection_created, collection_leaving, documents_leaving
from extraction.runs.models import Batch, BatchItem, Collection, Document
from mixcv.kernel.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import named_id
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.models import Namespace

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,2})?")


def check_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """A collection's own threshold and iou (0 to 1), image_size (pixels, 32 to 4096, a multiple of 32), device."""
    unknown = sorted(set(parameters) - {"threshold", "image_size", "iou", "device"})
    if unknown:
        raise InvalidInput(
            f"Unknown parameter {', '.join(unknown)}. Allowed: threshold, image_size, iou, device.",
            field="parameters",
        )
    for name in ("threshold", "iou"):
        value = parameters.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1
        ):
            raise InvalidInput(f"{name} is {value!r}; it must be 0 to 1.", field=f"parameters.{name}")
    size = parameters.get("image_size")
    if size is not None and (
        not isinstance(size, int) or isinstance(size, bool) or not 32 <= size <= 4096 or size % 32
    ):
        raise InvalidInput(
            f"image_size is {size!r}; it must be a multiple of 32 from 32 to 4096 pixels.",
            field="parameters.image_size",
        )
    device = parameters.get("device")
    if device is not None and not (isinstance(device, str) and DEVICE.fullmatch(device)):
        raise InvalidInput(
            f"device is {device!r}; it must be auto, cpu, mps, cuda or cuda:0 and so on.",
            field="parameters.device",
        )
    return {name: value for name, value in parameters.items() if value is not None}


def create_collection(
    *,
    namespace: Namespace,
    name: str,
    version: ExtractorVersion,
    buckets: Sequence[Bucket],
    parameters: dict[str, Any] | None = None,
    description: str = "",
    metadata: dict[str, Any] | None = None,
    enabled: bool = True,
    by: Actor = SYSTEM,
) -> Collection:
    """A new collection. What the buckets hold already is run by a batch; new objects are detected as they come.

    Raises InvalidInput for a name outside 3 to 100 characters, no bucket, or parameters that make no sense,
    AlreadyExists where the id is taken.
    """
    name = _named(name, buckets)
    public_id = named_id("col", name)
    with transaction.atomic():
        collection, created = Collection.objects.get_or_create(
            namespace=namespace,
            public_id=public_id,
            defaults={
                "name": name,
                "extractor_version": version,
                "parameters": check_parameters(parameters or {}),
                "description": description,
                "metadata": metadata or {},
                "enabled": enabled,
            },
        )
        if not created:
            raise AlreadyExists(
                f"The collection {collection.name!r} has the id {public_id} already. Choose another name.",
                field="collection_name",
            )
        collection.buckets.set(buckets)
        for made in collection_created:
            made(collection)
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[
                Happening("collection.created", public_id, {"name": name, "extractor": version.public_id})
            ],
        )
    return collection


def _named(name: str, buckets: Sequence[Bucket]) -> str:
    name = name.strip()
    if not 3 <= len(name) <= 100:
        raise InvalidInput(
            f"A collection's name has 3 to 100 characters; this has {len(name)}.", field="collection_name"
        )
    if not buckets:
        raise InvalidInput("A collection needs a source bucket.", field="source.bucket_ids")
    return name


def get_collection(namespace: Namespace, ref: str) -> Collection:
    """By id or name. Raises NotFound."""
    rows = Collection.objects.filter(namespace=namespace).select_related("extractor_version__extractor")
    found = rows.filter(public_id=ref).first() or rows.filter(name=ref).first()
    if found is None:
        raise NotFound(f"There is no collection {ref!r} here.", field="collection_id")
    return found


def ensure_collection(
    *,
    namespace: Namespace,
    name: str,
    version: ExtractorVersion,
    buckets: Sequence[Bucket],
    parameters: dict[str, Any] | None = None,
) -> Collection:
    """The collection of this name, made where there is none; the buckets are added to its sources."""
    found = Collection.objects.filter(namespace=namespace, public_id=named_id("col", name)).first()
    if found is None:
        return create_collection(
            namespace=namespace, name=name, version=version, buckets=buckets, parameters=parameters
        )
    found.buckets.add(*buckets)
    return found


def update_collection(
    *,
    collection: Collection,
    by: Actor,
    description: str | None = None,
    metadata: dict[str, Any] | None = None,
    enabled: bool | None = None,
) -> Collection:
    """Change what a collection says of itself, or whether it detects new images by itself."""
    changes = {"description": description, "metadata": metadata, "enabled": enabled}
    values = {name: value for name, value in changes.items() if value is not None}
    check_json(metadata or {}, field="metadata")
    with transaction.atomic():
        Collection.objects.filter(pk=collection.pk).update(**values, updated_at=timezone.now())
        publish(
            namespace_id=collection.namespace_id,
            actor=by.name,
            happenings=[Happening("collection.updated", collection.public_id, values)],
        )
    collection.refresh_from_db()
    return collection


def delete_collection(*, collection: Collection, by: Actor) -> None:
    """Delete a collection with its documents and queues. Raises Conflict while a batch runs through it, InUse once
    people decided about its detections."""
    with transaction.atomic():
        lock_detections_of(collection=collection)
        row = Collection.objects.select_for_update().get(pk=collection.pk)
        live = BatchItem.objects.filter(
            collection=row,
            state__in=[BatchItem.State.PENDING, BatchItem.State.RUNNING],
            batch__state__in=[Batch.State.OPEN, Batch.State.PROCESSING],
        )
        if live.exists():
            raise Conflict(f"A batch runs through {row.name}. Cancel it, or wait until it is over.")
        publish(
            namespace_id=row.namespace_id,
            actor=by.name,
            happenings=[Happening("collection.deleted", row.public_id, {"name": row.name})],
        )
        for letting_go in documents_leaving:
            letting_go(Document.objects.filter(collection=row))
        for hook in collection_leaving:
            hook(row)
        try:
            row.delete()
        except ProtectedError:
            raise InUse(
                f"People decided about detections of {row.name}, or a dataset has them. It has to stay."
            ) from None


def trigger_collection(
    *,
    collection: Collection,
    by: Actor,
    buckets: Sequence[Bucket] | None = None,
    object_ids: Sequence[str] | None = None,
    dedup: str = Batch.Dedup.SKIP,
) -> list[Batch]:
    """Run the collection's buckets (or those of them in `buckets`) through it, a batch for each that has objects.

    Raises InvalidInput where there is no object, or a bucket that is not one of its sources.
    """
    own = list(collection.buckets.order_by("pk"))
    strange = [bucket.name for bucket in buckets or [] if bucket not in own]
    if strange:
        raise InvalidInput(
            f"{', '.join(strange)} is no source of {collection.name}.", field="include_buckets"
        )
    rows = Object.objects.filter(bucket__in=buckets or own).order_by("pk")
    if object_ids is not None:
        rows = rows.filter(public_id__in=list(object_ids))
        if missing := set(object_ids) - set(rows.values_list("public_id", flat=True)):
            raise NotFound(
                f"The collection's buckets have no object {', '.join(sorted(missing)[:5])}.",
                field="object_ids",
            )
    with transaction.atomic():
        batches = [
            create_batch(
                bucket=bucket,
                collections=[collection],
                objects=rows.filter(bucket=bucket),
                name=f"{bucket.name} through {collection.name}",
                dedup=dedup,
                by=by,
            )
            for bucket in buckets or own
            if rows.filter(bucket=bucket).exists()
        ]
        if not batches:
            raise InvalidInput("The collection's buckets have no object yet. Upload images first.")
        return [submit_batch(batch=batch, by=by) for batch in batches]
