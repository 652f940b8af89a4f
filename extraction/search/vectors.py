"""Nearest neighbours of a vector among a feature's embeddings, under any condition.

Up to EXACT_UP_TO candidates are compared one by one. Beyond that the feature's HNSW index gives them, scanned on until
enough of them pass the condition; where it is not built yet, the search is still exact, and slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Min, QuerySet
from django.db.models.functions import Cast
from numpy.typing import NDArray
from pgvector.django import CosineDistance, HalfVectorField

from extraction.packages.models import Feature
from extraction.runs.models import Embedding
from extraction.search.features import rows_of
from extraction.search.models import Unit

EXACT_UP_TO = 50_000
EF_SEARCH = 400
MOST_SCANNED = 200_000
# A document is as near as its nearest detection: this many detections are looked at for one document.
PER_DOCUMENT = 8


@dataclass(frozen=True)
class Neighbours:
    """Keys of documents or detections with their cosine similarity, the nearest first. `indexed`: by the index;
    `wants_index`: the index would have helped, and is not there."""

    found: list[tuple[int, float]]
    indexed: bool = False
    wants_index: bool = False


def nearest(
    *, feature: Feature, vector: Sequence[float] | NDArray[Any], unit: str, rows: QuerySet[Any], limit: int
) -> Neighbours:
    """The `limit` of `rows` that lie nearest to `vector` (d) in the feature's space."""
    feature = rows_of(feature)
    candidates = Embedding.objects.filter(feature=feature)
    if unit == Unit.DETECTION:
        candidates = candidates.filter(detection__in=rows.order_by().values("pk"))
    else:
        candidates = candidates.filter(
            detection__current=True, detection__document__in=rows.order_by().values("pk")
        )
    query = np.asarray(vector, np.float32)
    many = candidates[: EXACT_UP_TO + 1].count() > EXACT_UP_TO
    if not many:
        return Neighbours(_exact(candidates, query, unit, limit))
    if not has_index(feature):
        return Neighbours(_exact(candidates, query, unit, limit), wants_index=True)
    return Neighbours(_indexed(candidates, query, unit, limit, feature), indexed=True)


def _exact(
    candidates: QuerySet[Embedding], query: NDArray[np.float32], unit: str, limit: int
) -> list[tuple[int, float]]:
    distance = CosineDistance("vector", query)
    if unit == Unit.DETECTION:
        rows = candidates.annotate(distance=distance).order_by("distance", "detection_id")
        found = rows.values_list("detection_id", "distance")[:limit]
    else:
        grouped = candidates.values("detection__document_id").annotate(distance=Min(distance))
        found = grouped.order_by("distance", "detection__document_id").values_list(
            "detection__document_id", "distance"
        )[:limit]
    return [(key, 1 - far) for key, far in found]


def _indexed(
    candidates: QuerySet[Embedding], query: NDArray[np.float32], unit: str, limit: int, feature: Feature
) -> list[tuple[int, float]]:
    assert feature.space is not None
    cast = Cast("vector", HalfVectorField(dimensions=feature.space.dimension))
    key = "detection_id" if unit == Unit.DETECTION else "detection__document_id"
    # Scanning on gives some out of order, which the strict mode would throw away: more are taken, then sorted.
    taken = 2 * (limit if unit == Unit.DETECTION else limit * PER_DOCUMENT)
    rows = candidates.annotate(distance=CosineDistance(cast, query)).order_by("distance")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true),
                       set_config('hnsw.ef_search', %s, true), set_config('hnsw.max_scan_tuples', %s, true),
                       set_config('enable_sort', 'off', true)
                """,
                [str(min(1000, max(EF_SEARCH, taken))), str(MOST_SCANNED)],
            )
        found = list(rows.values_list(key, "distance")[:taken])
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('enable_sort', 'on', true)")
    best: dict[int, float] = {}
    for one, far in sorted(found, key=lambda pair: (pair[1], pair[0])):
        best.setdefault(one, 1 - far)
    return list(best.items())[:limit]


def index_name(feature: Feature) -> str:
    return f"embedding_hnsw_{rows_of(feature).pk}"


def has_index(feature: Feature) -> bool:
    """Whether the feature's index is built and whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = %s "
            "AND c.relnamespace = current_schema()::regnamespace",
            [index_name(feature)],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def vectors_of(feature: Feature, unit: str, keys: Sequence[int]) -> dict[int, list[float]]:
    """The vectors of detections, or of documents: that of their surest detection which has one."""
    rows = Embedding.objects.filter(feature=rows_of(feature))
    if unit == Unit.DETECTION:
        return dict(rows.filter(detection__in=list(keys)).values_list("detection_id", "vector"))
    of_documents = rows.filter(detection__document__in=list(keys), detection__current=True)
    found = of_documents.order_by("detection__document_id", "detection__rank").distinct(
        "detection__document_id"
    )
    return dict(found.values_list("detection__document_id", "vector"))
