"""Retrievers: made, changed, copied, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from extraction.intake.schema import check_json
from extraction.runs.models import Collection
from extraction.search.definition import read_schema, read_stages
from extraction.search.domain.leaving import GONE, marked
from extraction.search.models import Retriever
from mixcv.kernel.errors import AlreadyExists, Conflict, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import named_id
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.models import Namespace

MOST_TAGS = 50
LONGEST_NAME = 100


class RetrieverInUse(Conflict):
    """A queue fills itself by this retriever."""

    code = "retriever_in_use"


def create_retriever(
    *,
    namespace: Namespace,
    name: str,
    stages: Any,
    collections: Sequence[Collection] = (),
    unit: str | None = None,
    input_schema: Any = None,
    description: str = "",
    metadata: dict[str, Any] | None = None,
    tags: list[str] | None = None,
    by: Actor = SYSTEM,
) -> Retriever:
    """A new retriever. The features that it names may come later; running it wants them there.

    Raises InvalidInput for a name that is none or stages that cannot be, AlreadyExists where the id is taken.
    """
    read, of = read_stages(stages, unit=unit)
    name = _name(name)
    with transaction.atomic():
        row, created = Retriever.objects.get_or_create(
            namespace=namespace,
            public_id=named_id("ret", name),
            defaults={
                "name": name,
                "stages": read,
                "unit": of,
                "input_schema": read_schema(input_schema),
                "description": description,
                "metadata": _metadata(metadata),
                "tags": _tags(tags),
            },
        )
        if not created:
            raise AlreadyExists(
                f"The retriever {row.name!r} has the id {row.public_id} already. Choose another name.",
                field="retriever_name",
            )
        row.collections.set(collections)
        _tell(row, "retriever.created", by)
    return row


def update_retriever(
    *,
    retriever: Retriever,
    changes: dict[str, Any],
    collections: Sequence[Collection] | None = None,
    by: Actor = SYSTEM,
) -> Retriever:
    """Change some of name, description, stages, unit, input_schema, metadata and tags. Its id stays.

    Raises InvalidInput, and AlreadyExists where another retriever has the new name.
    """
    with transaction.atomic():
        row = Retriever.objects.select_for_update().get(pk=retriever.pk)
        if "stages" in changes or "unit" in changes:
            unit = changes.get("unit") or (None if "stages" in changes else row.unit)
            row.stages, row.unit = read_stages(changes.get("stages", row.stages), unit=unit)
        if "name" in changes:
            row.name = _free_name(row, _name(changes["name"]))
        if "input_schema" in changes:
            row.input_schema = read_schema(changes["input_schema"])
        metadata = _metadata(changes["metadata"]) if "metadata" in changes else row.metadata
        row.metadata = marked(metadata, before=row.metadata, collections=collections)
        if "tags" in changes:
            row.tags = _tags(changes["tags"])
        if "description" in changes:
            row.description = changes["description"]
        row.save()
        if collections is not None:
            row.collections.set(collections)
        _tell(row, "retriever.updated", by, changed=sorted(changes))
    return row


def clone_retriever(
    *,
    retriever: Retriever,
    name: str,
    changes: dict[str, Any] | None = None,
    collections: Sequence[Collection] | None = None,
    by: Actor = SYSTEM,
) -> Retriever:
    """A copy under another name, with some of it changed."""
    changes = changes or {}
    metadata = _metadata(changes.get("metadata", retriever.metadata))
    return create_retriever(
        namespace=retriever.namespace,
        name=name,
        stages=changes.get("stages", retriever.stages),
        unit=changes.get("unit") or (None if "stages" in changes else retriever.unit),
        input_schema=changes.get("input_schema", retriever.input_schema),
        description=changes.get("description", retriever.description),
        metadata=marked(metadata, before=retriever.metadata, collections=collections),
        tags=changes.get("tags", retriever.tags),
        collections=list(retriever.collections.all()) if collections is None else collections,
        by=by,
    )


def delete_retriever(*, retriever: Retriever, by: Actor = SYSTEM) -> None:
    """Delete it; its executions stay, as annotations name them. Raises RetrieverInUse where a queue needs it."""
    try:
        with transaction.atomic():
            _tell(retriever, "retriever.deleted", by)
            retriever.delete()
    except ProtectedError as error:
        users = sorted(str(one) for one in error.protected_objects)
        raise RetrieverInUse(
            f"{retriever.name} fills the review queue {', '.join(users[:5])}; delete the queue first."
        ) from None


def ensure_retriever(
    *,
    namespace: Namespace,
    name: str,
    stages: list[dict[str, Any]],
    collections: Sequence[Collection],
    description: str = "",
) -> Retriever:
    """The retriever of this name, made where there is none. A name that is too long gets a short end of its own."""
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 9]}_{sha256(name.encode()).hexdigest()[:8]}"
    found = Retriever.objects.filter(namespace=namespace, public_id=named_id("ret", name)).first()
    if found and GONE in found.metadata:
        return update_retriever(retriever=found, changes={}, collections=collections)
    if found:
        return found
    return create_retriever(
        namespace=namespace, name=name, stages=stages, collections=collections, description=description
    )


def _name(raw: str) -> str:
    name = raw.strip()
    if not 1 <= len(name) <= LONGEST_NAME or "\0" in name:
        raise InvalidInput(f"A retriever's name has 1 to {LONGEST_NAME} characters.", field="retriever_name")
    return name


def _free_name(row: Retriever, name: str) -> str:
    others = Retriever.objects.filter(namespace_id=row.namespace_id, name=name).exclude(pk=row.pk)
    if others.exists():
        raise AlreadyExists(f"Another retriever is called {name!r}.", field="retriever_name")
    return name


def _metadata(raw: dict[str, Any] | None) -> dict[str, Any]:
    check_json(raw or {}, field="metadata")
    return raw or {}


def _tags(raw: list[str] | None) -> list[str]:
    tags = list(raw or [])
    if len(tags) > MOST_TAGS:
        raise InvalidInput(f"At most {MOST_TAGS} tags.", field="tags")
    check_json(tags, field="tags")
    return tags


def _tell(row: Retriever, what: str, by: Actor, **more: Any) -> None:
    publish(
        namespace_id=row.namespace_id,
        actor=by.name,
        happenings=[Happening(what, row.public_id, {"retriever_name": row.name, **more})],
    )
