"""Images with verdicts on one version and detections of the next, once these are matched."""

from __future__ import annotations

import pytest

from extraction.truth.models import DetectionMatch
from review.datasets.models import DatasetBox
from review.verdicts.domain import Verdict
from tests import factories as make
from tests.extraction.truth.looking import exact, settle
from tests.review.datasets.building import build, confirm, dataset_of, detected, ready, say
from tests.review.datasets.test_build import boxes_on, rerun

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
