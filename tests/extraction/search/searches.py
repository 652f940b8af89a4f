"""What the tests of search share: stages, and detections that lie in chosen directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from extraction.packages.models import Feature
from extraction.runs.models import Collection, Detection, Document, Embedding
from extraction.search.definition import read_stages
from extraction.search.domain import Plan, execute
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Namespace


def stage(kind: str, name: str = "", **parameters: Any) -> dict[str, Any]:
    return {"stage_name": name or kind, "config": {"stage_id": kind, "parameters": parameters}}


def where(field: str, operator: str = "eq", value: Any = True) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def uri_of(collection: Collection) -> str:
    return feature_of(collection).uri


def feature_of(collection: Collection) -> Feature:
    return Feature.objects.get(extractor_version=collection.extractor_version)


def axis(number: int, lean: float = 0.0) -> list[float]:
    """A unit vector of 512 along one axis, leaning towards the next."""
    vector = np.zeros(512)
    vector[number], vector[number + 1] = 1, lean
    return [float(one) for one in vector / np.linalg.norm(vector)]


def place(detection: Detection, vector: Sequence[float]) -> None:
    """Give a detection's embedding this direction."""
    Embedding.objects.filter(detection=detection).update(vector=list(vector))


def found_by(
    namespace: Namespace,
    *stages: dict[str, Any],
    unit: str | None = None,
    collections: Sequence[str] = (),
    **kwargs: Any,
) -> list[str]:
    """The public ids of what a search finds, in its order."""
    read, of = read_stages(list(stages), unit=unit)
    ran = execute(
        namespace=namespace, plan=Plan(read, of, collections), by=SYSTEM, **{"limit": 100, **kwargs}
    )
    return [row[0] for row in ran.execution.results]


def ref(row: Document) -> str:
    return f"doc_{row.slug}"


def det(row: Detection) -> str:
    return f"doc_{row.document.slug}_det_{row.ordinal}"
