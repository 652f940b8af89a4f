"""A newer version's collection beside an older one's: the same buckets, so that the two meet through their images."""

from __future__ import annotations

from django.db import transaction

from extraction.intake.models import Bucket
from extraction.packages.models import ExtractorVersion
from extraction.runs.domain.batches import create_batch, submit_batch
from extraction.runs.domain.collections import create_collection
from extraction.runs.models import Batch, Collection
from mixcv.kernel.errors import AlreadyExists, Conflict
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.models import Namespace

_KEPT = ("threshold", "iou")


class NothingBeside(Conflict):
    """No collection of the older version has a bucket."""

    code = "no_bucket"


def collection_beside(
    *,
    namespace: Namespace,
    version: ExtractorVersion,
    base: ExtractorVersion,
    name: str = "",
    by: Actor = SYSTEM,
) -> tuple[Collection, list[Batch]]:
    """A collection of `version` over the buckets of `base`'s collections, with a submitted batch per bucket.

    Without `name` it is called after the older collection and the version; asked for again it is the one that is
    there, with no batch. Raises NothingBeside, AlreadyExists for a name that another collection has, InvalidInput.
    """
    older = list(
        Collection.objects.filter(namespace=namespace, extractor_version=base)
        .prefetch_related("buckets")
        .order_by("pk")
    )
    buckets: dict[int, Bucket] = {bucket.pk: bucket for row in older for bucket in row.buckets.all()}
    if not buckets:
        raise NothingBeside(
            f"No collection of {base} has a bucket. Make a collection of {version} on the page of detectors."
        )
    chosen = name.strip() or f"{older[0].name[:80]} {version.version}"
    there = Collection.objects.filter(namespace=namespace, extractor_version=version, name=chosen).first()
    if there is not None and not name:
        return there, []
    parameters = {key: value for key, value in older[0].parameters.items() if key in _KEPT}
    with transaction.atomic():
        try:
            made = create_collection(
                namespace=namespace,
                name=chosen,
                version=version,
                buckets=list(buckets.values()),
                parameters=parameters,
                description=f"{version} over the images of {older[0].name}.",
                by=by,
            )
        except AlreadyExists as error:
            raise AlreadyExists(error.message, field="collection_name") from None
        batches = [_submitted(bucket, made, by) for bucket in buckets.values() if bucket.object_count]
    return made, batches


def _submitted(bucket: Bucket, collection: Collection, by: Actor) -> Batch:
    batch = create_batch(
        bucket=bucket, collections=[collection], name=f"{bucket.name} through {collection.name}", by=by
    )
    return submit_batch(batch=batch, by=by)
