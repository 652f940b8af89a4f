"""Making buckets."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from extraction.intake.domain.objects import InUse, delete_objects
from extraction.intake.hooks import bucket_leaving
from extraction.intake.models import Bucket, Object
from extraction.intake.schema import check_json, check_schema
from mixcv.kernel.errors import AlreadyExists, Conflict, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.faults import Faults
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
    unique_key: Any = None,
) -> Bucket:
    """A new, empty bucket. Raises InvalidInput listing every fault, AlreadyExists where its id is taken.

    `unique_key`: `{"fields": [...], "default_policy": "insert" | "update" | "upsert"}`.
    """
    values = _checked(
        {
            "name": name,
            "description": description,
            "schema": schema or {},
            "metadata": {} if metadata is None else metadata,
            "split_key": split_key,
            "unique_key": unique_key,
        }
    )
    public_id = named_id("bkt", values["name"])
    with transaction.atomic():
        bucket, created = Bucket.objects.get_or_create(
            namespace=namespace, public_id=public_id, defaults=values
        )
        if not created:
            raise AlreadyExists(
                f"The bucket {bucket.name!r} has the id {public_id} already.", field="bucket_name"
            )
        _say("created", bucket, by)
    return bucket


def update_bucket(*, bucket: Bucket, by: Actor, **changes: Any) -> Bucket:
    """Change description, metadata, schema (for objects to come) or split key. The name and its id stay.

    Raises InvalidInput; Conflict for another `unique_key` once objects are there.
    """
    values = _checked({key: value for key, value in changes.items() if value is not None})
    with transaction.atomic():
        bucket = Bucket.objects.select_for_update(no_key=True).select_related("namespace").get(pk=bucket.pk)
        if "unique_key" in values and values["unique_key"] != bucket.unique_key and bucket.object_count:
            raise Conflict("A bucket that has objects keeps its unique_key; make another bucket.")
        for key, value in values.items():
            setattr(bucket, key, value)
        bucket.save(update_fields=[*values, "updated_at"])
        _say("updated", bucket, by)
    return bucket


def delete_bucket(*, bucket: Bucket, by: Actor, with_objects: bool = False) -> None:
    """Delete a bucket. Raises InUse where it has objects (unless `with_objects`), collections or people's decisions."""
    with transaction.atomic():
        bucket = Bucket.objects.select_for_update().get(pk=bucket.pk)
        if bucket.object_count and not with_objects:
            raise InUse(
                f"{bucket.name} has {bucket.object_count:,} objects. Delete them first, or send ?force=true."
            )
        delete_objects(bucket=bucket, rows=list(Object.objects.filter(bucket=bucket)), by=by)
        for hook in bucket_leaving:
            hook(bucket)
        _say("deleted", bucket, by)
        bucket.delete()


def _say(what: str, bucket: Bucket, by: Actor) -> None:
    publish(
        namespace_id=bucket.namespace_id,
        actor=by.name,
        happenings=[
            Happening(
                f"bucket.{what}",
                bucket.public_id,
                {"bucket_id": bucket.public_id, "bucket_name": bucket.name},
            )
        ],
    )


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """A bucket's columns from what somebody sent. Raises InvalidInput listing every fault."""
    faults, checked = Faults(), dict(values)
    for key, field, most in (
        ("name", "bucket_name", 100),
        ("description", "description", 10_000),
        ("split_key", "split_key", 100),
    ):
        if key in values:
            with faults.of():
                checked[key] = _text(values[key], field, most)
    if checked.get("name") == "":
        faults.add(InvalidInput("A bucket needs a name of 1 to 100 characters.", field="bucket_name"))
    if "metadata" in values:
        with faults.of():
            if not isinstance(values["metadata"], dict):
                raise InvalidInput("metadata must be an object.", field="metadata")
            check_json(values["metadata"], field="metadata")
    if "schema" in values:
        with faults.of():
            checked["schema"] = check_schema(values["schema"])
    if "unique_key" in values:
        with faults.of():
            checked["unique_key"], checked["unique_policy"] = _unique_key(values["unique_key"])
    faults.tell()
    return checked


def _unique_key(value: Any) -> tuple[list[str], str]:
    if value is None:
        return [], ""
    fields = value.get("fields") if isinstance(value, dict) else None
    policy = value.get("default_policy") if isinstance(value, dict) else None
    if (
        not isinstance(fields, list)
        or not 1 <= len(fields) <= 10
        or not all(isinstance(f, str) for f in fields)
    ):
        raise InvalidInput(
            "unique_key is {fields: [names of metadata fields], default_policy}.", field="unique_key.fields"
        )
    if policy not in {None, *Bucket.Policy.values}:
        raise InvalidInput(
            f"default_policy is one of {', '.join(Bucket.Policy.values)}.", field="unique_key.default_policy"
        )
    return [name.removeprefix("metadata.") for name in fields], policy or ""


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
