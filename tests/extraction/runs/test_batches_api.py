"""Batches over the API: made by filters, followed, retried, and their webhook."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from extraction.runs.domain import finish_if_done
from extraction.runs.domain.webhook import WAITS, due_webhooks, tell_webhook
from extraction.runs.models import Batch, BatchItem, Collection
from mixcv.kernel import http
from mixcv.kernel.http import Answer, BadAnswer
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def bucket(namespace):
    return make.make_bucket(namespace, "yard")


@pytest.fixture
def collection(bucket):
    return make.make_collection(bucket, "found")


@pytest.fixture
def api(client, namespace):
    key = make.make_key(namespace)

    def call(method, path, body=None):
        headers = {"Authorization": f"Bearer {key}"}
        if method == "get":
            return client.get(f"/v1/{path}", headers=headers)
        return getattr(client, method)(f"/v1/{path}", body, content_type="application/json", headers=headers)

    return call


def test_objects_are_chosen_by_filters(api, bucket, collection):
    make.make_objects(bucket, 2, camera="a")
    make.make_objects(bucket, 3, camera="b")
    body = {"filters": {"field": "metadata.camera", "value": "b"}, "metadata": {"why": "new camera"}}
    made = api("post", "buckets/yard/batches", body).json()
    assert (made["item_count"], made["metadata"], made["status"]) == (3, {"why": "new camera"}, "DRAFT")
    assert api("post", "buckets/yard/batches", body | {"limit": 1}).json()["item_count"] == 1
    listed = api("post", "batches/list", {"status": "DRAFT", "collection_id": "found"}).json()
    assert listed["total_count"] == 2


def test_failures_are_listed_audited_and_tried_again(api, bucket, collection):
    rows = make.make_objects(bucket, 3)
    batch = make.detect(
        collection,
        rows,
        [
            make.result([make.found()]),
            make.result(error="the image cannot be read: cut off"),
            make.result(error="the package raised KeyError: 'x'"),
        ],
    )
    path = f"buckets/yard/batches/{batch.public_id}"
    failed = api("get", f"{path}/failed-documents").json()
    assert [one["error_type"] for one in failed["results"]] == ["permanent", "transient"]
    assert (failed["total"], failed["results"][0]["object_id"]) == (2, rows[1].public_id)
    assert len(api("get", f"{path}/failed-documents?limit=1&offset=1").json()["results"]) == 1
    audit = api("get", f"{path}/audit").json()
    assert audit["collections"][0]["states"] == {"DONE": 1, "FAILED": 2}
    assert [event["event_type"] for event in audit["events"]] == [
        "batch.created",
        "batch.submitted",
        "batch.completed",
    ]
    assert api("get", path).json()["progress"]["percent"] == 100
    again = api("post", f"{path}/retry", {"retry_mode": "transient_only"}).json()
    assert (again["retried"], again["status"]) == (1, "PROCESSING")
    assert BatchItem.objects.filter(state="PENDING").count() == 1
    assert api("post", f"{path}/retry").status_code == 409


def test_a_batch_is_stopped_then_deleted(api, bucket, collection):
    make.make_objects(bucket, 2)
    made = api("post", "buckets/yard/batches", {"auto_submit": True}).json()
    path = f"buckets/yard/batches/{made['batch_id']}"
    assert api("delete", path).status_code == 409
    assert api("post", f"batches/{made['batch_id']}/cancel").json()["status"] == "CANCELED"
    assert api("post", f"{path}/cancel").status_code == 409
    assert api("delete", path).json()["success"] is True
    assert not Batch.objects.exists()


def test_a_collection_is_triggered_changed_and_deleted(api, namespace, bucket, collection):
    assert "Upload images first" in api("post", "collections/found/trigger").json()["error"]["message"]
    make.make_objects(bucket, 2)
    other = make.make_bucket(namespace, "lobby")
    wrong = api("post", "collections/found/trigger", {"include_buckets": [other.public_id]})
    assert "no source" in wrong.json()["error"]["message"]
    sent = api("post", "collections/found/trigger", {"dedup_strategy": "force"}).json()
    assert sent["task_id"].startswith("task_")
    assert Batch.objects.get(public_id=sent["batch_ids"][0]).dedup == "force"
    assert "A batch runs through" in api("delete", "collections/found").json()["error"]["message"]
    changed = api("patch", "collections/found", {"enabled": True, "metadata": {"a": 1}}).json()
    assert (changed["enabled"], changed["metadata"]) == (True, {"a": 1})
    api("post", f"batches/{sent['batch_ids'][0]}/cancel")
    assert api("delete", "collections/found").json()["success"] is True
    assert not Collection.objects.exists()


def test_the_other_ways_to_write_a_collection_are_taken(api, namespace, bucket):
    make.make_version(namespace, "yolo")
    body = {
        "name": "second",
        "feature_extractors": [
            {
                "feature_extractor_name": "yolo",
                "version": "1.0.0",
                "input_mappings": {"image": "image"},
                "field_passthrough": [{"source_path": "metadata.camera"}],
            }
        ],
        "source": {"type": "bucket", "bucket_id": "yard"},
    }
    assert api("post", "collections", body).json()["collection_id"] == "col_second"
    twice = {**body, "name": "third", "feature_extractors": body["feature_extractors"] * 2}
    assert "one extractor" in api("post", "collections", twice).json()["error"]["message"]
    listed = api("post", "collections/list", {"filters": {"feature_extractor_name": "yolo"}}).json()
    assert listed["total_count"] == 1


# ---- the webhook


@pytest.fixture
def sent(monkeypatch):
    calls = []

    def post(url, *, content, headers, seconds=10):
        calls.append((url, json.loads(content)))
        if "fails" in url:
            raise BadAnswer("host answered 500.")
        return Answer(200, b"", "", url)

    monkeypatch.setattr(http, "post", post)
    return calls


def over(api, bucket, url):
    """A batch that is over, with its webhook due."""
    make.make_objects(bucket, 1)
    made = api("post", "buckets/yard/batches", {}).json()
    api("post", f"buckets/yard/batches/{made['batch_id']}/submit", {"webhook_url": url})
    batch = Batch.objects.get(public_id=made["batch_id"])
    BatchItem.objects.filter(batch=batch).update(state="DONE")
    assert finish_if_done(batch)
    batch.refresh_from_db()
    return batch


def test_its_webhook_is_told_once_when_it_is_over(api, bucket, collection, sent):
    batch = over(api, bucket, "https://example.org/hook")
    assert tell_webhook(batch_id=batch.pk) is True
    assert tell_webhook(batch_id=batch.pk) is False
    [(url, body)] = sent
    assert (url, body["event_type"]) == ("https://example.org/hook", "batch.completed")
    assert (body["subject"]["id"], body["metadata"]["status"]) == (batch.public_id, "COMPLETED")


def test_a_webhook_that_fails_is_told_again_later_and_then_given_up(api, bucket, collection, sent):
    batch = over(api, bucket, "https://example.org/fails")
    for wait in (*WAITS, None):
        Batch.objects.filter(pk=batch.pk).update(webhook_due_at=timezone.now() - timedelta(seconds=5))
        assert due_webhooks() == [batch.pk]
        assert tell_webhook(batch_id=batch.pk) is False
        batch.refresh_from_db()
        due = batch.webhook_due_at
        assert due is None if wait is None else abs((due - timezone.now()).total_seconds() - wait) < 3
    shown = api("get", f"batches/{batch.public_id}").json()
    assert shown["webhook_error"] == "host answered 500."
    assert (len(sent), due_webhooks()) == (6, [])


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "http://169.254.169.254/", "http://localhost:1/", "nonsense"]
)
def test_an_address_that_is_not_told_is_refused_at_once(api, bucket, collection, settings, url):
    settings.MIXCV_ALLOW_PRIVATE_URLS = False
    make.make_objects(bucket, 1)
    made = api("post", "buckets/yard/batches", {}).json()
    answer = api("post", f"buckets/yard/batches/{made['batch_id']}/submit", {"webhook_url": url})
    assert answer.status_code == 422
    assert Batch.objects.get().state == "DRAFT"


def test_a_webhook_waits_while_the_batch_is_taken_up_again(api, bucket, collection, sent):
    batch = over(api, bucket, "https://example.org/hook")
    BatchItem.objects.filter(batch=batch).update(state="FAILED")
    api("post", f"buckets/yard/batches/{batch.public_id}/retry")
    batch.refresh_from_db()
    assert (batch.state, batch.webhook_due_at) == ("PROCESSING", None)
    assert tell_webhook(batch_id=batch.pk) is False
    assert sent == []


def test_a_webhook_in_hand_is_not_told_by_another_worker(api, bucket, collection, sent, monkeypatch):
    batch = over(api, bucket, "https://example.org/slow")

    def slow(url, **kwargs):
        Batch.objects.get(pk=batch.pk)
        assert batch.pk not in due_webhooks()
        assert tell_webhook(batch_id=batch.pk) is False
        sent.append((url, {}))
        return Answer(200, b"", "", url)

    monkeypatch.setattr(http, "post", slow)
    assert tell_webhook(batch_id=batch.pk) is True
    assert len(sent) == 1


def test_objects_of_several_buckets_are_triggered_together(api, namespace, bucket, collection):
    other = make.make_bucket(namespace, "lobby")
    collection.buckets.add(other)
    rows = [*make.make_objects(bucket, 2), *make.make_objects(other, 1)]
    sent = api("post", "collections/found/trigger", {"object_ids": [row.public_id for row in rows]}).json()
    batches = Batch.objects.filter(public_id__in=sent["batch_ids"]).order_by("pk")
    assert [batch.item_count for batch in batches] == [2, 1]
    wrong = api("post", "collections/found/trigger", {"object_ids": ["obj_nothing"]})
    assert (wrong.status_code, "obj_nothing" in wrong.json()["error"]["message"]) == (404, True)


def test_a_filter_that_the_database_cannot_run_is_refused(api, bucket, collection):
    make.make_objects(bucket, 1)
    body = {"filters": {"field": "metadata.camera", "operator": "regex", "value": "a{300}"}}
    assert api("post", "buckets/yard/batches", body).status_code == 422


def test_a_huge_number_of_a_detection_is_not_there(api, bucket, collection):
    make.detect(collection, make.make_objects(bucket, 1), [make.result([make.found()])])
    ref = api("get", "documents").json()["results"][0]["document_id"]
    for number in (7, 10**12, 10**30):
        assert api("get", f"documents/{ref}_det_{number}").status_code == 404
