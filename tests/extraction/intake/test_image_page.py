"""The page of one picture with its boxes."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.intake.models import Object
from extraction.runs.models import Document
from extraction.truth.models import GroundTruthBox
from mixcv.tenancy.models import Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return factories.make_namespace()


@pytest.fixture
def bucket(namespace):
    return factories.make_bucket(namespace, "yard")


@pytest.fixture
def document(bucket) -> Document:
    return factories.make_detected(factories.make_collection(bucket, "street"))[0]


@pytest.fixture
def manager(client, namespace):
    client.force_login(factories.make_user(namespace, role=Role.MANAGER))
    return client


def path_of(row: Object) -> str:
    return f"/n/demo/images/yard/{row.public_id}/"


def text_of(answer):
    return " ".join(answer.content.decode().split())


def failed(bucket, **fields) -> Object:
    row = factories.make_objects(bucket, 1)[0]
    Object.objects.filter(pk=row.pk).update(state="FAILED", error="No answer.", image=None, **fields)
    return row


def test_it_draws_the_boxes_of_a_collection_in_the_picture_s_pixels(manager, document):
    text = text_of(manager.get(path_of(document.object)))
    assert f"/n/demo/images/{document.image_id}/file" in text
    assert 'viewBox="0 0 320 240"' in text
    assert 'x="60.0" y="60.0" width="200.0" height="120.0"' in text
    assert "bus 0.43" in text
    assert f"doc_{document.slug}" in text
    assert "320 × 240 px" in text


def test_it_leads_to_the_queue_where_boxes_wait(manager, document):
    text = text_of(manager.get(path_of(document.object)))
    assert "Review 2 doubtful boxes" in text
    assert f'/review/{factories.queue_of(document.collection).public_id}/"' in text


def test_it_shows_what_a_person_says_and_the_ground_truth(manager, document):
    truck = document.detections.get(object_class__name="truck")
    document.detections.filter(object_class__name="bus").update(
        decided_label="corrected", decided_class=truck.object_class
    )
    document.detections.filter(object_class__name="person").update(decided_label="false_positive")
    GroundTruthBox.objects.create(
        image=document.image, object_class=truck.object_class, cx=100, cy=100, w=20, h=10
    )
    GroundTruthBox.objects.create(
        image=document.image, object_class=truck.object_class, cx=9, cy=9, w=2, h=2, state="removed"
    )
    text = text_of(manager.get(path_of(document.object)))
    assert "found as bus" in text
    assert "not an object" in text
    truth = text_of(manager.get(path_of(document.object) + "?show=truth"))
    assert 'x="90.0" y="95.0" width="20.0" height="10.0"' in truth
    assert "1 box<" in truth
    assert 'x="60.0"' not in truth


def test_only_the_current_boxes_are_drawn(manager, document):
    document.detections.filter(object_class__name="bus").update(current=False)
    assert "bus 0.43" not in text_of(manager.get(path_of(document.object)))


def test_collections_can_be_switched(manager, bucket, document):
    other = factories.make_collection(bucket, "night")
    factories.detect(other, [document.object], [factories.result([factories.found("boat", 0.8)])])
    assert "bus 0.43" in text_of(manager.get(path_of(document.object) + "?show=col_street"))
    text = text_of(manager.get(path_of(document.object) + "?show=col_night"))
    assert "boat 0.80" in text
    assert "bus 0.43" not in text
    assert manager.get(path_of(document.object) + "?show=nonsense").status_code == 200


def test_it_leads_to_the_pictures_beside_it(manager, bucket):
    rows = factories.make_objects(bucket, 3)
    factories.make_objects(factories.make_bucket(bucket.namespace, "elsewhere"), 1)
    text = text_of(manager.get(path_of(rows[1])))
    assert path_of(rows[0]) in text
    assert path_of(rows[2]) in text
    assert "No collection has looked" in text
    assert "Newer" not in text_of(manager.get(path_of(rows[2])))
    assert "Older" not in text_of(manager.get(path_of(rows[0])))


def test_it_says_why_there_is_no_picture_and_fetches_it_again(manager, bucket, monkeypatch):
    asked = []
    monkeypatch.setattr("extraction.intake.image_page.refetch", lambda keys: asked.extend(keys))
    row = failed(bucket, source_url="https://example.org/a.jpg")
    text = text_of(manager.get(path_of(row)))
    assert "No answer." in text
    assert "Fetch again" in text
    assert manager.post(f"{path_of(row)}fetch")["Location"] == path_of(row)
    assert asked == [row.pk]


def test_what_came_as_bytes_is_not_fetched_again(manager, bucket):
    row = failed(bucket)
    assert "Fetch again" not in text_of(manager.get(path_of(row)))
    assert "has nothing to fetch again" in text_of(manager.post(f"{path_of(row)}fetch", follow=True))


def test_a_reviewer_looks_and_does_not_fetch(client, namespace, bucket):
    client.force_login(factories.make_user(namespace))
    row = failed(bucket, source_url="https://example.org/a.jpg")
    assert "Fetch again" not in text_of(client.get(path_of(row)))
    assert client.post(f"{path_of(row)}fetch").status_code == 403


def test_it_follows_only_what_is_under_way(manager, bucket, document):
    row = factories.make_objects(bucket, 1)[0]
    Object.objects.filter(pk=row.pk).update(state="PENDING", image=None, source_url="https://example.org/a")
    assert "data-poll" in text_of(manager.get(path_of(row)))
    assert "data-poll" not in text_of(manager.get(path_of(document.object)))
    part = text_of(manager.get(path_of(row), headers={"HX-Request": "true"}))
    assert part.startswith("<div")


def test_an_image_leads_to_the_page_of_its_object(manager, document):
    answer = manager.get(f"/n/demo/images/{document.image_id}/page?show=truth")
    assert answer["Location"] == path_of(document.object) + "?show=truth"
    assert manager.get("/n/demo/images/999999/page").status_code == 404


def test_another_namespace_has_no_such_page(client, document):
    client.force_login(factories.make_user(factories.make_namespace("other"), role=Role.ADMIN))
    assert client.get(path_of(document.object)).status_code == 404
    for part in (f"yard/{document.object.public_id}/", f"{document.image_id}/page"):
        assert client.get(f"/n/other/images/{part}").status_code == 404
    factories.make_bucket(factories.make_namespace("other"), "yard")
    assert client.get(f"/n/other/images/yard/{document.object.public_id}/").status_code == 404
    assert client.post(f"/n/other/images/yard/{document.object.public_id}/fetch").status_code == 404


def test_more_boxes_and_collections_take_no_more_queries(manager, bucket, document):
    counts = []
    for number in (1, 3):
        for _ in range(number):
            many = [factories.found("bus", 0.1 * n + 0.05) for n in range(number)]
            factories.detect(factories.make_collection(bucket), [document.object], [factories.result(many)])
            factories.make_objects(bucket, 1)
        manager.get(path_of(document.object))
        with CaptureQueriesContext(connection) as queries:
            assert manager.get(path_of(document.object)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
