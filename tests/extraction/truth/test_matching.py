"""Detections of a later version against what is known: matched, moved, let go; each object once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.classes.domain import ensure_classes
from extraction.classes.models import ObjectClass
from extraction.intake.models import Image
from extraction.runs.domain import delete_documents
from extraction.truth.models import DetectionMatch, GroundTruthBox, ImageReview, MatchWish
from extraction.truth.rematch import rematch
from mixcv.tenancy.actors import SYSTEM
from tests import factories as make
from tests.extraction.truth.looking import (
    BUS,
    INES,
    OLE,
    PERSON,
    TRUCK,
    box,
    confirm_all,
    draw,
    exact,
    first_look,
    next_look,
    say,
    settle,
    states,
    take_back,
)

pytestmark = pytest.mark.django_db
NEAR = (103, 101, 58, 41)
AGAIN = [make.found("bus", 0.8, NEAR), make.found("person", 0.7, PERSON), make.found("truck", 0.6, TRUCK)]
KNOWN = ("confirmed", "bus", True)
OPEN = ("", "", False)


@pytest.fixture
def namespace():
    return make.make_namespace()


def test_what_another_version_found_again_is_decided_when_it_is_written(namespace):
    documents = first_look(namespace)
    confirm_all(documents)
    (second,) = next_look(documents, AGAIN)
    assert states(second) == [KNOWN, ("confirmed", "person", True), OPEN]
    match = DetectionMatch.objects.get(detection=box(second, "bus"))
    assert match.truth.detection == box(documents[0], "bus")
    assert match.iou == pytest.approx(0.869, abs=0.01)
    assert GroundTruthBox.objects.count() == 2


def test_one_detection_to_one_object_the_best_covered_first(namespace):
    documents = first_look(namespace, detections=[make.found("bus", 0.9, BUS)])
    confirm_all(documents)
    (second,) = next_look(
        documents, [make.found("bus", 0.9, (110, 100, 60, 40)), make.found("bus", 0.3, NEAR)]
    )
    assert states(second) == [OPEN, KNOWN]


def test_what_a_person_rejected_in_another_look_is_rejected(namespace):
    documents = first_look(namespace)
    say(documents[0], "confirmed", box(documents[0], "person").pk)
    (annotation,) = say(documents[0], "false_positive", box(documents[0], "bus").pk)
    (second,) = next_look(documents, AGAIN)
    assert states(second)[0] == ("false_positive", "", True)
    take_back(annotation)
    settle()
    assert states(second)[0] == OPEN
    assert states(documents[0])[0] == OPEN


def test_a_verdict_that_comes_later_and_one_that_goes(namespace):
    documents = first_look(namespace)
    (second,) = next_look(documents, AGAIN)
    assert states(second) == [OPEN, OPEN, OPEN]
    (annotation,) = say(documents[0], "confirmed", box(documents[0], "bus").pk)
    settle()
    assert states(second) == [KNOWN, OPEN, OPEN]
    say(documents[0], "corrected", box(documents[0], "bus").pk, class_name="truck")
    settle()
    assert states(second)[0] == OPEN, "of another class now"
    take_back(annotation)
    settle()
    assert states(second)[0] == KNOWN
    take_back(annotation)
    settle()
    assert states(second)[0] == OPEN
    assert not DetectionMatch.objects.exists()
    exact()


def test_a_match_moves_to_the_object_that_it_covers_better(namespace):
    documents = first_look(namespace, detections=[make.found("bus", 0.9, (112, 100, 60, 40))])
    confirm_all(documents)
    (second,) = next_look(documents, [make.found("bus", 0.8, BUS)])
    drawn = draw(documents[0], "bus", BUS, by=OLE)
    settle()
    assert DetectionMatch.objects.get().truth.evidence == drawn.public_id
    assert states(second) == [KNOWN]
    take_back(drawn, by=OLE)
    settle()
    assert DetectionMatch.objects.get().truth.detection == box(documents[0], "bus")


def test_a_person_s_own_verdict_holds_and_its_retraction_brings_the_match_back(namespace):
    documents = first_look(namespace)
    confirm_all(documents)
    (second,) = next_look(documents, AGAIN)
    (annotation,) = say(second, "corrected", box(second, "bus").pk, by=OLE, class_name="tram")
    settle()
    assert states(second)[0] == ("corrected", "tram", False)
    take_back(annotation, by=OLE)
    settle()
    assert states(second)[0] == KNOWN
    exact()


def test_an_object_that_two_looks_decided_is_one(namespace):
    """The second box over a bus that a person confirmed in this very look stays open."""
    documents = first_look(namespace, detections=[make.found("bus", 0.9, BUS)])
    confirm_all(documents)
    pair = [make.found("bus", 0.9, BUS), make.found("bus", 0.5, (110, 100, 60, 40))]
    (second,) = next_look(documents, pair)
    say(second, "confirmed", make.detections_of(second)[0].pk, by=OLE)
    settle()
    assert states(second) == [("confirmed", "bus", False), OPEN]
    (third,) = next_look(documents, pair, "3.0.0")
    assert states(third) == [KNOWN, OPEN]


def test_a_new_generation_of_a_document_is_another_look(namespace):
    documents = first_look(namespace)
    confirm_all(documents)
    old = box(documents[0], "bus")
    make.detect(documents[0].collection, [documents[0].object], [make.result(AGAIN)], dedup="replace")
    assert states(documents[0]) == [KNOWN, ("confirmed", "person", True), OPEN]
    make.detect(documents[0].collection, [documents[0].object], [make.result(AGAIN)], dedup="replace")
    assert DetectionMatch.objects.count() == 2, "what is no longer current is matched to nothing"
    assert DetectionMatch.objects.filter(truth__detection=old).exists()
    settle()
    assert states(documents[0]) == [KNOWN, ("confirmed", "person", True), OPEN]
    exact()


def test_merged_classes_are_one(namespace):
    documents = first_look(namespace)
    confirm_all(documents)
    coach = ensure_classes(namespace=namespace, names=["coach"])["coach"]
    ObjectClass.objects.filter(pk=coach.pk).update(merged_into=box(documents[0], "bus").object_class)
    # A detector's class that is merged is written as what it is merged into; one that was merged later is not.
    (second,) = next_look(documents, [make.found("truck", 0.8, BUS)])
    second.detections.update(object_class=coach)
    say(documents[0], "confirmed", box(documents[0], "bus").pk, by=OLE)
    settle()
    assert states(second) == [KNOWN]


def test_imported_truth_is_linked_once_and_matched_in_other_looks(namespace):
    documents = first_look(namespace)
    bus = box(documents[0], "bus")
    told = {"class": bus.object_class_id, "box": list(NEAR)}
    GroundTruthBox.objects.create(
        image=documents[0].image, object_class=bus.object_class, cx=103, cy=101, w=58, h=41, origin="import",
        imported=told,
    )  # fmt: skip
    MatchWish.objects.create(image=documents[0].image)
    settle()
    assert states(documents[0])[0] == ("confirmed", "bus", False)
    (second,) = next_look(documents, AGAIN)
    assert states(second)[0] == KNOWN
    assert GroundTruthBox.objects.get().detection == bus


def test_matching_again_changes_nothing(namespace):
    documents = first_look(namespace, 2)
    confirm_all(documents)
    seconds = next_look(documents, AGAIN)
    settle()
    before = list(DetectionMatch.objects.order_by("pk").values()), [box(d, "bus").revision for d in seconds]
    MatchWish.objects.bulk_create([MatchWish(image=one.image) for one in documents * 2])
    settle()
    assert before == (
        list(DetectionMatch.objects.order_by("pk").values()),
        [box(d, "bus").revision for d in seconds],
    )
    exact()


def test_the_number_of_statements_does_not_grow_with_the_images(namespace):
    costs = []
    documents = first_look(namespace, 4)
    next_look(documents, AGAIN)
    settle()
    for group in (documents[:1], documents[1:]):
        confirm_all(group)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert rematch() > 0
        costs.append(len(captured))
    assert costs[0] == costs[1], costs


def test_images_with_one_look_are_not_matched_again(namespace):
    documents = first_look(namespace)
    Image.objects.update(split="train")
    MatchWish.objects.all().delete()
    confirm_all(documents)
    assert not MatchWish.objects.exists()


def test_a_look_that_goes_takes_what_it_rejected_along(namespace):
    documents = first_look(namespace)
    (annotation,) = say(documents[0], "false_positive", box(documents[0], "bus").pk)
    (second,) = next_look(documents, AGAIN)
    assert states(second)[0][0] == "false_positive"
    take_back(annotation)
    delete_documents(documents=documents, by=SYSTEM)
    assert states(second)[0][0] == "false_positive"
    settle()
    assert states(second)[0] == OPEN
    exact()


def test_a_whole_image_stays_whole_when_a_later_version_finds_something_new(namespace):
    documents = first_look(namespace)
    confirm_all(documents)
    (second,) = next_look(documents, AGAIN)
    settle()
    review = ImageReview.objects.get(image=documents[0].image)
    assert review.completeness == "complete"
    say(second, "false_positive", box(second, "truck").pk, by=INES)
    settle()
    review.refresh_from_db()
    assert review.completeness == "complete"


def test_a_box_drawn_over_an_imported_one_is_that_object(namespace):
    documents = first_look(namespace)
    truck = ensure_classes(namespace=namespace, names=["truck"])["truck"]
    row = GroundTruthBox.objects.create(
        image=documents[0].image, object_class=truck, cx=60, cy=200, w=40, h=20, origin="import",
        imported={"class": truck.pk, "box": [60, 200, 40, 20]},
    )  # fmt: skip
    drawn = draw(documents[0], "truck", (62, 201, 40, 20))
    row.refresh_from_db()
    assert (row.evidence, row.cx, GroundTruthBox.objects.count()) == (drawn.public_id, 62, 1)
    other = draw(documents[0], "truck", (160, 201, 40, 20))
    assert GroundTruthBox.objects.count() == 2
    take_back(drawn)
    row.refresh_from_db()
    assert (row.evidence, row.cx, row.state) == ("", 60, "active")
    take_back(other)
    assert GroundTruthBox.objects.filter(state="active").count() == 1


def test_one_transaction_holds_the_detections_of_few_images_only():
    (document,) = first_look(make.make_namespace())
    MatchWish.objects.bulk_create([MatchWish(image_id=document.image_id)] * 120)
    assert rematch() <= 64
    settle()
    assert not MatchWish.objects.exists()
