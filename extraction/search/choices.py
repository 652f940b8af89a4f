"""A retriever from simple choices: what the form offers, as stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from extraction.search.models import Unit

# (name, words, the field that it goes by for detections, for documents, direction)
ORDERS: dict[str, tuple[str, str, str, str]] = {
    "doubtful": ("Least sure first", "confidence", "top_confidence", "asc"),
    "sure": ("Surest first", "confidence", "top_confidence", "desc"),
    "newest": ("Newest images first", "created_at", "created_at", "desc"),
    "oldest": ("Oldest images first", "created_at", "created_at", "asc"),
}
BY_CHANCE = "chance"


def stages_of(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The stages of a form's choices: one filter, an order, and how many at most. What is empty asks for nothing."""
    unit = choices.get("unit") or Unit.DETECTION
    stages = [
        _stage("matching", "attribute_filter", {"filters": {"AND": _conditions(choices)}, "unit": unit}),
    ]
    most, order = choices.get("most"), choices.get("order") or ""
    if order == BY_CHANCE:
        return [*stages, _stage("by chance", "sample", {"count": most or 100})]
    if order in ORDERS:
        _, of_detection, of_document, direction = ORDERS[order]
        field = of_detection if unit == Unit.DETECTION else of_document
        stages.append(_stage("in order", "sort_attribute", {"field": field, "direction": direction}))
    if most:
        stages.append(_stage("at most", "limit", {"limit": most}))
    return stages


def _conditions(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, operator in (("below", "lt"), ("above", "gte")):
        if choices.get(name) is not None:
            found.append(_condition("detections.*.confidence", operator, choices[name]))
    if choices.get("class_name"):
        found.append(_condition("detections.*.class", "eq", choices["class_name"]))
    if choices.get("decided") in {"open", "decided"}:
        # Of images "not yet" means that none of its boxes is decided.
        found.append(_condition("detections.*.decided_label", "exists", choices["decided"] == "decided"))
    if choices.get("field") and choices.get("value"):
        found.append(_condition(f"metadata.{choices['field']}", "in", _as_sent(choices["value"])))
    return found


def _as_sent(text: str) -> list[Any]:
    """What a person typed may stand in the metadata as a text or as a number."""
    try:
        number = float(text)
    except ValueError:
        return [text]
    if number != number or number in {float("inf"), float("-inf")}:
        return [text]
    return [text, int(number) if number.is_integer() and abs(number) < 2**53 else number]


def _condition(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def _stage(name: str, kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"stage_name": name, "config": {"stage_id": kind, "parameters": parameters}}
