"""attribute_filter: only what passes a filter."""

from __future__ import annotations

from typing import Any

from extraction.search.fields import resolver
from extraction.search.models import Unit
from extraction.search.stages.base import FIELD, FILTERS, IGNORED, Context, Selection, Stage
from mixcv.kernel.filters import parse, to_q


def condition_of(parameters: dict[str, Any]) -> list[Any]:
    """All that the parameters ask for: `filters`, `conditions`, and one condition written out."""
    parts = [parameters.get("filters"), parameters.get("conditions")]
    if parameters.get("field"):
        one = {name: parameters[name] for name in ("field", "operator", "value") if name in parameters}
        parts.append(one | {"case_sensitive": parameters.get("case_insensitive") is False})
    return [part for part in parts if part]


def run(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    condition = to_q(parse(condition_of(parameters)), resolver(context.unit))
    return selection.narrowed(selection.rows.filter(condition)) if condition else selection


STAGE = Stage(
    id="attribute_filter",
    category="filter",
    icon="filter",
    description="Keeps what passes a filter over fields of the document, its detections and its metadata.",
    properties={
        "filters": FILTERS,
        "conditions": FILTERS,
        "field": FIELD,
        "operator": {"type": "string"},
        "value": {"description": "What the field is compared with."},
        "case_insensitive": {"type": "boolean"},
        "unit": {"enum": Unit.values},
        "batch_size": IGNORED,
    },
    run=run,
    filters=("filters", "conditions"),
)
