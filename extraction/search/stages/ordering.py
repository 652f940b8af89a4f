"""sort_attribute, limit and sample: what comes first, and how much of it."""

from __future__ import annotations

import random
from typing import Any

from django.db.models import F, TextField, Value, Window
from django.db.models.functions import MD5, Cast, Concat, RowNumber

from extraction.search.fields import value_of
from extraction.search.stages.base import COUNT, FIELD, MOST_HITS, Context, Hit, Selection, Stage


def sort(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    value = value_of(context.unit, parameters.get("field", "created_at"))
    nulls = {"nulls_last": True} if parameters.get("nulls_last", True) else {"nulls_first": True}
    falling = parameters.get("direction", "asc") == "desc"
    expression = _orderable(value)
    order = expression.desc(**nulls) if falling else expression.asc(**nulls)
    if selection.hits is None:
        return Selection(selection.rows, None, (order,))
    found = {hit.key: hit for hit in selection.hits}
    keys = selection.rows.filter(pk__in=list(found)).order_by(order, "pk").values_list("pk", flat=True)
    return selection.only(found[key] for key in keys)


def _orderable(value: Any) -> Any:
    return value if hasattr(value, "asc") else F(value)


def limit(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    return selection.only(selection.taken(parameters.get("limit", 10), parameters.get("offset", 0)))


def sample(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    """By chance, the same for the same seed. `preserve_top_k` of the best stay; a stratum gets at least its minimum."""
    count, top = parameters.get("count", 10), parameters.get("preserve_top_k") or 0
    seed = parameters.get("seed")
    seed = random.randrange(2**31) if seed is None else seed
    kept = selection.taken(min(top, count)) if top else ()
    stratum = parameters.get("stratify_by")
    if parameters.get("strategy") == "stratified" and stratum:
        drawn = _by_stratum(context, selection, stratum, count, seed)
    else:
        drawn = _drawn(selection, count + len(kept), seed)
    chosen = {hit.key: hit for hit in (*kept, *drawn)}
    return selection.only(list(chosen.values())[:count])


def _drawn(selection: Selection, count: int, seed: int) -> tuple[Hit, ...]:
    if selection.hits is not None:
        return tuple(random.Random(seed).sample(selection.hits, min(count, len(selection.hits))))
    keys = selection.rows.order_by(_chance(seed), "pk").values_list("pk", flat=True)
    return tuple(Hit(key, 1.0) for key in keys[:count])


def _by_stratum(context: Context, selection: Selection, field: str, count: int, seed: int) -> tuple[Hit, ...]:
    """Round by round one of every stratum, so that small ones are in it too."""
    scores = {hit.key: hit.score for hit in selection.hits or ()}
    rows = selection.rows if selection.hits is None else selection.rows.filter(pk__in=list(scores))
    turn = Window(
        RowNumber(), partition_by=[value_of(context.unit, field)], order_by=[_chance(seed), F("pk").asc()]
    )
    keys = rows.order_by().annotate(turn=turn).order_by("turn", _chance(seed), "pk")
    return tuple(Hit(key, scores.get(key, 1.0)) for key in keys.values_list("pk", flat=True)[:count])


def _chance(seed: int) -> Any:
    return MD5(Concat(Cast("pk", TextField()), Value(f":{int(seed)}"), output_field=TextField())).asc()


SORT = Stage(
    id="sort_attribute",
    category="sort",
    icon="sort",
    description="Orders by a field. What has no value comes last, or first.",
    properties={
        "field": FIELD,
        "direction": {"enum": ["asc", "desc"]},
        "nulls_last": {"type": "boolean"},
    },
    run=sort,
)
LIMIT = Stage(
    id="limit",
    category="reduce",
    icon="limit",
    description="Keeps the first ones.",
    properties={"limit": COUNT, "offset": {"type": "integer", "minimum": 0, "maximum": MOST_HITS}},
    run=limit,
)
SAMPLE = Stage(
    id="sample",
    category="reduce",
    icon="sample",
    description="Keeps some by chance: of all, or evenly over the values of a field.",
    properties={
        "count": COUNT,
        "strategy": {"enum": ["random", "stratified", "reservoir"]},
        "stratify_by": {"type": ["string", "null"], "maxLength": 200},
        "min_per_stratum": {"type": "integer", "minimum": 0},
        "seed": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**31},
        "preserve_top_k": {"type": "integer", "minimum": 0, "maximum": MOST_HITS},
    },
    run=sample,
)
