"""Writes of retrievers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from extraction.runs.models import Collection
from extraction.search.models import Retriever
from mixcv.kernel.ids import named_id
from mixcv.tenancy.models import Namespace


def ensure_retriever(
    *,
    namespace: Namespace,
    name: str,
    stages: list[dict[str, Any]],
    collections: Sequence[Collection],
    description: str = "",
) -> Retriever:
    """The retriever of this name, made where there is none."""
    retriever, created = Retriever.objects.get_or_create(
        namespace=namespace,
        public_id=named_id("ret", name),
        defaults={"name": name, "stages": stages, "description": description},
    )
    if created:
        retriever.collections.set(collections)
    return retriever
