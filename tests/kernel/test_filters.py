"""The filter language: what it reads, what it refuses and where, and that SQL and memory agree on rows."""

from __future__ import annotations

import string
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.filters import (
    OPERATORS,
    AllOf,
    AnyOf,
    Leaf,
    Not,
    columns,
    fill,
    names_in,
    parse,
    tell_faults,
    to_q,
)
from mixcv.kernel.models import Job
from tests.kernel.filters_in_memory import matches

resolve = columns(
    {
        "kind": "kind",
        "rate": "rate",
        "canceled": "cancel_requested",
        "created": "created_at",
        "finished": "finished_at",
    },
    free={"metadata": "checkpoint", "": "checkpoint"},
    model=Job,
)
strict = columns({"kind": "kind", "rate": "rate"}, model=Job)


def leaf(field: str, operator: str, value: Any = None, **extra: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value, **extra}


@pytest.mark.parametrize(
    ("raw", "node"),
    [
        (None, AllOf(())),
        ({}, AllOf(())),
        ([], AllOf(())),
        ({"AND": []}, AllOf(())),
        ({"AND": None, "OR": None, "NOT": None, "case_sensitive": False}, AllOf(())),
        # A leaf alone; the operator is eq where none is named.
        ({"field": "a", "value": 1}, Leaf("a", "eq", 1)),
        ({"AND": [leaf("a.0", "lt", 0.7)]}, Leaf("a.0", "lt", 0.7, place="filters.AND.0")),
        # The shorthand; a list is one of several.
        ({"a": 1}, Leaf("a", "eq", 1)),
        ({"a": [1, 2]}, Leaf("a", "in", [1, 2])),
        ({"a": 1, "b": None}, AllOf((Leaf("a", "eq", 1), Leaf("b", "eq", None)))),
        # NOT with one object, and with a list.
        ({"NOT": leaf("a", "eq", 1)}, Not((Leaf("a", "eq", 1, place="filters.NOT.0"),))),
        (
            {"NOT": [leaf("a", "eq", 1), leaf("b", "eq", 2)]},
            Not(
                (
                    Leaf("a", "eq", 1, place="filters.NOT.0"),
                    Leaf("b", "eq", 2, place="filters.NOT.1"),
                )
            ),
        ),
        # Both beside each other: both hold.
        (
            {"AND": [{"a": 1}], "OR": [{"b": 1}, {"b": 2}]},
            AllOf(
                (
                    Leaf("a", "eq", 1, place="filters.AND.0"),
                    AnyOf(
                        (
                            Leaf("b", "eq", 1, place="filters.OR.0"),
                            Leaf("b", "eq", 2, place="filters.OR.1"),
                        )
                    ),
                )
            ),
        ),
        # case_sensitive of a node holds for what is below it, whatever a client writes into the leaves.
        (
            {"AND": [leaf("a", "contains", "x", case_sensitive=False)], "case_sensitive": True},
            Leaf("a", "contains", "x", True, "filters.AND.0"),
        ),
    ],
)
def test_it_reads(raw: Any, node: Any) -> None:
    assert parse(raw) == node


