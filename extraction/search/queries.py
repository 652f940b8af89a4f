"""Reads of searches: retrievers, executions, and what is shown of hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet

from extraction.runs.models import Collection, Detection, Document
from extraction.runs.presenters import add_vectors, documents_shown, present_document, present_single
from extraction.search.models import Execution, Retriever, Unit
from extraction.search.stages import Hit
from mixcv.kernel.errors import NotFound
from mixcv.tenancy.models import Namespace


def retrievers_of(namespace: Namespace) -> QuerySet[Retriever]:
    collections = Collection.objects.order_by("name")
    return Retriever.objects.filter(namespace=namespace).prefetch_related(
        Prefetch("collections", queryset=collections)
    )


def get_retriever(namespace: Namespace, ref: str) -> Retriever:
    """By id or name. Raises NotFound."""
    rows = retrievers_of(namespace).select_related("namespace")
    found = rows.filter(public_id=ref).first() or rows.filter(name=ref).first()
    if found is None:
        raise NotFound(f"There is no retriever {ref[:200]!r} here.", field="retriever_id")
    return found


def executions_of(namespace: Namespace) -> QuerySet[Execution]:
    """Without what was found, which only one execution's page shows."""
    return (
        Execution.objects.filter(namespace=namespace)
        .select_related("retriever")
        .defer("results")
        .order_by("-created_at", "-pk")
    )


def get_execution(namespace: Namespace, ref: str, retriever: Retriever | None = None) -> Execution:
    """Raises NotFound, also where it is another retriever's."""
    rows = Execution.objects.filter(namespace=namespace, public_id=ref).select_related("retriever")
    found = (rows.filter(retriever=retriever) if retriever else rows).first()
    if found is None:
        raise NotFound(f"There is no execution {ref[:200]!r} here.", field="execution_id")
    return found


def documents_by_key(keys: Sequence[int]) -> dict[int, Document]:
    return documents_shown(Document.objects.all()).in_bulk(list(keys))


def detections_by_key(keys: Sequence[int]) -> dict[int, Detection]:
    rows = Detection.objects.select_related(
        "object_class",
        "decided_class",
        "document__collection",
        "document__object__bucket",
        "document__image",
    )
    return rows.in_bulk(list(keys))


def present_hits(unit: str, hits: Sequence[Hit], *, vectors: bool = False) -> list[dict[str, Any]]:
    """Hits with the fields of their document or detection. What was deleted since is left out."""
    keys = [hit.key for hit in hits]
    shown: dict[int, dict[str, Any]]
    rows: list[Detection]
    if unit == Unit.DETECTION:
        detections = detections_by_key(keys)
        shown = {key: present_single(row.document, row) for key, row in detections.items()}
        rows = list(detections.values())
    else:
        documents = documents_by_key(keys)
        shown = {key: present_document(row) for key, row in documents.items()}
        rows = [detection for row in documents.values() for detection in row.detections.all()]
    if vectors:
        add_vectors(list(shown.values()), rows)
    found = []
    for hit in hits:
        if hit.key in shown:
            more = {} if hit.group is None else {"group_key": hit.group}
            found.append({**shown[hit.key], "score": hit.score, **more})
    return found
