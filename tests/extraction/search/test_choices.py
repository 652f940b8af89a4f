"""The form's choices as stages."""

from __future__ import annotations

from typing import Any

import pytest

from extraction.search.choices import ORDERS, stages_of
from extraction.search.definition import read_stages


@pytest.mark.parametrize(
    ("choices", "conditions"),
    [
        ({}, []),
        ({"below": 0.7, "above": 0.0}, [("confidence", "lt", 0.7), ("confidence", "gte", 0.0)]),
        ({"class_name": "bus"}, [("class", "eq", "bus")]),
        ({"decided": "open"}, [("decided_label", "exists", False)]),
        ({"decided": "decided"}, [("decided_label", "exists", True)]),
    ],
)
def test_each_choice_is_a_condition(choices: dict[str, Any], conditions: list[Any]) -> None:
    stages = stages_of(choices)
    read_stages(stages)
    found = stages[0]["config"]["parameters"]["filters"]["AND"]
    assert [(one["field"], one["operator"], one["value"]) for one in found] == [
        (f"detections.*.{field}", operator, value) for field, operator, value in conditions
    ]


@pytest.mark.parametrize(
    ("typed", "value"),
    [("cam_1", ["cam_1"]), ("7", ["7", 7]), ("7.5", ["7.5", 7.5]), ("nan", ["nan"]), ("1e999", ["1e999"])],
)
def test_a_number_may_stand_as_a_text(typed: str, value: list[Any]) -> None:
    (one,) = stages_of({"field": "camera_id", "value": typed})[0]["config"]["parameters"]["filters"]["AND"]
    assert (one["field"], one["value"]) == ("metadata.camera_id", value)


@pytest.mark.parametrize("unit", ["detection", "document"])
@pytest.mark.parametrize("order", ["", "chance", *ORDERS])
def test_every_order_reads(unit: str, order: str) -> None:
    stages, read = read_stages(stages_of({"unit": unit, "order": order, "most": 5}))
    assert read == unit
    assert len(stages) == (2 if order in {"", "chance"} else 3)
