"""The queue that completes the holdout: its open boxes, and images on which nothing was found."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from extraction.intake.models import Image
from extraction.runs.domain import delete_documents
from extraction.truth.models import ImageReview
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from review.queues import domain
from review.queues.filling import remove_queue
from review.queues.holdout import NoHoldoutImage
from review.queues.models import Queue
from review.queues.queries import waiting_queues, waiting_total, work_on
from tests import factories as make
from tests.extraction.truth.looking import (
    BUS,
    TRUCK,
    box,
    confirm_all,
    declare_complete,
    exact,
    first_look,
    next_look,
    say,
    settle,
    take_back,
    waiting,
)

pytestmark = pytest.mark.django_db
SURE = [make.found("bus", 0.95, BUS)]


@pytest.fixture
def collection():
    namespace = make.make_namespace("demo")
    return make.make_collection(make.make_bucket(namespace), "street")


def held_out(collection, count=1, detections=()):
    documents = make.make_detected(collection, count, detections=detections)
    Image.objects.filter(documents__in=documents).update(split="holdout")
    return documents


def in_training(collection, count=1):
    Image.objects.filter(documents__in=make.make_detected(collection, count)).update(split="train")


def ensure(collection):
    return domain.ensure_holdout_queue(collection=collection)


def test_it_has_open_boxes_at_any_confidence_and_images_without_any(collection):
    (sure,), (bare,) = held_out(collection, detections=SURE), held_out(collection)
    in_training(collection, 2)
    queue = ensure(collection)
    assert waiting(sure, "holdout") == [("bus", ""), ("", "")]
    assert (queue.waiting_count, queue.kind, queue.name) == (2, "holdout", "Complete the holdout")
    assert ensure(collection) == queue
    assert len(waiting(bare, "holdout")) == 2
    assert waiting_total(collection.namespace_id) == {"review": 2 + 4}


def test_what_is_complete_already_does_not_wait(collection):
    done, empty = held_out(collection, detections=SURE), held_out(collection)
    confirm_all(done)
    declare_complete(image=empty[0].image)
    assert ensure(collection).waiting_count == 0


def test_a_collection_without_a_holdout_is_refused(collection):
    in_training(collection)
    with pytest.raises(NoHoldoutImage, match="No image of street is held out"):
        ensure(collection)


def test_new_chunks_come_into_it(collection):
    held_out(collection, detections=SURE)
    queue = ensure(collection)
    objects = make.make_objects(collection.buckets.get(), 2)
    Image.objects.filter(occurrences__in=objects).update(split="holdout")
    make.detect(collection, objects, [make.result(SURE), make.result([])])
    queue.refresh_from_db()
    assert queue.waiting_count == 3
    exact()
    make.detect(collection, objects[1:], [make.result(SURE)], dedup="replace")
    document = objects[1].documents.get()
    assert [name for name, _ in waiting(document, "holdout")] == ["bus", "bus", "bus"]
    make.detect(collection, objects[1:], [make.result([])], dedup="replace")
    assert sorted(name for name, _ in waiting(document, "holdout")) == ["", "bus", "bus"]


def test_saying_that_nothing_is_missing_ticks_an_image_off(collection):
    (bare,) = held_out(collection)
    queue, user = ensure(collection), make.make_user(collection.namespace)
    image = domain.next_image(queue=queue, user=user)
    assert work_on(queue, image, user).whole
    domain.declare_complete(image=image, user=user)
    assert waiting(bare, "holdout") == []
    assert ImageReview.objects.get(image=image).completeness == "verified_empty"
    queue.refresh_from_db()
    assert (queue.waiting_count, queue.done_count) == (0, 1)
    assert domain.next_image(queue=queue, user=user) is None
    domain.declare_complete(image=image, user=user)
    exact()


def test_an_image_that_becomes_complete_in_another_way_leaves(collection):
    (bare,) = held_out(collection)
    ensure(collection)
    declare_complete(image=bare.image)
    settle()
    assert waiting(bare, "holdout") == []
    declare_complete(image=bare.image, declared=False)
    settle()
    assert waiting(bare, "holdout") == [("", "")]


def test_an_image_leaves_with_its_document(collection):
    (bare,), (other,) = held_out(collection), held_out(collection)
    ensure(collection)
    delete_documents(documents=[bare], by=SYSTEM)
    assert waiting(other, "holdout") == [("", "")]
    settle()
    assert waiting(other, "holdout") == [("", "")]


def test_a_decision_taken_back_waits_again(collection):
    (sure,) = held_out(collection, detections=SURE)
    ensure(collection)
    (annotation,) = say(sure, "confirmed", box(sure, "bus").pk)
    settle()
    assert waiting(sure, "holdout") == []
    take_back(annotation)
    settle()
    assert waiting(sure, "holdout") == [("bus", "")]


def test_the_list_names_how_many_are_left_and_makes_the_queue(collection):
    held_out(collection, 3)
    (card,) = waiting_queues(collection.namespace)
    assert (card.held_out, card.holdout_queue) == (3, None)
    reviewer, manager = (
        make.make_user(collection.namespace, role=role) for role in (Role.REVIEWER, Role.MANAGER)
    )
    page = browser(reviewer).get("/n/demo/review/").content.decode()
    assert "3 held-out images are not complete" in page
    url = f"/n/demo/collections/{collection.public_id}/holdout/"
    assert url not in page
    assert url in browser(manager).get("/n/demo/review/").content.decode()
    assert browser(reviewer).post(url).status_code == 403
    answer = browser(manager).post(url)
    queue = Queue.objects.get(kind="holdout")
    assert answer["Location"] == f"/n/demo/review/{queue.public_id}/"
    focus = browser(manager).get(answer["Location"]).content.decode()
    assert '"whole": true' in focus
    assert '"Complete the holdout"' not in focus
    assert browser(manager).post("/n/demo/collections/col_none/holdout/").status_code == 404


def test_a_collection_without_a_holdout_says_so_on_the_page(collection):
    in_training(collection)
    page = browser(make.make_user(collection.namespace, role=Role.MANAGER)).post(
        f"/n/demo/collections/{collection.public_id}/holdout/", follow=True
    )
    assert "No image of street is held out" in page.content.decode()


def test_the_call_that_ticks_an_image_off_tells_the_progress(collection):
    (bare,) = held_out(collection)
    queue = ensure(collection)
    answer = browser(make.make_user(collection.namespace)).post(
        f"/n/demo/review/{queue.public_id}/complete/",
        json.dumps({"image_id": bare.image_id}),
        content_type="application/json",
    )
    assert answer.json()["progress"]["done"] == 1


def test_it_is_taken_away_like_a_retriever_s(collection):
    held_out(collection)
    remove_queue(queue=ensure(collection), by=SYSTEM)
    assert ensure(collection).waiting_count == 1


def browser(user):
    client = Client()
    client.force_login(user)
    return client


def test_boxes_that_wait_in_another_collection_do_not_keep_an_image_from_being_completed(collection):
    (document,) = first_look(collection.namespace, detections=SURE)
    Image.objects.filter(pk=document.image_id).update(split="holdout")
    (second,) = next_look([document], [make.found("truck", 0.9, TRUCK)])
    ensure(second.collection)
    confirm_all([second])
    settle()
    assert waiting(second, "holdout") == [("", "")]
    assert box(document, "bus").decided_label == ""
    user = make.make_user(collection.namespace)
    domain.declare_complete(image=document.image, user=user)
    assert waiting(second, "holdout") == []
