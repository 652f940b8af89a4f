"""Queues that are filled while somebody decides: nobody is thrown out, and nothing decided waits."""

from __future__ import annotations

import contextlib
import threading

import pytest
from django.db import connection, transaction

from extraction.search.domain import create_retriever
from mixcv.celery import app
from mixcv.tenancy.actors import SYSTEM, Actor
from review.queues import domain
from review.queues.filling import NothingWaits, open_as_queues
from review.queues.models import Queue, QueueItem
from review.verdicts.domain import Verdict, record_verdicts
from tests import factories as make
from tests.extraction.search.searches import stage, where
from tests.review.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
INES = Actor("ines")


@pytest.fixture(autouse=True)
def _no_worker_fills(monkeypatch):
    """The session's worker would fill the queue while a test counts its items."""
    monkeypatch.setattr(app, "send_task", lambda *args, **kwargs: None)


@pytest.fixture
def collection():
    return make.make_collection(make.make_bucket(make.make_namespace()), "street")


def lower(queue):
    return lambda: domain.set_threshold(queue=queue, below=0.7, by=SYSTEM)


def opened(collection):
    buses = stage("attribute_filter", "buses", filters=where("class", "eq", "bus"))
    retriever = create_retriever(
        namespace=collection.namespace, name="buses", stages=[buses], unit="detection"
    )
    return retriever, lambda: open_as_queues(retriever=retriever, inputs={}, by=SYSTEM)


@pytest.mark.parametrize("how", ["threshold", "retriever"])
def test_a_verdict_while_its_queue_is_filled(collection, how):
    """The verdict has the box and wants the queue; the filling has the queue and puts the box into it."""
    make.make_detected(collection, 1, detections=[make.found("bus", 0.4)])
    queue = make.queue_of(collection)
    if how == "threshold":
        fill = lower(queue)
    else:
        retriever, fill = opened(collection)
        fill()
        queue = Queue.objects.get(retriever=retriever)
    new = make.make_detected(collection, 1, detections=[make.found("bus", 0.75)])[0]
    old = make.make_detected(collection, 1, detections=[make.found("bus", 0.3)])[0]
    QueueItem.objects.filter(detection=new.detections.get()).delete()
    Queue.objects.filter(pk=queue.pk).update(waiting_count=QueueItem.objects.filter(queue=queue).count())
    both = [Verdict("confirmed", one.detections.get().pk) for one in (new, old)]
    if how == "threshold":
        fill = lambda: domain.set_threshold(queue=queue, below=0.8, by=SYSTEM)  # noqa: E731

    outcomes = at_once(
        lambda: record_verdicts(namespace=collection.namespace, verdicts=both, by=INES),
        fill,
        before=r"SELECT id FROM review_queue WHERE|INSERT INTO review_queueitem",
    )
    assert not [one for one in outcomes if isinstance(one, Exception)], outcomes
    check(queue)


def check(queue):
    """What is decided does not wait, and the counts are those of the items."""
    waiting = QueueItem.objects.filter(queue=queue, state="waiting")
    assert not waiting.exclude(detection__decided_label="").exists()
    queue.refresh_from_db()
    assert queue.waiting_count == waiting.count()


@pytest.mark.parametrize("how", ["threshold", "retriever"])
def test_a_queue_that_is_opened_while_a_verdict_is_not_yet_there(collection, how):
    document = make.make_detected(collection, 1, detections=[make.found("bus", 0.75)])[0]
    key = document.detections.get().pk
    if how == "threshold":
        queue = make.queue_of(collection)
        fill = lambda: domain.set_threshold(queue=queue, below=0.8, by=SYSTEM)  # noqa: E731
    else:
        _, fill = opened(collection)
    decided, filled = threading.Event(), threading.Event()

    def decide():
        try:
            with transaction.atomic():
                record_verdicts(namespace=collection.namespace, verdicts=[Verdict("confirmed", key)], by=INES)
                decided.set()
                filled.wait(1)
        finally:
            connection.close()

    thread = threading.Thread(target=decide)
    thread.start()
    assert decided.wait(10)
    with contextlib.suppress(NothingWaits):
        fill()
    filled.set()
    thread.join()
    for queue in Queue.objects.all():
        check(queue)


def test_an_image_is_put_behind_while_its_boxes_are_decided(collection):
    """Items are changed under their queue's lock."""
    document = make.make_detected(
        collection, 1, detections=[make.found("bus", n / 100) for n in (10, 20, 30)]
    )[0]
    queue, user = make.queue_of(collection), make.make_user(collection.namespace)
    keys = [one.pk for one in make.detections_of(document)]
    outcomes = at_once(
        lambda: record_verdicts(
            namespace=collection.namespace, verdicts=[Verdict("confirmed", key) for key in keys], by=INES
        ),
        lambda: domain.skip_image(queue=queue, image=document.image, user=user),
        before=r"UPDATE .?review_queueitem",
    )
    assert not [one for one in outcomes if isinstance(one, Exception)], outcomes
    check(queue)
