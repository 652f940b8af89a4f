"""One object once, its box and its class, whoever found it."""

from __future__ import annotations

import pytest

from extraction.classes.models import ObjectClass
from extraction.packages.domain import give_indices
from extraction.packages.models import ClassIndex
from extraction.truth.models import GroundTruthBox
from review.datasets.models import DatasetBox
from review.verdicts.domain import Verdict
from tests import factories as make
from tests.review.datasets.building import (
    OLE,
    build,
    confirm,
    dataset_of,
    detected,
    draw,
    ready,
    say,
)
from tests.review.datasets.frozen import boxes_on, rerun

pytestmark = pytest.mark.django_db


def test_verdicts_on_one_version_and_boxes_of_the_next_export_each_object_once(collection):
    train, val = ready(collection, 2, 1)
    moved = [
        make.found("bus", 0.8, (163, 121, 198, 120)),
        make.found("person", 0.5, (61, 150, 40, 118)),
        make.found("truck", 0.95, (260, 61, 80, 60)),
        make.found("truck", 0.6, (20, 20, 20, 20)),
    ]
    again = rerun(collection, "2.0.0", [*train, *val], moved)
    for accept in (None, 0.3):
        version = build(dataset_of(collection, f"accept {accept}", accept_above=accept))
        assert (version.image_count, version.box_count) == (3, 9)
    confirm(again[:1])
    version = build(dataset_of(collection, "after"))
    assert GroundTruthBox.objects.filter(image=train[0].image).count() == 7
    assert boxes_on(version, train[0]) == [
        ("bus", "annotation"),
        ("person", "annotation"),
        ("truck", "annotation"),
        ("truck", "annotation"),
    ]
    bus = DatasetBox.objects.get(
        item__dataset_version=version, item__image=train[0].image, object_class__name="bus"
    )
    assert bus.cx == 163, "the latest decision stands"


def test_what_was_rejected_is_not_accepted_from_the_next_version(collection):
    ready(collection)
    (document,) = detected(collection, 1)
    truck, _person, bus = make.detections_of(document)
    say(collection.namespace, Verdict("confirmed", truck.pk), Verdict("false_positive", bus.pk))
    rerun(
        collection,
        "2.0.0",
        [document],
        [make.found("bus", 0.99, (160, 120, 200, 120)), make.found("van", 0.99)],
    )
    version = build(dataset_of(collection, accept_above=0.9))
    assert boxes_on(version, document) == [("truck", "annotation"), ("van", "accepted")]


def test_two_boxes_of_one_class_that_overlap_are_two_objects(collection):
    ready(collection)
    pair = [make.found("bus", 0.9, (100, 100, 60, 40)), make.found("bus", 0.8, (106, 100, 60, 40))]
    (document,) = confirm(detected(collection, 1, detections=pair))
    assert len(boxes_on(build(dataset_of(collection)), document)) == 2


def test_an_object_drawn_by_two_people_counts_once(collection):
    ready(collection)
    (document,) = confirm(detected(collection, 1))
    draw(document, "dog", (300, 200, 30, 30))
    draw(document, "dog", (301, 200, 30, 31), by=OLE)
    assert [name for name, _ in boxes_on(build(dataset_of(collection)), document)].count("dog") == 1


def test_boxes_that_stand_over_the_border_are_cut_and_those_inside_stay_bit_for_bit(collection):
    ready(collection)
    (document,) = confirm(
        detected(collection, 1, detections=[make.found("bus", 0.9, (0.1 + 0.2, 7 / 3, 0.5, 1))])
    )
    row = GroundTruthBox.objects.get(image=document.image)
    GroundTruthBox.objects.create(
        image=document.image, object_class=row.object_class, cx=-5, cy=100, w=40, h=20
    )
    GroundTruthBox.objects.create(
        image=document.image, object_class=row.object_class, cx=-50, cy=100, w=40, h=20
    )
    version = build(dataset_of(collection))
    found = DatasetBox.objects.filter(item__dataset_version=version, item__image=document.image)
    assert set(found.values_list("cx", "cy", "w", "h")) == {(0.1 + 0.2, 7 / 3, 0.5, 1.0), (7.5, 100, 15, 20)}


def test_a_class_gets_its_index_when_it_first_enters_and_keeps_it(collection):
    extractor = collection.extractor_version.extractor
    classes = {row.name: row for row in ObjectClass.objects.all()}
    give_indices(extractor=extractor, class_ids=[classes["truck"].pk])
    train, _ = ready(collection)
    dataset = dataset_of(collection)
    first = build(dataset)
    names = ["truck", "bus", "person"]
    assert [one["name"] for one in first.classes] == names
    draw(train[0], "ant", (20, 20, 9, 9))
    assert ObjectClass.objects.get(name="ant").state == "proposed"
    second = build(dataset)
    assert [one["name"] for one in second.classes] == [*names, "ant"]
    assert ObjectClass.objects.get(name="ant").state == "active"
    first.refresh_from_db()
    assert [one["name"] for one in first.classes] == names


def test_renamed_retired_and_merged_classes_move_no_index(collection):
    ready(collection)
    dataset = dataset_of(collection)
    build(dataset)
    before = dict(ClassIndex.objects.values_list("object_class_id", "index"))
    bus, person, truck = ObjectClass.objects.order_by("name")
    ObjectClass.objects.filter(pk=bus.pk).update(name="zzz bus")
    ObjectClass.objects.filter(pk=person.pk).update(state="retired")
    ObjectClass.objects.filter(pk=truck.pk).update(merged_into=bus)
    version = build(dataset)
    assert dict(ClassIndex.objects.values_list("object_class_id", "index")) == before
    assert [one["name"] for one in version.classes] == ["zzz bus", "person", "truck"]
    indices = DatasetBox.objects.filter(item__dataset_version=version).values_list("class_index", flat=True)
    assert {before[bus.pk], before[person.pk]} == set(indices)
    assert DatasetBox.objects.filter(item__dataset_version=version, class_index=before[bus.pk]).count() == 10
