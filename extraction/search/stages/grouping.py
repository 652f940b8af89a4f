"""group_by: the best of every group."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from extraction.search.stages.base import COUNT, FIELD, Context, Hit, Selection, Stage


def key_of(value: Any) -> str:
    """A value of a field as a key: equal for equal JSON."""
    return json.dumps(value, sort_keys=True, default=str)


def run(context: Context, selection: Selection, parameters: dict[str, Any]) -> Selection:
    """Groups stand in the order of their best; with `flatten` everything keeps its own place."""
    hits = selection.taken()
    values = selection.values(context.unit, parameters.get("group_by_field", "source_object_id"), hits)
    mode = parameters.get("output_mode", "all")
    most = 1 if mode == "first" else parameters.get("max_per_group", 10)
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        value = values.get(hit.key)
        group = groups.setdefault(key_of(value), [])
        if len(group) < most:
            group.append(replace(hit, group=value))
    if mode != "flatten":
        return selection.only(hit for group in groups.values() for hit in group)
    kept = {hit.key: hit for group in groups.values() for hit in group}
    return selection.only(kept[hit.key] for hit in hits if hit.key in kept)


STAGE = Stage(
    id="group_by",
    category="reduce",
    icon="group",
    description="Keeps the first ones of each value of a field: of every camera, every class, every image.",
    properties={
        "group_by_field": FIELD,
        "max_per_group": COUNT,
        "output_mode": {"enum": ["first", "all", "flatten"]},
    },
    run=run,
)
