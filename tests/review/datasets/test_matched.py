"""Images with verdicts on one version and detections of the next, once these are matched."""

from __future__ import annotations

import pytest

from extraction.truth.models import DetectionMatch
from review.datasets.models import DatasetBox
from review.verdicts.domain import Verdict
from tests import factories as make
from tests.extraction.truth.looking import exact, settle
from tests.review.datasets.building import (
    OLE,
    build,
    confirm,
    dataset_of,
    declare,
    detected,
    draw,
    ready,
    say,
)
from tests.review.datasets.frozen import boxes_on, rerun

pytestmark = pytest.mark.django_db
AGAIN = [
    make.found("bus", 0.8, (163, 121, 198, 120)),
    make.found("person", 0.5, (61, 150, 40, 118)),
    make.found("truck", 0.95, (260, 61, 80, 60)),
]


@pytest.fixture
def collection():
    return make.make_collection(make.make_bucket(make.make_namespace()), "street")


def test_each_object_is_exported_once(collection):
    train, val = ready(collection, 2, 1)
    rerun(collection, "2.0.0", [*train, *val], [*AGAIN, make.found("truck", 0.6, (20, 20, 20, 20))])
    settle()
    assert DetectionMatch.objects.count() == 9
    version = build(dataset_of(collection))
    assert (version.image_count, version.box_count) == (3, 9)
    assert boxes_on(version, train[0]) == [
        ("bus", "annotation"),
        ("person", "annotation"),
        ("truck", "annotation"),
    ]
    assert set(DatasetBox.objects.filter(object_class__name="bus").values_list("cx", flat=True)) == {160}
    exact()


def test_what_the_next_version_does_not_show_is_not_known_by_what_it_does(collection):
    """One box of three is decided; the next version finds only this one, which is decided by that."""
    ready(collection)
    (document,) = detected(collection, 1)
    truck = make.detections_of(document)[0]
    say(collection.namespace, Verdict("confirmed", truck.pk))
    (second,) = rerun(collection, "2.0.0", [document], AGAIN[2:])
    settle()
    assert make.detections_of(second)[0].decided_label == "confirmed"
    version = build(dataset_of(collection))
    assert version.image_count == 5
    confirm([document])
    settle()
    assert build(dataset_of(collection, "after")).image_count == 6


def bus_of(document):
    return document.detections.get(current=True, object_class__name="bus")


def test_what_somebody_rejects_in_a_later_look_is_no_object_any_more(collection):
    train, val = ready(collection, 2, 1)
    seconds = rerun(collection, "2.0.0", [*train, *val], AGAIN)
    settle()
    (said,) = say(collection.namespace, Verdict("false_positive", bus_of(seconds[0]).pk), by=OLE)
    settle()
    version = build(dataset_of(collection))
    assert [name for name, _ in boxes_on(version, train[0])] == ["person", "truck"]
    assert [name for name, _ in boxes_on(version, train[1])] == ["bus", "person", "truck"]
    # Whoever looks again has the last word.
    say(collection.namespace, Verdict("confirmed", bus_of(train[0]).pk))
    settle()
    assert len(boxes_on(build(dataset_of(collection, "again")), train[0])) == 3
    assert said.label == "false_positive"


def test_a_second_box_over_an_object_that_is_rejected_takes_nothing_away(collection):
    train, val = ready(collection, 2, 1)
    doubled = [*AGAIN, make.found("bus", 0.6, (170, 120, 200, 120))]
    seconds = rerun(collection, "2.0.0", [*train, *val], doubled)
    settle()
    for second in seconds:
        (spare,) = second.detections.filter(current=True, decided_label="")
        say(collection.namespace, Verdict("false_positive", spare.pk))
    settle()
    version = build(dataset_of(collection))
    assert [name for name, _ in boxes_on(version, train[0])] == ["bus", "person", "truck"]


def test_a_box_that_somebody_drew_and_its_sloppy_detection_rejected_is_exported(collection):
    train, _ = ready(collection, 2, 1)
    bus = bus_of(train[0])
    draw(train[0], "bus", (bus.cx + 10, bus.cy, bus.w, bus.h))
    say(collection.namespace, Verdict("false_positive", bus.pk))
    (second,) = rerun(collection, "2.0.0", train[:1], AGAIN)
    settle()
    say(collection.namespace, Verdict("false_positive", bus_of(second).pk))
    declare(train[0])
    version = build(dataset_of(collection))
    assert [name for name, _ in boxes_on(version, train[0])] == ["bus", "person", "truck"]
