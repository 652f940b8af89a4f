"""What a package returned, checked before it is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extraction.packages.host.results import BadOutput, check_detections
from extraction.packages.host.text import storable


def check(**fields: Any) -> dict[str, Any]:
    row = {"class": "cat", "confidence": 0.5, "bbox": {"x": 50, "y": 40, "w": 20, "h": 10}, **fields}
    rows, _ = check_detections([row], width=100, height=80)
    return rows[0]


def test_class_names_come_without_surrounding_blanks() -> None:
    row = check(**{"class": " cat\n", "class_scores": {" cat ": 0.5, "dog": 0.1}})
    assert row["class"] == "cat"
    assert row["class_scores"] == {"cat": 0.5, "dog": 0.1}


def test_a_name_of_200_characters_is_kept() -> None:
    assert check(**{"class": "x" * 200})["class"] == "x" * 200


deep: list[Any] = []
for _ in range(100_000):
    deep = [deep]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"class": " "}, "class must be a name, not ' '"),
        ({"class": 3}, "class must be a name, not '3'"),
        ({"class": "x" * 201}, "class has 201 characters; at most 200"),
        ({"class": "a\0b"}, "class has a NUL"),
        ({"class": "a\ud800"}, "class has a NUL or a character that is no valid Unicode"),
        ({"class_scores": {"a\0b": 0.5}}, "a name in class_scores has a NUL"),
        ({"class_scores": {"\udfff": 0.5}}, "a name in class_scores has a NUL or a character"),
        ({"class_scores": {"x" * 201: 0.5}}, "a name in class_scores has 201"),
        ({"class_scores": {"cat": 10**400}}, "class_scores.cat must be a number"),
        ({"note": "a\0b"}, "further fields have a NUL"),
        ({"note": {"a\0b": 1}}, "further fields have a NUL"),
        ({"note": ["\ud800"]}, "further fields have a NUL or a character that is no valid Unicode"),
        ({"note": float("nan")}, "cannot be written as JSON"),
        ({"note": deep}, "cannot be written as JSON"),
        ({"confidence": 10**400}, "confidence must be a number"),
    ],
)
def test_what_the_database_cannot_hold_is_refused_by_its_place(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOutput) as caught:
        check(**fields)
    assert str(caught.value).startswith("detection 0: ")
    assert said in str(caught.value)
    assert storable(str(caught.value)) == str(caught.value)
    json.dumps(str(caught.value), ensure_ascii=False).encode()