@pytest.mark.parametrize(
    ("raw", "place", "words"),
    [
        (leaf("a", "like", 1), "filters.operator", "starts_with"),
        ({"AND": [{"OR": [leaf("a", "like", 1)]}]}, "filters.AND.0.OR.0.operator", "no operator 'like'"),
        (leaf("a", "geo_radius", {}), "filters.operator", "geo operators are not offered"),
        ({"AND": 3}, "filters.AND", "wants a list"),
        ({"AND": [], "camera": 1}, "filters", "camera beside AND"),
        ("confidence < 1", "filters", "A filter is an object"),
        ({"field": "", "value": 1}, "filters.field", "A field is a name"),
        ({"field": "a..b", "value": 1}, "filters.field", "empty part"),
        ({"field": 3, "value": 1}, "filters.field", "A field is a name"),
        ({"field": "a", "operator": "gt"}, "filters.value", "wants a value"),
        ({"field": "a", "valeu": 1}, "filters", "Unknown key valeu"),
        (leaf("a", "in", 3), "filters.value", "wants a list"),
        (leaf("a", "in", [[1]]), "filters.value", "plain values"),
        (leaf("a", "gt", True), "filters.value", "number, a text or a time"),
        (leaf("a", "exists", "yes"), "filters.value", "true or false"),
        (leaf("a", "starts_with", 3), "filters.value", "wants a text"),
        (leaf("a", "words", "!?"), "filters.value", "1 to 20 words"),
        (leaf("a", "eq", "a\0b"), "filters.value", "no text column holds"),
        (leaf("a", "eq", "\ud800"), "filters.value", "no text column holds"),
        (leaf("a", "eq", {"b": ["\ud800"]}), "filters.value", "no text column holds"),
        (leaf("a", "eq", 10**30), "filters.value", "too large"),
        (leaf("a", "eq", "x" * 3000), "filters.value", "2000 characters"),
        (leaf("a", "in", list(range(1001))), "filters.value", "1,000 values"),
        (leaf("a", "regex", "("), "filters.value", "no regular expression"),
        (leaf("a", "regex", "x" * 201), "filters.value", "200 characters"),
        (leaf("a", "regex", r"(a)\1"), "filters.value", "back references"),
        (leaf("a", "regex", "(?=a)"), "filters.value", "lookarounds"),
        (leaf("a", "regex", "a++"), "filters.value", "possessive"),
        ({"a": {"lt": 3}}, "filters.a", '"operator": "lt"'),
        ({"AND": [{"a": 1}] * 201}, "filters.AND", "200 conditions"),
        ({"case_sensitive": "no", "AND": []}, "filters.case_sensitive", "true or false"),
    ],
)
def test_it_refuses_with_its_place(raw: Any, place: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(raw)
    assert refused.value.field == place
    assert words in refused.value.message


def test_it_bounds_the_depth() -> None:
    raw: Any = {"a": 1}
    for _ in range(30):
        raw = {"AND": [raw]}
    with pytest.raises(InvalidInput, match="levels deep"):
        parse(raw)


def wide(breadth: int, depth: int, bottom: Any) -> Any:
    return {"AND": [wide(breadth, depth - 1, bottom)] * breadth} if depth else bottom


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (wide(100, 8, {"a": 1}), "200 conditions"),
        ({str(number): 1 for number in range(500_000)}, "200 conditions"),
        (wide(100, 8, []), "1,000 groups"),
        (wide(100, 8, {"OR": None}), "1,000 groups"),
        (leaf("a", "eq", [[list(range(1000))] * 1000] * 1000), "1,000 values"),
        ({"field": "a", **{f"k{n}": 1 for n in range(100_000)}}, "Unknown key k0"),
    ],
)
def test_what_is_too_large_is_not_read_to_its_end(raw: Any, words: str) -> None:
    begun = time.process_time()
    with pytest.raises(InvalidInput, match=words) as refused:
        parse(raw)
    assert time.process_time() - begun < 0.5
    assert len(refused.value.message) < 1000


def test_a_deep_value_is_read_without_recursion() -> None:
    value: Any = 1
    for _ in range(900):
        value = [value]
    assert parse(leaf("a", "eq", value)) == Leaf("a", "eq", value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (leaf("rate", "lt", "much"), "rate is a number; 'much' does not fit"),
        (leaf("rate", "eq", True), "does not fit"),
        (leaf("rate", "contains", "1"), "is for texts"),
        (leaf("kind", "eq", 3), "kind is a text"),
        (leaf("kind", "in", ["a", 3]), "kind is a text"),
        (leaf("kind", "contains", 3), "is for texts"),
        (leaf("canceled", "eq", 1), "true or false"),
        (leaf("canceled", "gt", 1), "no order"),
        (leaf("created", "gt", "yesterday"), "2026-05-03T14:30:00Z"),
    ],
)
def test_a_value_that_the_column_cannot_have_is_refused(raw: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        to_q(parse(raw), resolve)


def test_an_unknown_field_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="There are: kind, rate"):
        to_q(parse({"pk": 1}), strict)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["a'; DROP TABLE kernel_job; --", 'a"b', "a%sb", "{x}", "kind__regex", "%(a)s"]
)
def test_a_name_is_only_ever_a_value(name: str) -> None:
    job("a", {name: "x"})
    job("b", {})
    assert kinds(leaf(name, "eq", "x")) == ["a"]
    assert kinds(leaf(f"metadata.{name}", "contains", "x")) == ["a"]


def job(kind: str, metadata: Any = None, **more: Any) -> Job:
    checkpoint = {} if metadata is None else metadata
    return Job.objects.create(namespace_id=1, kind=kind, subject="s", checkpoint=checkpoint, **more)


def kinds(raw: Any) -> list[str]:
    return sorted(Job.objects.filter(to_q(parse(raw), resolve)).values_list("kind", flat=True))


