"""The pages of review and the calls of focus mode, without a browser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.runs.models import Document
from mixcv.tenancy.models import User
from review.queues.differing import GONE, NEW
from review.queues.domain import ensure_holdout_queue
from review.queues.models import Queue, QueueItem
from review.verdicts.models import Annotation
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def queue() -> Queue:
    namespace = factories.make_namespace("demo")
    return factories.queue_of(factories.make_collection(factories.make_bucket(namespace), "street"))


@pytest.fixture
def document(queue: Queue) -> Document:
    return factories.make_detected(queue.collection)[0]


@pytest.fixture
def user(queue: Queue) -> User:
    return factories.make_user(queue.namespace, name="ines")


@pytest.fixture
def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def call(browser: Client, queue: Queue, what: str, body: Any) -> tuple[int, dict[str, Any]]:
    response = browser.post(
        f"/n/demo/review/{queue.public_id}/{what}/",
        body if isinstance(body, str) else json.dumps(body),
        content_type="application/json",
        headers={"Accept": "application/json"},
    )
    return response.status_code, response.json()


def confirmation(document: Document, **changes: Any) -> dict[str, Any]:
    bus = document.detections.get(object_class__name="bus")
    return {
        "key": "k1",
        "label": "confirmed",
        "detection_id": bus.pk,
        "class_name": "bus",
        "revision": 0,
    } | changes


def test_a_verdict_answers_with_the_new_revision_and_the_progress(
    browser: Client, queue: Queue, document: Document
) -> None:
    status, answer = call(browser, queue, "verdict", confirmation(document, seconds=1.5))
    assert status == 200
    assert answer["revision"] == 1
    assert answer["class_name"] == "bus"
    assert answer["progress"]["done"] == 1
    assert answer["progress"]["total"] == 2
    row = Annotation.objects.get(public_id=answer["annotation_id"])
    assert (row.source, row.actor, row.seconds) == ("queue", "ines", 1.5)


def test_the_same_key_again_answers_as_before(browser: Client, queue: Queue, document: Document) -> None:
    first = call(browser, queue, "verdict", confirmation(document))
    again = call(browser, queue, "verdict", confirmation(document))
    assert again[0] == 200
    assert again[1]["annotation_id"] == first[1]["annotation_id"]
    assert again[1]["revision"] == 1
    assert Annotation.objects.get().version == 1


def test_a_missed_object_is_told_apart_by_its_key(browser: Client, queue: Queue, document: Document) -> None:
    body = {
        "key": "m",
        "label": "missed",
        "image_id": document.image_id,
        "class_name": "tram",
        "box": [50, 50, 20, 30],
    }
    first, again = call(browser, queue, "verdict", body), call(browser, queue, "verdict", body)
    assert first[1]["annotation_id"] == again[1]["annotation_id"]
    row = Annotation.objects.get()
    assert (row.document, row.collection) == (document, queue.collection)


def test_a_stale_verdict_answers_409_with_the_box_as_it_is(
    browser: Client, queue: Queue, document: Document
) -> None:
    call(browser, queue, "verdict", confirmation(document, label="corrected", class_name="truck"))
    status, answer = call(browser, queue, "verdict", confirmation(document, key="k2"))
    assert status == 409
    assert answer["error"]["code"] == "stale_verdict"
    now = answer["error"]["details"]["now"]
    assert (now["label"], now["decided"]["name"], now["revision"], now["waits"]) == (
        "corrected",
        "truck",
        1,
        False,
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("no json", None),
        ("[1]", None),
        ({"label": "perhaps"}, "label"),
        ({"label": "confirmed"}, "detection_id"),
        ({"label": "confirmed", "detection_id": True}, "detection_id"),
        ({"label": "confirmed", "detection_id": -4}, "detection_id"),
        ({"label": "corrected", "detection_id": 1, "class_name": 7}, "class_name"),
        ({"label": "corrected", "detection_id": 1, "class_name": "x" * 300}, "class_name"),
        ({"label": "corrected", "detection_id": 1, "box": [1, 2, 3]}, "box"),
        ({"label": "corrected", "detection_id": 1, "box": [1, 2, "3", 4]}, "box"),
        ({"label": "missed"}, "image_id"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_by_name(
    browser: Client, queue: Queue, body: Any, field: str | None
) -> None:
    status, answer = call(browser, queue, "verdict", body)
    assert status == 422
    if field:
        assert f"'location': ['body', '{field}']" in str(answer["error"]["details"])


def test_undo_by_key_or_annotation_and_twice(browser: Client, queue: Queue, document: Document) -> None:
    _, made = call(browser, queue, "verdict", confirmation(document))
    status, answer = call(browser, queue, "undo", {"key": "k1"})
    assert (status, answer["revision"]) == (200, 2)
    assert QueueItem.objects.filter(state="waiting").count() == 2
    assert call(browser, queue, "undo", {"key": "k1"})[0] == 200
    assert call(browser, queue, "undo", {"annotation_id": made["annotation_id"]})[0] == 404


def test_nobody_undoes_what_another_decided(browser: Client, queue: Queue, document: Document) -> None:
    _, made = call(browser, queue, "verdict", confirmation(document))
    other = Client()
    other.force_login(factories.make_user(queue.namespace))
    assert call(other, queue, "undo", {"annotation_id": made["annotation_id"]})[0] == 404
    assert call(other, queue, "undo", {"key": "k1"})[0] == 200
    assert Annotation.objects.get().deleted_at is None


def test_leases_are_kept_and_let_go(browser: Client, queue: Queue, document: Document) -> None:
    browser.get(f"/n/demo/review/{queue.public_id}/")
    other = Client()
    other.force_login(factories.make_user(queue.namespace))
    lease = f"/n/demo/review/{queue.public_id}/lease/"
    images = {"images": f"{document.image_id},x,99999"}
    assert browser.post(lease, images).json() == {"lost": []}
    assert other.post(lease, images).json() == {"lost": [document.image_id]}
    assert browser.post(lease, images | {"release": "1"}).json() == {"lost": []}
    assert other.post(lease, images).json() == {"lost": []}


@pytest.mark.parametrize("path", ["", "review/", "review/street_doubtful/", "review/street_doubtful/next/"])
def test_pages_are_for_members_only(browser: Client, document: Document, path: str) -> None:
    assert browser.get(f"/n/demo/{path}").status_code == 200
    assert Client().get(f"/n/demo/{path}").status_code == 302
    stranger = Client()
    stranger.force_login(factories.make_user())
    assert stranger.get(f"/n/demo/{path}").status_code == 404


@pytest.mark.parametrize("what", ["verdict", "undo", "skip", "complete", "lease"])
def test_calls_are_for_members_only(queue: Queue, document: Document, what: str) -> None:
    foreign = factories.make_namespace("other")
    stranger = Client()
    stranger.force_login(factories.make_user(foreign))
    assert stranger.post(f"/n/demo/review/{queue.public_id}/{what}/").status_code == 404
    assert stranger.post(f"/n/other/review/{queue.public_id}/{what}/").status_code == 404


def test_an_image_of_another_namespace_is_not_there(browser: Client, queue: Queue) -> None:
    foreign = factories.make_collection(factories.make_bucket(factories.make_namespace("other")))
    image = factories.make_detected(foreign)[0].image_id
    assert call(browser, queue, "skip", {"image_id": image})[0] == 404
    assert call(browser, queue, "complete", {"image_id": image})[0] == 404
    body = {"label": "missed", "image_id": image, "class_name": "bus", "box": [50, 50, 20, 30]}
    assert call(browser, queue, "verdict", body)[0] == 404
    assert browser.get(f"/n/demo/review/{queue.public_id}/next/?image={image}").status_code == 404


@pytest.mark.parametrize("path", ["", "review/", "detectors/", "batches/"])
def test_lists_cost_the_same_number_of_queries_at_one_and_at_three_rows(browser: Client, path: str) -> None:
    namespace = factories.make_namespace("demo")

    def grow(number: int) -> None:
        for _ in range(number):
            factories.make_detected(factories.make_collection(factories.make_bucket(namespace)))

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(f"/n/demo/{path}").status_code == 200
        return len(caught)

    grow(1)
    queries()  # caches of sessions and content types
    few = queries()
    grow(2)
    assert queries() == few


def test_a_later_version_s_queue_says_what_differs(browser: Client, queue: Queue, document: Document) -> None:
    factories.make_detected(queue.collection)
    assert "least sure first" in browser.get("/n/demo/review/").content.decode()
    items = list(QueueItem.objects.filter(queue=queue).order_by("pk"))
    reasons = [NEW, GONE, "A reviewer called this bus; this version says truck"]
    for item, reason in zip(items, reasons, strict=False):
        item.reason = reason
        item.save()
    said = "1 doubtful, 1 called otherwise, 1 new, 1 not found any more"
    assert f"wait: {said};" in browser.get("/n/demo/review/").content.decode()
    assert said in browser.get(f"/n/demo/review/{queue.public_id}/").content.decode()


def test_a_held_out_image_asks_until_somebody_says_that_nothing_is_missing(
    browser: Client, queue: Queue, document: Document
) -> None:
    document.image.split = "holdout"
    document.image.save()
    holdout = ensure_holdout_queue(collection=queue.collection)

    def asks(of: Queue) -> bool:
        page = browser.get(f"/n/demo/review/{of.public_id}/next/?image={document.image_id}")
        return '"asks": true' in page.content.decode()

    assert (asks(holdout), asks(queue)) == (True, False)
    call(browser, holdout, "complete", {"image_id": document.image_id})
    assert not asks(holdout)


@pytest.mark.parametrize(
    "changes",
    [
        {"class_name": "a\0b"},
        {"class_name": "\ud800"},
        {"key": "a\0"},
        {"execution": "a\0"},
        {"label": [[]]},
        {"detection_id": 10**400},
        {"label": "corrected", "box": [10**400, 1, 1, 1]},
        {"label": "corrected", "box": [float("inf"), 1, 1, 1]},
    ],
    ids=range(8),
)
def test_a_hostile_verdict_is_refused(
    browser: Client, queue: Queue, document: Document, changes: dict[str, Any]
) -> None:
    assert call(browser, queue, "verdict", confirmation(document, **changes))[0] == 422
    assert not Annotation.objects.exists()


def test_seconds_without_end_are_left_out(browser: Client, queue: Queue, document: Document) -> None:
    assert call(browser, queue, "verdict", confirmation(document, seconds=10**400))[0] == 200
    assert Annotation.objects.get().seconds is None


@pytest.mark.parametrize("what", ["verdict", "undo", "skip", "complete"])
@pytest.mark.parametrize(
    "body",
    [
        "[" * 200_000,
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        '{"key": "a\\u0000"}',
        '{"annotation_id": "\\ud800"}',
    ],
    ids=range(4),
)
def test_no_call_fails_on_a_hostile_body(browser: Client, queue: Queue, what: str, body: str) -> None:
    assert call(browser, queue, what, body)[0] == 422


@pytest.mark.parametrize(("share", "source"), [(0, "queue"), (1, "audit")])
def test_a_verdict_keeps_whether_its_box_was_drawn_at_random(queue, browser, settings, share, source) -> None:
    settings.MIXCV_AUDIT_SHARE = share
    doubtful = factories.detections_of(factories.make_detected(queue.collection)[0])[-1]
    body = {"detection_id": doubtful.pk, "label": "confirmed", "revision": 0, "key": "k1"}
    status, _ = call(browser, queue, "verdict", body)
    assert (status, Annotation.objects.get().source) == (200, source)
