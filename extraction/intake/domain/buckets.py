"""Making buckets."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from extraction.intake.models import Bucket
from extraction.intake.schema import check_json, check_schema
from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import named_id
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace


def create_bucket(
    *,
    namespace: Namespace,
    name: str,
    by: Actor,
    schema: Any = None,
    description: str = "",
    metadata: Any = None,
    split_key: str = "",
) -> Bucket:
    """A new, empty bucket. Raises InvalidInput naming the field, AlreadyExists where its id is taken."""
    name, description, split_key = (
        _text(name, "bucket_name", 100),
        _text(description, "description", 10_000),
        _text(split_key, "split_key", 100),
    )
    if not name:
        raise InvalidInput("A bucket needs a name of 1 to 100 characters.", field="bucket_name")
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        raise InvalidInput("metadata must be an object.", field="metadata")
    check_json(metadata, field="metadata")
    public_id = named_id("bkt", name)
    with transaction.atomic():
        bucket, created = Bucket.objects.get_or_create(
            namespace=namespace,
            public_id=public_id,
            defaults={
                "name": name,
                "description": description,
                "schema": check_schema(schema or {}),
                "metadata": metadata,
                "split_key": split_key,
            },
        )
        if not created:
            raise AlreadyExists(
                f"The bucket {bucket.name!r} has the id {public_id} already.", field="bucket_name"
            )
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[
                Happening("bucket.created", public_id, {"bucket_id": public_id, "bucket_name": name})
            ],
        )
    return bucket


def ensure_bucket(*, namespace: Namespace, name: str, by: Actor) -> Bucket:
    """The bucket of this name or id, made where there is none."""
    found = Bucket.objects.filter(namespace=namespace, public_id__in=[name, named_id("bkt", name)]).first()
    if found:
        return found
    try:
        return create_bucket(namespace=namespace, name=name, by=by)
    except AlreadyExists:
        return Bucket.objects.get(namespace=namespace, public_id=named_id("bkt", name))


def _text(value: Any, field: str, most: int) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{field} must be text.", field=field)
    text: str = value.strip()
    if len(text) > most:
        raise InvalidInput(
            f"{field} has {len(text):,} characters; at most {most:,} are allowed.", field=field
        )
    check_json(text, field=field)
    return text