@pytest.mark.django_db
def test_what_is_missing_is_not_equal() -> None:
    job("none")
    job("null", {"camera_id": None})
    job("other", {"camera_id": "cam_2"})
    job("it", {"camera_id": "cam_1"})
    assert kinds(leaf("camera_id", "eq", "cam_1")) == ["it"]
    assert kinds(leaf("camera_id", "ne", "cam_1")) == ["none", "null", "other"]
    assert kinds(leaf("camera_id", "nin", ["cam_1", "cam_2"])) == ["none", "null"]
    assert kinds({"NOT": leaf("metadata.camera_id", "eq", "cam_1")}) == ["none", "null", "other"]
    assert kinds({"NOT": [leaf("camera_id", "eq", "cam_1"), leaf("camera_id", "eq", "cam_2")]}) == [
        "none",
        "null",
    ]
    assert kinds(leaf("camera_id", "exists", True)) == ["it", "other"]
    assert kinds(leaf("camera_id", "is_null", True)) == ["none", "null"]
    assert kinds(leaf("camera_id", "is_null", False)) == ["it", "other"]
    assert kinds({"camera_id": None}) == ["none", "null"]
    assert kinds(leaf("finished", "ne", "2026-01-01T00:00:00Z")) == ["it", "none", "null", "other"]


@pytest.mark.django_db
def test_json_values_compare_by_their_type() -> None:
    job("number", {"v": 5})
    job("text", {"v": "5"})
    job("true", {"v": True})
    job("list", {"v": [5, "five"]})
    assert kinds({"v": 5.0}) == ["number"]
    assert kinds({"v": "5"}) == ["text"]
    assert kinds({"v": True}) == ["true"]
    assert kinds(leaf("v", "gt", 4)) == ["number"]
    assert kinds(leaf("v", "gt", "4")) == ["text"]
    assert kinds(leaf("v", "contains", 5)) == ["list"]
    assert kinds(leaf("v", "contains", "five")) == ["list"]
    assert kinds(leaf("v.0", "eq", 5)) == ["list"]


@pytest.mark.django_db
def test_texts_are_searched() -> None:
    job("a", {"t": "A red_car, 100% parked"})
    job("b", {"t": "parked red car"})
    assert kinds(leaf("t", "contains", "RED_CAR")) == ["a"]
    assert kinds(leaf("t", "contains", "RED_CAR", case_sensitive=True)) == []
    assert kinds(leaf("t", "contains", "0%")) == ["a"]
    assert kinds(leaf("t", "starts_with", "a red")) == ["a"]
    assert kinds(leaf("t", "ends_with", "car")) == ["b"]
    assert kinds(leaf("t", "text", "car parked")) == ["b"]
    assert kinds(leaf("t", "phrase", "Red car")) == ["b"]
    assert kinds(leaf("t", "words", "car red_car")) == ["a", "b"]
    assert kinds(leaf("t", "regex", r"\bcar$")) == ["b"]
    assert kinds(leaf("kind", "regex", "[ab]")) == ["a", "b"]


@pytest.mark.django_db
def test_a_pattern_that_only_the_database_refuses_is_the_callers_fault() -> None:
    job("a")
    for pattern in ("((a{200}){200}){200}", "a{2000}"):
        with pytest.raises(InvalidInput, match="cannot run this filter"), tell_faults():
            kinds(leaf("kind", "regex", pattern))
    assert Job.objects.count() == 1


