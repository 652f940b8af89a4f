"""mmr and deduplicate: less of the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.search.features import find_feature
from extraction.search.stages.base import FIELD, Context, Hit, Selection, Stage
from extraction.search.stages.grouping import key_of
from extraction.search.vectors import vectors_of
from mixcv.kernel.errors import InvalidInput

MOST = 1000


def mmr(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    """Maximal marginal relevance (Carbonell and Goldstein, 1998): the next is good and unlike those before it."""
    hits = selection.taken(MOST)
    vectors, known = _vectors(context, hits, parameters)
    keen = parameters.get("lambda", 1 - parameters.get("diversity", 0.5))
    order = rank_diverse(vectors, [hit.score for hit in known], parameters.get("top_k", len(known)), keen)
    return selection.only(known[place] for place in order)


def rank_diverse(vectors: NDArray[Any], scores: list[float], count: int, keen: float) -> list[int]:
    """Places of the chosen in their order. `vectors` (n, d) of unit length; `keen` 1: by score alone, 0: by unlikeness.

    Scores are brought to 0 to 1 first, as likeness is.
    """
    if not scores:
        return []
    relevance = np.asarray(scores, np.float32)
    spread = float(relevance.max() - relevance.min())
    relevance = (relevance - relevance.min()) / spread if spread else np.ones_like(relevance)
    nearest = np.full(len(scores), -1.0, np.float32)
    left = np.ones(len(scores), bool)
    chosen: list[int] = []
    for _ in range(min(count, len(scores))):
        likeness = np.maximum(nearest, 0) if chosen else np.zeros_like(nearest)
        value = np.where(left, keen * relevance - (1 - keen) * likeness, -np.inf)
        place = int(value.argmax())
        chosen.append(place)
        left[place] = False
        nearest = np.maximum(nearest, vectors @ vectors[place])
    return chosen


def deduplicate(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    """The first of those that are alike: in a field's value, or nearer to each other than `threshold`."""
    if parameters.get("strategy") == "similarity" or "threshold" in parameters:
        return _unlike(context, selection, parameters)
    hits = selection.taken()
    fields = parameters.get("fields") or [parameters.get("field", "root_object_id")]
    columns = [selection.values(context.unit, name, hits) for name in fields]
    seen: set[tuple[str, ...]] = set()
    kept = []
    for hit in hits:
        key = tuple(key_of(column.get(hit.key)) for column in columns)
        if key not in seen:
            seen.add(key)
            kept.append(hit)
    return selection.only(kept)


def _unlike(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    hits = selection.taken(MOST)
    vectors, known = _vectors(context, hits, parameters)
    threshold = parameters.get("threshold", 0.95)
    kept: list[int] = []
    for place in range(len(known)):
        if not kept or float((vectors[kept] @ vectors[place]).max()) < threshold:
            kept.append(place)
    return selection.only(known[place] for place in kept)


def _vectors(
    context: Context, hits: tuple[Hit, ...], parameters: dict[str, Any]
) -> tuple[NDArray[np.float32], list[Hit]]:
    """The hits that have a vector, and those (n, d), unit length. Raises InvalidInput where no feature is named."""
    uri = parameters.get("feature_uri")
    feature = context.feature if not uri else None
    if feature is None:
        feature = find_feature(
            context.namespace, uri, collections=context.collections, place="parameters.feature_uri"
        )
    found = vectors_of(feature, context.unit, [hit.key for hit in hits])
    known = [hit for hit in hits if hit.key in found]
    if hits and not known:
        raise InvalidInput(
            f"None of what was found has a vector of {feature.uri}.", field="parameters.feature_uri"
        )
    return np.asarray([found[hit.key] for hit in known], np.float32), known


_URI = {"type": ["string", "null"], "maxLength": 300}
MMR = Stage(
    id="mmr",
    category="sort",
    icon="spread",
    description=f"Puts what is good and unlike the ones before it first; of the first {MOST:,}.",
    properties={
        "lambda": {"type": "number", "minimum": 0, "maximum": 1},
        "diversity": {"type": "number", "minimum": 0, "maximum": 1},
        "top_k": {"type": "integer", "minimum": 1, "maximum": MOST},
        "feature_uri": _URI,
    },
    run=mmr,
)
DEDUPLICATE = Stage(
    id="deduplicate",
    category="reduce",
    icon="unique",
    description=f"Keeps the first of those that share a field's value, or whose vectors nearly agree (of {MOST:,}).",
    properties={
        "field": FIELD,
        "fields": {"type": "array", "items": FIELD, "minItems": 1, "maxItems": 5},
        "strategy": {"enum": ["field", "similarity"]},
        "threshold": {"type": "number", "minimum": -1, "maximum": 1},
        "feature_uri": _URI,
    },
    run=deduplicate,
)
