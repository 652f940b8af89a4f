"""Queues of a later version: what it says differently than is known, and what it does not find any more."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.runs.domain import delete_documents
from extraction.truth.models import MatchWish
from mixcv.tenancy.actors import SYSTEM
from review.queues import domain
from review.queues.differing import GONE, NEW
from review.queues.models import QueueItem
from review.queues.payload import colours_of, work_data
from review.queues.queries import work_on
from tests import factories as make
from tests.extraction.truth.looking import (
    BUS,
    OLE,
    PERSON,
    TRUCK,
    box,
    confirm_all,
    declare_complete,
    draw,
    exact,
    first_look,
    next_look,
    queue_of,
    say,
    settle,
    take_back,
    waiting,
)

pytestmark = pytest.mark.django_db
CALLED_TRUCK = ("truck", "A reviewer called this bus; this version says truck")


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def reviewed(namespace):
    documents = first_look(namespace)
    confirm_all(documents)
    return documents


DIFFERENT = [make.found("truck", 0.95, BUS), make.found("truck", 0.9, TRUCK)]


def test_a_reviewed_image_has_disagreements_new_and_vanished_boxes(reviewed):
    (second,) = next_look(reviewed, DIFFERENT)
    assert waiting(second) == [CALLED_TRUCK, ("truck", NEW)]
    settle()
    assert waiting(second) == [CALLED_TRUCK, ("person", GONE), ("truck", NEW)]
    assert waiting(reviewed[0]) == []


def test_what_it_finds_again_does_not_wait_however_unsure(reviewed):
    (second,) = next_look(reviewed, [make.found("bus", 0.2, BUS), make.found("person", 0.1, PERSON)])
    settle()
    assert waiting(second) == []


def test_a_second_box_over_a_known_object_says_so(reviewed):
    boxes = [
        make.found("bus", 0.9, BUS),
        make.found("bus", 0.8, (110, 100, 60, 40)),
        make.found("person", 0.9, PERSON),
    ]
    (second,) = next_look(reviewed, boxes)
    settle()
    assert waiting(second) == [("bus", "Another box shows this bus better")]


def test_on_an_image_that_nobody_reviewed_the_doubtful_ones_wait(namespace):
    documents = first_look(namespace)
    (second,) = next_look(documents, [*DIFFERENT, make.found("person", 0.3, PERSON)])
    settle()
    assert waiting(second) == [("person", "")]


def test_half_an_older_look_is_not_known(namespace):
    documents = first_look(namespace)
    say(documents[0], "confirmed", box(documents[0], "bus").pk)
    (second,) = next_look(documents, DIFFERENT)
    settle()
    assert waiting(second) == []
    declare_complete(image=documents[0].image)
    settle()
    assert waiting(second) == [], "boxes of the older look wait"
    say(documents[0], "confirmed", box(documents[0], "person").pk)
    settle()
    assert waiting(second) == [CALLED_TRUCK, ("person", GONE), ("truck", NEW)]


def test_what_becomes_known_later_adds_items_and_what_is_taken_back_removes_them(namespace):
    documents = first_look(namespace, detections=[make.found("bus", 0.9, BUS)])
    (second,) = next_look(documents, [make.found("truck", 0.95, BUS), make.found("truck", 0.5, TRUCK)])
    assert waiting(second) == [("truck", "")]
    (annotation,) = say(documents[0], "confirmed", box(documents[0], "bus").pk)
    settle()
    assert waiting(second) == [CALLED_TRUCK, ("truck", NEW)]
    take_back(annotation)
    settle()
    assert waiting(second) == [("truck", "")]
    item = QueueItem.objects.get(queue=queue_of(second), state="waiting")
    assert item.score == 0.5


def test_a_match_that_goes_lets_its_box_wait_again(namespace):
    documents = first_look(namespace)
    (second,) = next_look(documents, [make.found("bus", 0.3, BUS)])
    assert waiting(second) == [("bus", "")]
    (annotation,) = say(documents[0], "confirmed", box(documents[0], "bus").pk)
    settle()
    assert waiting(second) == []
    take_back(annotation)
    settle()
    assert waiting(second) == [("bus", "")]
    queue = queue_of(second)
    assert (queue.waiting_count, queue.done_count) == (1, 0)


def test_a_box_matched_before_it_could_wait_waits_when_its_match_goes(namespace):
    documents = first_look(namespace)
    (annotation,) = say(documents[0], "confirmed", box(documents[0], "bus").pk)
    (second,) = next_look(documents, [make.found("bus", 0.3, BUS)])
    assert waiting(second) == []
    take_back(annotation)
    settle()
    assert waiting(second) == [("bus", "")]


def test_a_vanished_box_is_asked_about_once(reviewed):
    (second,) = next_look(reviewed, [make.found("bus", 0.9, BUS)])
    settle()
    person = box(reviewed[0], "person")
    assert waiting(second) == [("person", GONE)]
    (annotation,) = say(reviewed[0], "confirmed", person.pk)
    assert waiting(second) == []
    settle()
    assert waiting(second) == []
    take_back(annotation)
    assert waiting(second) == [("person", GONE)]
    settle()
    assert waiting(second) == [("person", GONE)]
    (others,) = say(reviewed[0], "false_positive", person.pk, by=OLE)
    settle()
    assert waiting(second) == []
    take_back(others, by=OLE)
    settle()
    assert waiting(second) == [("person", GONE)]


def test_what_the_next_generation_finds_has_not_vanished(reviewed):
    (second,) = next_look(reviewed, [make.found("bus", 0.9, BUS)])
    settle()
    assert waiting(second) == [("person", GONE)]
    again = [make.found("bus", 0.9, BUS), make.found("person", 0.2, PERSON)]
    make.detect(second.collection, [second.object], [make.result(again)], dedup="replace")
    settle()
    assert waiting(second) == []


def test_a_vanished_box_goes_with_its_generation(reviewed):
    (second,) = next_look(reviewed, [make.found("bus", 0.9, BUS)])
    settle()
    make.detect(
        reviewed[0].collection,
        [reviewed[0].object],
        [make.result([make.found("bus", 0.9, BUS)])],
        dedup="replace",
    )
    assert waiting(second) == []
    settle()
    assert waiting(second) == []


def test_deleting_the_later_look_leaves_counts_right(reviewed):
    (second,) = next_look(reviewed, DIFFERENT)
    settle()
    delete_documents(documents=[second], by=SYSTEM)
    exact()
    settle()
    exact()
    assert queue_of(second).waiting_count == 0


def test_focus_mode_has_the_older_look_s_box_with_its_verdict_and_the_reason(reviewed):
    (second,) = next_look(reviewed, [make.found("bus", 0.9, BUS)])
    settle()
    queue, user = queue_of(second), make.make_user(reviewed[0].collection.namespace)
    assert domain.next_image(queue=queue, user=user) == second.image
    work = work_on(queue, second.image, user)
    first, known = work.boxes
    assert (first.id, first.waits, first.decided_label) == (box(reviewed[0], "person").pk, True, "confirmed")
    assert first.reason == GONE
    assert (known.id, known.waits) == (box(second, "bus").pk, False)
    assert work_data(work, colours_of(queue))["boxes"][0]["reason"] == GONE


def test_another_threshold_keeps_what_differs(reviewed):
    (second,) = next_look(reviewed, DIFFERENT)
    settle()
    domain.set_threshold(queue=queue_of(second), below=0.1, by=SYSTEM)
    assert len(waiting(second)) == 3
    domain.set_threshold(queue=queue_of(second), below=0.99, by=SYSTEM)
    assert len(waiting(second)) == 3


def test_imported_truth_is_named_as_such(reviewed):
    truth = box(reviewed[0], "bus").truth.get()
    truth.evidence, truth.origin, truth.imported = (
        "",
        "import",
        {"class": truth.object_class_id, "box": list(BUS)},
    )
    truth.save()
    (second,) = next_look(reviewed, DIFFERENT)
    assert waiting(second)[0][1] == "The imported truth calls this bus; this version says truck"


def test_statements_do_not_grow_with_what_differs(namespace):
    documents = first_look(namespace, 4)
    confirm_all(documents)
    next_look(documents, DIFFERENT)
    settle()
    costs = []
    for group in (documents[:1], documents[1:]):
        draws = [draw(one, "person", (200, 200, 20, 20)) for one in group]
        assert MatchWish.objects.count() == len(draws)
        with CaptureQueriesContext(connection) as captured:
            settle()
        costs.append(len(captured))
    assert costs[0] == costs[1], costs
