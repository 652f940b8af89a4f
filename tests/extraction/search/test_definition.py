"""Reading searches: every form that clients send, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from extraction.search.definition import check_inputs, read_schema, read_stages
from mixcv.kernel.errors import InvalidInput
from tests.extraction.search.searches import stage, where

LOW = where("detections.0.confidence", "lt", 0.7)


@pytest.mark.parametrize(
    "raw",
    [
        {
            "stage_name": "s",
            "stage_type": "filter",
            "config": {"stage_id": "attribute_filter", "parameters": {"filters": LOW}},
        },
        {"stage_name": "s", "config": {"stage_id": "attribute_filter", "parameters": {"filters": LOW}}},
        {"stage_name": "s", "stage_id": "attribute_filter", "parameters": {"filters": LOW}},
        {"name": "s", "stage_id": "attribute_filter", "config": {"parameters": {"filters": LOW}}},
        {"stage_name": "s", "type": "attribute_filter", "filters": LOW},
        {
            "stage_name": "s",
            "config": {"stage_id": "attribute_filter", "parameters": {"filters": LOW}},
            "batch_size": "all",
            "on_error": None,
            "output_alias": None,
        },
    ],
)
def test_every_form_of_a_stage_is_one(raw: dict[str, Any]) -> None:
    read, unit = read_stages([raw])
    assert read == [
        {
            "stage_name": "s",
            "stage_type": "filter",
            "config": {"stage_id": "attribute_filter", "parameters": {"filters": LOW}},
        }
    ]
    assert unit == "document"


def test_the_unit_may_stand_in_a_stage() -> None:
    assert read_stages([stage("attribute_filter", unit="detection")])[1] == "detection"
    with pytest.raises(InvalidInput, match="two units"):
        read_stages([stage("attribute_filter", unit="detection")], unit="document")


@pytest.mark.parametrize(
    ("raw", "place", "words"),
    [
        ([], "stages", "1 to 20 stages"),
        ("x", "stages", "1 to 20 stages"),
        ([stage("limit", str(n)) for n in range(21)], "stages", "at most 20"),
        ([3], "stages.0", "A stage is an object"),
        ([stage("rerank")], "stages.0.config.stage_id", "There are: feature_search, attribute_filter"),
        ([stage("taxonomy_enrich")], "stages.0.config.stage_id", "comes with the taxonomies"),
        ([{"stage_name": "x"}], "stages.0.config.stage_id", "no stage 'None'"),
        ([stage("limit"), stage("limit")], "stages", "Two stages are called limit"),
        ([{**stage("limit"), "size": 3}], "stages.0.size", "Unknown key size"),
        (
            [{"stage_name": "x", "config": {"stage_id": "limit", "size": 3}}],
            "stages.0.config.size",
            "Unknown key",
        ),
        ([{**stage("limit"), "stage_type": "magic"}], "stages.0.stage_type", "one of filter"),
        ([stage("limit", limit=0)], "stages.0.config.parameters.limit", "less than the minimum"),
        ([stage("limit", limit="x")], "stages.0.config.parameters.limit", "not of type"),
        (
            [stage("limit", size=3)],
            "stages.0.config.parameters",
            "Unknown parameter size. Accepted: limit, offset",
        ),
        ([stage("feature_search", fusion="dbsf")], "stages.0.config.parameters.fusion", "rrf"),
        (
            [stage("attribute_filter", filters=where("detections.0.confidence", "lt", "x"))],
            "stages.0.config.parameters.filters.value",
            "is a number",
        ),
        (
            [
                stage(
                    "feature_search",
                    searches=[{"feature_uri": "x", "query": "", "filters": where("a", "like", 1)}],
                )
            ],
            "stages.0.config.parameters.searches.0.filters.operator",
            "no operator 'like'",
        ),
        (
            [stage("feature_search", searches=[{}])],
            "stages.0.config.parameters.searches.0.feature_uri",
            "feature_uri",
        ),
        ([stage("limit", "a\0b")], "stages", "NUL"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(raw: Any, place: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_stages(raw)
    assert refused.value.field == place
    assert words in refused.value.message


def test_all_faults_of_parameters_are_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_stages([stage("limit", limit="x", offset="y")])
    assert len(refused.value.details["validation_errors"]) == 2


def test_templates_wait_for_their_inputs() -> None:
    read_stages(
        [
            stage("limit", limit="{{INPUT.n}}"),
            stage("attribute_filter", filters=where("detections.0.confidence", "lt", "{{INPUT.most}}")),
        ]
    )


def test_an_input_schema_may_be_wrapped() -> None:
    flat = {"query": {"type": "text", "required": True}}
    assert read_schema(flat) == flat
    assert read_schema(
        {"type": "object", "properties": {"query": {"type": "text"}}, "required": ["query"]}
    ) == {"query": {"type": "text", "required": True}}
    assert read_schema({"query": "text"}) == {"query": {"type": "text"}}
    with pytest.raises(InvalidInput, match="no input type 'colour'"):
        read_schema({"query": {"type": "colour"}})


def test_inputs_are_checked() -> None:
    schema = read_schema({"n": {"type": "integer", "required": True}, "on": {"type": "boolean"}})
    check_inputs({"n": 3, "on": True}, schema)
    for inputs, words in [({}, "n is missing"), ({"n": True}, "integer"), ({"n": 1, "on": 1}, "boolean")]:
        with pytest.raises(InvalidInput, match=words):
            check_inputs(inputs, schema)
