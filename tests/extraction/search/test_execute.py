"""Running searches: filters over documents and detections, every stage, what is kept, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.runs.models import Collection, Detection, Document
from extraction.search.definition import read_stages
from extraction.search.domain import Plan, execute, page_of_execution
from extraction.search.models import Execution
from mixcv.kernel.errors import InvalidInput, NotFound
from mixcv.tenancy.actors import SYSTEM
from tests.extraction.search.searches import det, found_by, ref, stage, where
from tests.factories import (
    detect,
    detections_of,
    found,
    make_bucket,
    make_collection,
    make_detected,
    make_namespace,
    make_objects,
    result,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection() -> Collection:
    return make_collection(make_bucket(make_namespace()))


def shot(collection: Collection, *detections: Any, **metadata: Any) -> Document:
    """An image with these detections and this metadata."""
    objects = make_objects(collection.buckets.get(), 1, **metadata)
    detect(collection, objects, [result(detections)])
    return Document.objects.get(object=objects[0], collection=collection)


def filtered(collection: Collection, *conditions: Any, unit: str | None = None) -> list[str]:
    one = stage("attribute_filter", filters={"AND": list(conditions)})
    return sorted(found_by(collection.namespace, one, unit=unit))


def test_the_surest_detection_and_any_one_are_told_apart(collection: Collection) -> None:
    both = shot(collection, found("bus", 0.9), found("person", 0.4))
    low = shot(collection, found("truck", 0.5))
    none = shot(collection)
    assert filtered(collection, where("detections.0.confidence", "lt", 0.7)) == [ref(low)]
    assert filtered(collection, where("detections.*.confidence", "lt", 0.7)) == sorted([ref(both), ref(low)])
    assert filtered(collection, where("detections.1.class", "eq", "person")) == [ref(both)]
    assert filtered(collection, where("detections.*.class", "ne", "person")) == sorted([ref(low), ref(none)])
    assert filtered(collection, where("detections.0.confidence", "exists", False)) == [ref(none)]
    assert filtered(collection, where("detections.1.bbox.w", "gte", 60)) == [ref(both)]
    assert filtered(collection, where("detection_count", "eq", 0)) == [ref(none)]


def test_detections_are_tested_on_their_own(collection: Collection) -> None:
    document = shot(collection, found("bus", 0.9), found("person", 0.4), camera_id="cam_1")
    sure, doubtful = detections_of(document)
    low = where("detections.*.confidence", "lt", 0.7)
    assert filtered(collection, low, unit="detection") == [det(doubtful)]
    assert filtered(collection, low, where("class", "eq", "bus"), unit="detection") == []
    assert filtered(collection, where("confidence", "gt", 0.7), unit="detection") == [det(sure)]
    assert filtered(collection, where("detections.0.class", "eq", "bus"), unit="detection") == sorted(
        [det(sure), det(doubtful)]
    )
    assert filtered(collection, where("camera_id", "eq", "cam_1"), low, unit="detection") == [det(doubtful)]
    assert filtered(collection, where("document_id", "eq", det(sure)), unit="detection") == [det(sure)]


def test_decisions_and_metadata_filter(collection: Collection) -> None:
    one = shot(collection, found("bus", 0.6), camera_id="cam_1", shift={"lux": 3})
    two = shot(collection, found("bus", 0.5), camera_id="cam_2")
    Detection.objects.filter(document=one).update(decided_label="confirmed")
    assert filtered(collection, where("camera_id", "eq", "cam_1")) == [ref(one)]
    assert filtered(collection, where("metadata.camera_id", "in", ["cam_1"])) == [ref(one)]
    assert filtered(collection, where("metadata.shift.lux", "gt", 2)) == [ref(one)]
    assert filtered(collection, where("camera_id", "ne", "cam_1")) == [ref(two)]
    assert filtered(collection, where("detections.0.decided_label", "is_null", True)) == [ref(two)]
    assert filtered(collection, where("detections.0.decided_label", "eq", "confirmed")) == [ref(one)]
    assert filtered(collection, where("created_at", "gt", "2020-01-01T00:00:00Z")) == sorted(
        [ref(one), ref(two)]
    )
    assert filtered(collection, where("image_width", "eq", 320), where("document_id", "eq", ref(two))) == [
        ref(two)
    ]


def test_only_the_current_generation_counts(collection: Collection) -> None:
    objects = make_objects(collection.buckets.get(), 1)
    detect(collection, objects, [result([found("bus", 0.3), found("person", 0.2)])])
    detect(collection, objects, [result([found("truck", 0.8)])], dedup="replace")
    assert filtered(collection, where("detections.*.confidence", "lt", 0.5)) == []
    assert len(filtered(collection, where("confidence", "gt", 0), unit="detection")) == 1


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("detections.0.colour", "A detection has no field 'colour'. It has bbox.h"),
        ("detections.x.confidence", "names no field of a detection"),
        ("detections.0", "names no field of a detection"),
        ("detections.99999999999999999999.confidence", "names no field of a detection"),
    ],
)
def test_wrong_fields_are_refused(field: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_stages([stage("attribute_filter", filters=where(field, "eq", 1))])


@pytest.mark.parametrize(
    "name", ["a'; DROP TABLE extraction_document; --", 'a"b', "%s", "metadata__x", "camera_id) OR 1=1"]
)
def test_a_field_name_is_never_sql(collection: Collection, name: str) -> None:
    make_detected(collection)
    assert filtered(collection, where(name, "eq", 1)) == []
    assert filtered(collection, where(f"detections.*.class_scores.{name}", "gt", 0.5)) == []
    ordered = found_by(collection.namespace, stage("sort_attribute", field=name))
    assert len(ordered) == 1


def test_sort_limit_and_group(collection: Collection) -> None:
    docs = [
        shot(collection, found("bus", confidence), camera_id=camera)
        for confidence, camera in [(0.9, "b"), (0.2, "a"), (0.5, "b"), (0.7, "a")]
    ]
    shot(collection)
    space = collection.namespace
    rising = stage("sort_attribute", field="detections.0.confidence")
    assert found_by(space, rising, stage("limit", limit=2)) == [ref(docs[1]), ref(docs[2])]
    falling = stage("sort_attribute", field="top_confidence", direction="desc")
    assert found_by(space, falling, stage("limit", limit=2, offset=1)) == [ref(docs[3]), ref(docs[2])]
    cameras = stage("group_by", group_by_field="camera_id", output_mode="first")
    assert found_by(space, falling, cameras)[:2] == [ref(docs[0]), ref(docs[3])]
    grouped = found_by(space, falling, stage("group_by", group_by_field="metadata.camera_id"))
    assert grouped[:4] == [ref(docs[i]) for i in (0, 2, 3, 1)]
    again = found_by(space, stage("limit", limit=4), stage("sort_attribute", "s", field="camera_id"))
    assert again == [ref(docs[i]) for i in (1, 3, 0, 2)]


def test_a_field_of_many_values_orders_nothing(collection: Collection) -> None:
    with pytest.raises(InvalidInput, match=r"detections\.0\.confidence"):
        found_by(collection.namespace, stage("sort_attribute", field="detections.*.confidence"))


def test_a_sample_is_the_same_for_the_same_seed(collection: Collection) -> None:
    make_detected(collection, 6)
    space = collection.namespace
    first = found_by(space, stage("sample", count=3, seed=7))
    assert len(first) == 3
    assert first == found_by(space, stage("sample", count=3, seed=7))
    assert first != found_by(space, stage("sample", count=3, seed=8))
    hits = stage("limit", limit=5)
    assert set(found_by(space, hits, stage("sample", count=2, seed=1))) <= set(found_by(space, hits))


def test_a_stratified_sample_has_the_rare_ones(collection: Collection) -> None:
    for _ in range(5):
        shot(collection, found("bus"), camera_id="often")
    rare = shot(collection, found("bus"), camera_id="rare")
    drawn = found_by(
        collection.namespace,
        stage("sample", count=2, strategy="stratified", stratify_by="camera_id", seed=3),
    )
    assert ref(rare) in drawn


def test_duplicates_of_a_field_go(collection: Collection) -> None:
    one, *_ = [shot(collection, found("bus"), camera_id="a") for _ in range(2)]
    other = shot(collection, found("bus"), camera_id="b")
    kept = found_by(collection.namespace, stage("deduplicate", field="camera_id"))
    assert kept == [ref(one), ref(other)]


def test_two_collections_and_a_foreign_namespace(collection: Collection) -> None:
    space = collection.namespace
    here = make_detected(collection)[0]
    other = make_collection(make_bucket(space))
    there = make_detected(other)[0]
    foreign = make_collection(make_bucket(make_namespace("foreign")))
    make_detected(foreign)
    everything = stage("attribute_filter")
    assert sorted(found_by(space, everything)) == sorted([ref(here), ref(there)])
    assert found_by(space, everything, collections=[other.public_id]) == [ref(there)]
    assert found_by(space, everything, collections=[other.name]) == [ref(there)]
    if foreign.public_id not in {collection.public_id, other.public_id}:
        with pytest.raises(NotFound, match="no collection"):
            found_by(space, everything, collections=[foreign.public_id])


def test_what_each_stage_did_is_kept(collection: Collection) -> None:
    docs = make_detected(collection, 3)
    stages, unit = read_stages(
        [
            stage("attribute_filter", "doubtful", filters=where("detections.*.confidence", "lt", 0.7)),
            stage("limit", "two", limit=2),
        ]
    )
    ran = execute(
        namespace=collection.namespace,
        plan=Plan(stages, unit, [collection.public_id]),
        inputs={"who": "me"},
        filters=where("image_width", "gt", 1),
        limit=1,
        by=SYSTEM,
    )
    row = Execution.objects.get(public_id=ran.execution.public_id)
    assert [(one["stage_name"], one["input_count"], one["output_count"]) for one in row.stages] == [
        ("doubtful", 3, 3),
        ("two", 3, 2),
    ]
    assert all(one["duration_ms"] > 0 for one in row.stages)
    assert [one[0] for one in row.results] == [ref(docs[0]), ref(docs[1])]
    assert (row.status, row.result_count, row.inputs) == ("completed", 2, {"who": "me"})
    assert [hit.key for hit in ran.hits] == [docs[0].pk]
    assert ran.next_offset == 1


def test_a_page_of_an_execution_stays_while_rows_come(collection: Collection) -> None:
    docs = make_detected(collection, 3)
    stages, unit = read_stages([stage("sort_attribute", field="created_at", direction="desc")])
    ran = execute(namespace=collection.namespace, plan=Plan(stages, unit), limit=2, by=SYSTEM)
    make_detected(collection, 2)
    page = page_of_execution(execution=ran.execution, limit=2, offset=2)
    assert [hit.key for hit in page.hits] == [docs[0].pk]
    assert page.next_offset is None


def test_more_than_can_be_kept_is_said(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extraction.search.domain.running.KEPT", 2)
    make_detected(collection, 3)
    stages, unit = read_stages([stage("attribute_filter")])
    ran = execute(namespace=collection.namespace, plan=Plan(stages, unit), limit=2, by=SYSTEM)
    assert ran.execution.result_count == 3
    assert len(ran.execution.results) == 2
    assert ran.execution.warnings == ["3 match; the first 2 are kept and can be paged through."]


def test_a_failed_run_is_kept_with_its_reason(collection: Collection) -> None:
    stages, unit = read_stages([stage("attribute_filter", field="camera_id", value="{{INPUT.camera}}")])
    with pytest.raises(InvalidInput, match="input camera is missing") as failed:
        execute(namespace=collection.namespace, plan=Plan(stages, unit), by=SYSTEM)
    row = Execution.objects.get(public_id=failed.value.details["execution_id"])
    assert (row.status, row.result_count) == ("failed", 0)
    assert "input camera is missing" in row.error


def test_inputs_fill_templates(collection: Collection) -> None:
    one = shot(collection, found("bus", 0.6), camera_id="cam_1")
    shot(collection, found("bus", 0.6), camera_id="cam_2")
    search = stage("attribute_filter", field="camera_id", operator="eq", value="{{INPUT.camera}}")
    assert found_by(collection.namespace, search, inputs={"camera": "cam_1"}) == [ref(one)]
    stages, unit = read_stages([search])
    schema = {"camera": {"type": "text", "required": False}}
    ran = execute(namespace=collection.namespace, plan=Plan(stages, unit, input_schema=schema), by=SYSTEM)
    assert ran.execution.result_count == 2
    with pytest.raises(InvalidInput, match="must be a text"):
        execute(
            namespace=collection.namespace,
            plan=Plan(stages, unit, input_schema=schema),
            inputs={"camera": 3},
            by=SYSTEM,
        )


def test_a_wrong_value_from_an_input_is_refused(collection: Collection) -> None:
    search = stage("attribute_filter", field="detections.0.confidence", operator="lt", value="{{INPUT.most}}")
    with pytest.raises(InvalidInput, match="is a number"):
        found_by(collection.namespace, search, inputs={"most": "half"})
    with pytest.raises(InvalidInput, match="limit: 'many' is not of type"):
        found_by(collection.namespace, stage("limit", limit="{{INPUT.n}}"), inputs={"n": "many"})


@pytest.mark.parametrize("unit", ["document", "detection"])
def test_the_queries_do_not_grow_with_what_is_found(collection: Collection, unit: str) -> None:
    stages = [
        stage("attribute_filter", filters=where("detections.*.confidence", "lt", 0.95)),
        stage("sort_attribute", field="detections.0.confidence"),
        stage("group_by", group_by_field="camera_id"),
        stage("limit", limit=50),
    ]
    counts = []
    for number in (1, 2):
        make_detected(collection, number)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            found_by(collection.namespace, *stages, unit=unit)
        counts.append(len(queries))
    assert counts[0] == counts[1]
