"""feature_search: what lies nearest to one or several queries, or, with none, what passes the filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from django.db.models import Q

from extraction.packages.models import Feature
from extraction.runs.domain.collections import get_collection
from extraction.search.features import find_feature, holders
from extraction.search.fields import resolver
from extraction.search.fusion import FUSIONS, fuse
from extraction.search.indexing import want_index
from extraction.search.models import Unit
from extraction.search.query import SpacesDiffer, Vector, query_vector, space_of
from extraction.search.stages.base import (
    COUNT,
    FILTERS,
    IGNORED,
    Context,
    Hit,
    Selection,
    Stage,
    check_filter,
)
from extraction.search.vectors import nearest
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.filters import parse, to_q

MOST_SEARCHES = 10
TOP_K = 100


@dataclass(frozen=True)
class _Search:
    feature: Feature
    vector: Vector | None
    rows: Any
    top_k: int
    weight: float
    min_score: float | None


def searches_of(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The searches of a stage, also where a single one is written into the parameters themselves."""
    found = [dict(one) for one in parameters.get("searches") or []]
    if not found and ("query" in parameters or parameters.get("feature_uri")):
        found = [{"feature_uri": parameters.get("feature_uri"), "query": parameters.get("query")}]
    return found


def prepare(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with each search's feature and vector in place of its URI and query."""
    found = []
    for number, raw in enumerate(searches_of(parameters)):
        place = f"searches.{number}"
        feature = find_feature(
            context.namespace,
            raw.get("feature_uri"),
            collections=context.collections,
            place=f"{place}.feature_uri",
        )
        empty = raw.get("query") in (None, "", [], {})
        vector = None if empty else query_vector(context.namespace, feature, raw["query"], f"{place}.query")
        found.append({**raw, "feature": feature, "vector": vector})
    return {**parameters, "searches": found}


def run(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    rows = selection.rows.filter(to_q(parse(parameters.get("filters")), resolver(context.unit)))
    rows = _within(
        context, rows, parameters.get("collection_identifiers") or parameters.get("collection_ids")
    )
    if selection.hits is not None:
        rows = rows.filter(pk__in=[hit.key for hit in selection.hits])
    searches = [
        _search(context, rows, one, parameters, f"searches.{place}")
        for place, one in enumerate(parameters["searches"])
    ]
    live = [one for one in searches if one.vector is not None]
    if not live:
        if searches:
            rows = rows.filter(
                reduce(Q.__or__, [Q(pk__in=one.rows.order_by().values("pk")) for one in searches])
            )
        return _cut(selection.narrowed(rows), parameters)
    _one_space([one.feature for one in live])
    context.feature = live[-1].feature
    ranked = [_nearest(context, one) for one in live]
    fused = fuse(ranked, [one.weight for one in live], parameters.get("fusion") or "rrf")
    return _cut(Selection(rows, tuple(Hit(key, score) for key, score in fused)), parameters)


def _within(context: Context, rows: Any, refs: list[str] | None) -> Any:
    if not refs:
        return rows
    return rows.filter(collection__in=[get_collection(context.namespace, ref) for ref in refs])


def _search(context: Context, rows: Any, raw: dict[str, Any], whole: dict[str, Any], place: str) -> _Search:
    feature = raw["feature"]
    rows = rows.filter(to_q(parse(raw.get("filters"), f"{place}.filters"), resolver(context.unit)))
    rows = _within(context, rows, raw.get("collection_identifiers"))
    if context.collections is None:
        rows = rows.filter(holders(context.namespace, feature))
    else:
        _check_held(context, feature, place)
    top_k = raw.get("top_k") or whole.get("top_k") or whole.get("limit") or TOP_K
    top_k = max(top_k, whole.get("final_top_k") or 0)
    return _Search(feature, raw["vector"], rows, top_k, raw.get("weight", 1.0), raw.get("min_score"))


def _check_held(context: Context, feature: Feature, place: str) -> None:
    versions = {row.extractor_version_id for row in context.collections or ()}
    if feature.extractor_version_id not in versions and None not in versions:
        names = ", ".join(row.public_id for row in context.collections or ())
        context.warnings.append(f"{names}: no collection of {feature.uri} is among these.")


def _one_space(features: list[Feature]) -> None:
    spaces = {space_of(one).pk: space_of(one) for one in features}
    if len(spaces) > 1:
        raise SpacesDiffer(
            f"The searches are of {' and '.join(str(one) for one in spaces.values())}: scores of two vector spaces do "
            "not compare. Search one space in a stage.",
            field="searches",
        )


def _nearest(context: Context, one: _Search) -> list[tuple[int, float]]:
    assert one.vector is not None
    near = nearest(feature=one.feature, vector=one.vector, unit=context.unit, rows=one.rows, limit=one.top_k)
    if near.wants_index:
        want_index(one.feature)
        context.warnings.append(
            f"The index of {one.feature.uri} is being built; until it is there, searches compare every vector."
        )
    least = one.min_score
    return [pair for pair in near.found if least is None or pair[1] >= least]


def _cut(selection: Selection, parameters: dict[str, Any]) -> Selection:
    top = parameters.get("final_top_k")
    return selection.only(selection.taken(top)) if top else selection


def check(parameters: dict[str, Any], *, unit: str, place: str) -> None:
    """What the schema cannot say of the searches. Raises InvalidInput."""
    for number, one in enumerate(parameters.get("searches") or []):
        check_filter(one.get("filters"), unit=unit, place=f"{place}.searches.{number}.filters")
        if not one.get("feature_uri") and "query" not in one:
            raise InvalidInput(
                "A search has a feature_uri and a query.", field=f"{place}.searches.{number}.feature_uri"
            )


_REFS = {"type": ["array", "null"], "items": {"type": "string", "maxLength": 200}, "maxItems": 1000}
_WEIGHT = {"type": "number", "minimum": 0, "maximum": 1000}
_SCORE = {"type": ["number", "null"]}
_URI = {"type": ["string", "null"], "maxLength": 300}
_QUERY = {"description": "A text, a vector, or {input_mode: text, content, vector or document, …}."}
_SEARCH = {
    "type": "object",
    "properties": {
        "feature_uri": _URI,
        "query": _QUERY,
        "top_k": COUNT,
        "min_score": _SCORE,
        "weight": _WEIGHT,
        "filters": FILTERS,
        "collection_identifiers": _REFS,
        "lexical": IGNORED,
        "optional": IGNORED,
        "on_empty": IGNORED,
        "query_preprocessing": IGNORED,
    },
    "additionalProperties": False,
}

STAGE = Stage(
    id="feature_search",
    category="filter",
    icon="search",
    description="Finds what lies nearest to a text, a picture, a vector or something known; empty queries filter only.",
    properties={
        "searches": {"type": ["array", "null"], "items": _SEARCH, "maxItems": MOST_SEARCHES},
        "feature_uri": _URI,
        "query": _QUERY,
        "top_k": COUNT,
        "limit": COUNT,
        "final_top_k": COUNT,
        "fusion": {"enum": [*FUSIONS, None]},
        "filters": FILTERS,
        "collection_identifiers": _REFS,
        "collection_ids": _REFS,
        "unit": {"enum": Unit.values},
        "feature_extractor": IGNORED,
        "facets": IGNORED,
        "group_by": IGNORED,
        "batch_size": IGNORED,
    },
    run=run,
    filters=("filters",),
    check_more=check,
    prepare=prepare,
)
