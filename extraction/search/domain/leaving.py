"""What a collection that goes leaves behind: no retriever searches more than it did before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from extraction.runs.models import Collection
from extraction.search.models import Retriever
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import SYSTEM

# In a retriever's metadata: the names of the collections that it searched, all of them gone. It then finds nothing.
GONE = "collections_deleted"


def leave_collection(collection: Collection) -> None:
    """Delete the retrievers that search this collection alone, in the transaction before it is deleted itself.

    Without a collection they would search all. One that fills a queue of another collection stays and finds nothing.
    """
    wider = Retriever.collections.through.objects.exclude(collection=collection).values("retriever")
    only = Retriever.objects.filter(collections=collection).exclude(pk__in=wider)
    for row in only.select_for_update(of=("self",)).order_by("pk"):
        if _deleted(row, collection):
            _tell(row, "retriever.deleted", {})
        else:
            row.metadata[GONE] = [collection.name]
            row.save(update_fields=["metadata", "updated_at"])
            _tell(row, "retriever.updated", {"changed": ["collections"]})


def _deleted(row: Retriever, collection: Collection) -> bool:
    """Delete it, with this collection's own queues, which go anyway. False where anything else holds it."""
    try:
        with transaction.atomic():
            Retriever.objects.filter(pk=row.pk).delete()
    except ProtectedError as error:
        holders: list[Any] = list(error.protected_objects)
        if any(getattr(one, "collection_id", None) != collection.pk for one in holders):
            return False
        for one in holders:
            one.delete()
        return _deleted(row, collection)
    return True


def _tell(row: Retriever, what: str, more: dict[str, Any]) -> None:
    publish(
        namespace_id=row.namespace_id,
        actor=SYSTEM.name,
        happenings=[Happening(what, row.public_id, {"retriever_name": row.name, **more})],
    )


def marked(
    metadata: dict[str, Any], *, before: dict[str, Any], collections: Sequence[Collection] | None
) -> dict[str, Any]:
    """New metadata with the mark of old ones. It falls once collections are named, or none for all of them."""
    kept = {name: value for name, value in metadata.items() if name != GONE}
    if collections is None and GONE in before:
        kept[GONE] = before[GONE]
    return kept


def deleted_collections(row: Retriever) -> list[str]:
    """The names of the collections after whose deletion it finds nothing; empty for one that searches as it says."""
    names = row.metadata.get(GONE)
    return [str(one) for one in names] if isinstance(names, list) and not row.collections.all() else []
