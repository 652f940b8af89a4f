"""A retriever opened as a review queue: what waits, in which order, and what its verdicts name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from extraction.runs.models import Collection
from extraction.search.domain import create_retriever, delete_retriever
from extraction.search.models import Execution, Retriever
from mixcv.celery import app
from mixcv.kernel.errors import InvalidInput
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from review.queues import domain, filling, tasks
from review.queues.filling import NothingWaits, open_as_queues
from review.queues.models import Queue, QueueItem
from review.queues.queries import waiting_total
from review.verdicts.models import Annotation
from tests import factories
from tests.extraction.search.searches import stage, where

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection() -> Collection:
    return factories.make_collection(factories.make_bucket(factories.make_namespace("demo")), "street")


def made(collection: Collection, *stages: Any, unit: str = "detection") -> Retriever:
    return create_retriever(namespace=collection.namespace, name="buses", stages=list(stages), unit=unit)


def waiting(queue: Queue) -> list[int]:
    rows = QueueItem.objects.filter(queue=queue, state="waiting").order_by("score", "id")
    return list(rows.values_list("detection_id", flat=True))


def everything(collection: Collection) -> Retriever:
    sure = stage("attribute_filter", "all", filters=where("confidence", "gte", 0))
    return create_retriever(namespace=collection.namespace, name="all", stages=[sure], unit="detection")


BUSES = stage("attribute_filter", "buses", filters=where("class", "eq", "bus"))


def test_undecided_boxes_wait_the_least_sure_first(collection: Collection) -> None:
    shots = [factories.found("bus", confidence) for confidence in (0.9, 0.2, 0.5)]
    document = factories.make_detected(collection, 1, detections=shots)[0]
    best, middle, least = factories.detections_of(document)
    type(best).objects.filter(pk=middle.pk).update(decided_label="confirmed")
    (queue,) = open_as_queues(retriever=made(collection, BUSES), inputs={}, by=SYSTEM)
    assert waiting(queue) == [least.pk, best.pk]
    assert (queue.waiting_count, queue.name) == (2, "buses")
    assert queue.stage_name == "buses"


def test_the_retrievers_order_is_the_queues(collection: Collection) -> None:
    shots = [factories.found("bus", confidence) for confidence in (0.9, 0.2, 0.5)]
    document = factories.make_detected(collection, 1, detections=shots)[0]
    keys = [one.pk for one in factories.detections_of(document)]
    order = stage("sort_attribute", field="confidence", direction="desc")
    (queue,) = open_as_queues(retriever=made(collection, BUSES, order), inputs={}, by=SYSTEM)
    assert waiting(queue) == keys


def test_of_images_all_undecided_boxes_wait(collection: Collection) -> None:
    pairs = [[factories.found("bus", sure), factories.found("person", 0.1)] for sure in (0.8, 0.6)]
    one, two = (factories.make_detected(collection, 1, detections=pair)[0] for pair in pairs)
    low = stage("sort_attribute", field="detections.0.confidence")
    (queue,) = open_as_queues(retriever=made(collection, low, unit="document"), inputs={}, by=SYSTEM)
    documents = QueueItem.objects.filter(queue=queue).order_by("score", "id")
    assert list(documents.values_list("detection__document_id", flat=True)) == [
        two.pk,
        two.pk,
        one.pk,
        one.pk,
    ]


def test_opened_again_it_gets_what_is_new(collection: Collection) -> None:
    first = factories.make_detected(collection, 1, detections=[factories.found("bus", 0.5)])[0]
    retriever = made(collection, BUSES, stage("limit", limit=100))
    (queue,) = open_as_queues(retriever=retriever, inputs={}, by=SYSTEM)
    second = factories.make_detected(collection, 1, detections=[factories.found("bus", 0.4)])[0]
    assert len(waiting(queue)) == 1  # a search that ranks is not filled by itself
    (again,) = open_as_queues(retriever=retriever, inputs={}, by=SYSTEM)
    assert again == queue
    assert set(waiting(queue)) == {one.detections.get().pk for one in (first, second)}
    queue.refresh_from_db()
    assert queue.waiting_count == 2


class Sent:
    """The tasks that committing sends; each message is handed over twice, as may happen."""

    def __init__(self) -> None:
        self.messages: list[list[Any]] = []

    def __call__(self, name: str, args: list[Any], **_: Any) -> None:
        if name == filling.TASK:
            self.messages.append(args)

    def work(self) -> None:
        for args in self.messages * 2:
            tasks.fill_queues(*args)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    sent = Sent()
    monkeypatch.setattr(app, "send_task", sent)
    return sent


def test_new_detections_come_by_themselves(
    collection: Collection, sent: Sent, django_capture_on_commit_callbacks: Any
) -> None:
    factories.make_detected(collection, 1, detections=[factories.found("bus", 0.5)])
    (queue,) = open_as_queues(retriever=made(collection, BUSES), inputs={}, by=SYSTEM)
    with django_capture_on_commit_callbacks(execute=True):
        factories.make_detected(
            collection, 1, detections=[factories.found("bus", 0.95), factories.found("truck", 0.2)]
        )
    assert len(waiting(queue)) == 1  # not in the transaction that writes them
    sent.work()
    queue.refresh_from_db()
    assert (len(waiting(queue)), queue.waiting_count) == (2, 2)


def test_new_detections_of_a_sorted_search_come_behind(
    collection: Collection, sent: Sent, django_capture_on_commit_callbacks: Any
) -> None:
    factories.make_detected(collection, 2, detections=[factories.found("bus", 0.5)])
    order = stage("sort_attribute", field="confidence", direction="desc")
    (queue,) = open_as_queues(retriever=made(collection, BUSES, order), inputs={}, by=SYSTEM)
    before = waiting(queue)
    with django_capture_on_commit_callbacks(execute=True):
        new = factories.make_detected(collection, 1, detections=[factories.found("bus", 0.95)])[0]
    sent.work()
    assert waiting(queue) == [*before, new.detections.get().pk]


@pytest.mark.parametrize(
    "ranking",
    [
        stage("limit", limit=5),
        stage("sample", count=5),
        stage("group_by", group_by_field="class"),
        stage("feature_search", searches=[{"feature_uri": "mixcv://x@1/y", "query": "a bus"}]),
        stage("feature_search", final_top_k=5),
    ],
    ids=lambda one: one["config"]["stage_id"],
)
def test_what_ranks_or_chooses_is_not_run_for_new_detections(
    collection: Collection,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
    ranking: Any,
) -> None:
    factories.make_detected(collection, 1, detections=[factories.found("bus", 0.5)])
    retriever = made(collection, BUSES)
    open_as_queues(retriever=retriever, inputs={}, by=SYSTEM)
    Retriever.objects.filter(pk=retriever.pk).update(stages=[*retriever.stages, ranking])
    ran: list[Any] = []
    monkeypatch.setattr(filling, "selection_of", lambda **asked: ran.append(asked))
    with django_capture_on_commit_callbacks(execute=True):
        document = factories.make_detected(collection, 1, detections=[factories.found("bus", 0.9)])[0]
    assert sent.messages == []
    filling.fill_from_retrievers(collection_id=collection.pk, document_ids=[document.pk])
    assert ran == []


def test_a_search_without_a_query_only_filters(collection: Collection) -> None:
    filters = stage("feature_search", filters=where("class", "eq", "bus"))
    assert filling.fills_itself(made(collection, filters))


def test_each_collection_has_its_queue(collection: Collection) -> None:
    other = factories.make_collection(factories.make_bucket(collection.namespace), "yard")
    for one in (collection, other):
        factories.make_detected(one, 1, detections=[factories.found("bus", 0.5)])
    queues = open_as_queues(retriever=made(collection, BUSES), inputs={}, by=SYSTEM)
    assert [queue.name for queue in queues] == ["buses · street", "buses · yard"]
    assert [len(waiting(queue)) for queue in queues] == [1, 1]


def test_where_nothing_waits_no_queue_is_made(collection: Collection) -> None:
    with pytest.raises(NothingWaits, match="no box that is still undecided"):
        open_as_queues(retriever=made(collection, BUSES), inputs={}, by=SYSTEM)
    assert Queue.objects.count() == 1


def test_it_has_no_threshold(collection: Collection) -> None:
    factories.make_detected(collection, 1, detections=[factories.found("bus", 0.5)])
    (queue,) = open_as_queues(retriever=made(collection, BUSES), inputs={}, by=SYSTEM)
    with pytest.raises(InvalidInput, match="change the retriever"):
        domain.set_threshold(queue=queue, below=0.5, by=SYSTEM)


def test_in_the_browser_its_verdicts_name_retriever_and_execution(collection: Collection) -> None:
    document = factories.make_detected(collection, 1, detections=[factories.found("bus", 0.9)])[0]
    retriever = made(collection, BUSES)
    browser = Client()
    browser.force_login(factories.make_user(collection.namespace, name="ines", role=Role.MANAGER))
    opened = browser.post(f"/n/demo/retrievers/{retriever.public_id}/queue/")
    queue = Queue.objects.get(retriever=retriever)
    assert opened["Location"] == f"/n/demo/review/{queue.public_id}/"
    page = browser.get(opened["Location"]).content.decode()
    execution = Execution.objects.get(mode="queue")
    assert execution.public_id in page
    assert "found by buses" in page
    body = {
        "key": "k1",
        "label": "confirmed",
        "detection_id": document.detections.get().pk,
        "class_name": "bus",
        "revision": 0,
        "execution": execution.public_id,
    }
    answer = browser.post(
        f"/n/demo/review/{queue.public_id}/verdict/", json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == 200
    row = Annotation.objects.get()
    assert (row.retriever_ref, row.execution_ref, row.stage_name) == (
        retriever.public_id,
        execution.public_id,
        "buses",
    )
    assert execution.retriever == retriever
    queue.refresh_from_db()
    assert (queue.waiting_count, queue.done_count) == (0, 1)
    review = browser.get("/n/demo/review/").content.decode()
    assert "Nothing that the retriever buses found is undecided." in review or "All 1 are decided." in review


def test_inputs_are_read_by_their_types_as_on_the_retrievers_page(collection: Collection) -> None:
    for confidence in (0.5, 0.95):
        factories.make_detected(collection, 1, detections=[factories.found("bus", confidence)])
    retriever = create_retriever(
        namespace=collection.namespace,
        name="unsure",
        stages=[
            stage("attribute_filter", "unsure", filters=where("confidence", "lt", "{{INPUT.most}}")),
        ],
        input_schema={"most": {"type": "number", "required": True}, "note": {"type": "text"}},
        unit="detection",
    )
    browser = Client()
    browser.force_login(factories.make_user(collection.namespace, role=Role.MANAGER))
    sent = {"input-most": "0.9", "input-note": ""}
    answer = browser.post(f"/n/demo/retrievers/{retriever.public_id}/queue/", sent, follow=True)
    assert "must be a number" not in answer.content.decode()
    assert len(waiting(Queue.objects.get(retriever=retriever))) == 1


def test_nothing_to_review_is_told(collection: Collection) -> None:
    retriever = made(collection, BUSES)
    browser = Client()
    browser.force_login(factories.make_user(collection.namespace, role=Role.MANAGER))
    answer = browser.post(f"/n/demo/retrievers/{retriever.public_id}/queue/", follow=True)
    assert "no box that is still undecided" in answer.content.decode()


def test_a_box_that_waits_in_two_queues_counts_once(collection: Collection, monkeypatch: Any) -> None:
    factories.make_detected(collection, 3)  # of three boxes each, two of them doubtful
    assert waiting_total(collection.namespace_id) == {"review": 6}
    open_as_queues(retriever=made(collection, BUSES), inputs={}, by=SYSTEM)
    open_as_queues(retriever=everything(collection), inputs={}, by=SYSTEM)
    assert QueueItem.objects.filter(state="waiting").count() == 6 + 3 + 9
    assert waiting_total(collection.namespace_id) == {"review": 9}
    monkeypatch.setattr("review.queues.queries.MOST_COUNTED", 0)
    assert waiting_total(collection.namespace_id) == {"review": 9}  # the fullest queue's


def test_a_retrievers_queue_is_taken_away_and_its_verdicts_stay(collection: Collection) -> None:
    factories.make_detected(collection, 1)
    retriever = made(collection, BUSES)
    (queue,) = open_as_queues(retriever=retriever, inputs={}, by=SYSTEM)
    manager, reviewer = Client(), Client()
    manager.force_login(factories.make_user(collection.namespace, role=Role.MANAGER))
    reviewer.force_login(factories.make_user(collection.namespace))
    path = f"/n/demo/review/{queue.public_id}/remove/"
    assert "Take it away" in manager.get("/n/demo/review/").content.decode()
    assert "Take it away" not in reviewer.get("/n/demo/review/").content.decode()
    assert reviewer.post(path).status_code == 403
    assert manager.post(path).status_code == 302
    assert not Queue.objects.filter(pk=queue.pk).exists()
    delete_retriever(retriever=retriever, by=SYSTEM)
    own = Queue.objects.get(collection=collection)
    assert manager.post(f"/n/demo/review/{own.public_id}/remove/").status_code == 409
    assert Queue.objects.filter(pk=own.pk).exists()