names = st.sampled_from(["a", "b", "a.b", "a.0", "metadata.a"])
texts = st.text(string.ascii_lowercase[:3] + "A _%.", max_size=4)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 2.0]), texts)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=4,
)
moments = st.sampled_from([datetime(2026, 5, day, tzinfo=UTC) + timedelta(hours=day) for day in (1, 2, 3)])
words = st.sampled_from(["a", "ab", "b a", "A", "c_"])
free = st.one_of(
    st.builds(leaf, names, st.sampled_from(["eq", "ne"]), values),
    st.builds(leaf, names, st.sampled_from(["gt", "lte"]), st.integers(-2, 2) | texts),
    st.builds(leaf, names, st.sampled_from(["in", "nin"]), st.lists(scalars, max_size=3)),
    st.builds(leaf, names, st.sampled_from(["exists", "is_null"]), st.booleans()),
    st.builds(leaf, names, st.just("contains"), st.integers(-2, 2) | st.booleans()),
    st.builds(
        leaf,
        names | st.just("kind"),
        st.sampled_from(["contains", "starts_with", "ends_with"]),
        texts,
        case_sensitive=st.booleans(),
    ),
    st.builds(
        leaf,
        names | st.just("kind"),
        st.sampled_from(["text", "phrase", "words", "regex"]),
        words,
        case_sensitive=st.booleans(),
    ),
)
typed = st.one_of(
    st.builds(
        leaf, st.just("rate"), st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), st.integers(-1, 2)
    ),
    st.builds(leaf, st.just("kind"), st.sampled_from(["eq", "ne", "gt", "lte"]), texts),
    st.builds(leaf, st.just("canceled"), st.sampled_from(["eq", "ne"]), st.booleans() | st.none()),
    st.builds(
        leaf,
        st.sampled_from(["created", "finished"]),
        st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]),
        moments.map(datetime.isoformat),
    ),
    st.builds(leaf, st.just("finished"), st.sampled_from(["exists", "is_null"]), st.booleans()),
)
filters = st.recursive(
    free | typed,
    lambda inner: st.builds(
        lambda key, nodes: {key: nodes}, st.sampled_from(["AND", "OR", "NOT"]), st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)
rows = st.fixed_dictionaries(
    {
        "kind": texts,
        "rate": st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        "cancel_requested": st.booleans(),
        "created_at": moments,
        "finished_at": st.none() | moments,
        "checkpoint": st.dictionaries(st.sampled_from(["a", "b"]), values, max_size=2),
    }
)


@pytest.mark.django_db
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=4), filters)
def test_the_database_and_memory_agree(records: list[dict[str, Any]], raw: Any) -> None:
    Job.objects.all().delete()
    made = Job.objects.bulk_create(Job(namespace_id=1, subject="s", **record) for record in records)
    node = parse(raw)
    found = set(Job.objects.filter(to_q(node, resolve)).values_list("pk", flat=True))
    expected = {
        row.pk
        for row, record in zip(made, records, strict=True)
        if matches(
            node,
            {
                **record["checkpoint"],
                "metadata": record["checkpoint"],
                "kind": record["kind"],
                "rate": record["rate"],
                "canceled": record["cancel_requested"],
                "created": record["created_at"],
                "finished": record["finished_at"],
            },
        )
    }
    assert found == expected


def test_every_operator_is_tried() -> None:
    assert set(OPERATORS) == {
        *("eq", "ne", "gt", "lt", "gte", "lte", "in", "nin", "contains", "starts_with", "ends_with"),
        *("regex", "exists", "is_null", "text", "phrase", "words"),
    }


def test_any_of_a_list() -> None:
    record = {"detections": [{"confidence": 0.9}, {"confidence": 0.2}]}
    assert matches(parse(leaf("detections.*.confidence", "lt", 0.5)), record)
    assert not matches(parse(leaf("detections.0.confidence", "lt", 0.5)), record)
    assert not matches(parse(leaf("detections.*.confidence", "ne", 0.2)), record)


def test_templates_are_filled_with_their_types() -> None:
    raw = {"AND": [leaf("a", "lt", "{{INPUT.most}}"), leaf("b", "eq", "cam {{ input.n }}")]}
    assert names_in(raw) == ["most", "n"]
    assert fill(raw, {"most": 0.7, "n": 3}) == {"AND": [leaf("a", "lt", 0.7), leaf("b", "eq", "cam 3")]}
    assert fill("{{INPUT.a.b}}", {"a": {"b": [1]}}) == [1]


def test_a_missing_input_is_named() -> None:
    with pytest.raises(InvalidInput, match="input query is missing") as refused:
        fill("{{INPUT.query}}", {})
    assert refused.value.field == "inputs.query"
    with pytest.raises(InvalidInput, match="input query is missing"):
        fill("{{INPUT.query}}", {}, {"query": {"type": "text", "required": True}})


def test_an_input_that_may_be_left_out_takes_its_condition_along() -> None:
    schema = {"camera": {"type": "text", "required": False}, "most": {"type": "number", "default": 0.7}}
    raw = {"AND": [leaf("camera", "eq", "{{INPUT.camera}}"), leaf("c", "lt", "{{INPUT.most}}")]}
    assert fill(raw, {}, schema) == {"AND": [leaf("c", "lt", 0.7)]}
    assert fill("{{INPUT.camera}}", {}, schema) is None


@pytest.mark.parametrize("text", ["{{DOC.x}}", "a {{CONTEXT.y}}"])
def test_other_templates_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="INPUT"):
        fill(text, {})
