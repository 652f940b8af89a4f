"""Objects told apart by what their sender calls them, changed and deleted."""

from __future__ import annotations

import base64
import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from extraction.intake.domain import Incoming, add_objects, fetch_objects
from extraction.intake.models import Bucket, Object
from extraction.runs.models import Batch, BatchItem, Detection, Document
from mixcv.kernel.http import Answer
from mixcv.tenancy.actors import SYSTEM
from tests import factories as make

SCHEMA = {
    "properties": {"image": {"type": "image"}, "camera": {"type": "text"}, "frame": {"type": "integer"}}
}


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def key(namespace):
    return make.make_key(namespace)


@pytest.fixture
def api(client, key):
    return caller(client, key)


def caller(client, key):
    def call(method, path, body=None):
        headers = {"Authorization": f"Bearer {key}"}
        if method == "get":
            return client.get(f"/v1/{path}", headers=headers)
        return getattr(client, method)(f"/v1/{path}", body, content_type="application/json", headers=headers)

    return call


def body(picture=None, **more):
    data = base64.b64encode(picture or make.picture()).decode()
    return {"blobs": [{"property": "image", "type": "image", "data": data}], **more}


@pytest.fixture
def bucket(namespace, api):
    unique = {"fields": ["camera", "frame"]}
    api("post", "buckets", {"bucket_name": "yard", "bucket_schema": SCHEMA, "unique_key": unique})
    return Bucket.objects.get(name="yard")


@pytest.mark.django_db
def test_the_same_idempotency_key_gives_the_object_that_is_there(api, namespace):
    make.make_bucket(namespace, "plain")
    first = api("post", "buckets/plain/objects", body(idempotency_key="a")).json()
    again = api("post", "buckets/plain/objects", body(idempotency_key="a")).json()
    assert again["object_id"] == first["object_id"]
    assert (first.get("replayed"), again["replayed"]) == (None, True)
    assert first["idempotency_key"] == "a"
    several = [body(idempotency_key="a"), body(idempotency_key="b"), body(idempotency_key="b")]
    batch = api("post", "buckets/plain/objects/batch", {"objects": several}).json()
    assert [one["replayed"] for one in batch["succeeded"]] == [True, False, True]
    assert Object.objects.count() == Bucket.objects.get().object_count == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_idempotency_key_at_the_same_time_adds_one(namespace, key):
    make.make_bucket(namespace, "plain")
    start, codes = threading.Barrier(5), []

    def add():
        start.wait()
        answer = caller(Client(), key)("post", "buckets/plain/objects", body(idempotency_key="a"))
        codes.append(answer.status_code)
        connection.close()

    threads = [threading.Thread(target=add) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert codes == [200] * 5
    assert Object.objects.count() == 1


@pytest.mark.django_db
def test_a_bucket_with_a_unique_key_wants_to_know_the_policy(api, bucket):
    answer = api("post", "buckets/yard/objects", body(camera="a", frame=1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_policy")
    lacking = api("post", "buckets/yard/objects?policy=insert", body(camera="a"))
    assert "lacks frame" in lacking.json()["error"]["message"]


@pytest.mark.django_db
def test_the_policies_insert_update_and_upsert(api, bucket):
    path = "buckets/yard/objects?policy="
    assert api("post", f"{path}update", body(camera="a", frame=1)).status_code == 404
    first = api("post", f"{path}insert", body(camera="a", frame=1)).json()
    taken = api("post", f"{path}insert", body(camera="a", frame=1))
    assert (taken.status_code, first["object_id"] in taken.json()["error"]["message"]) == (409, True)
    changed = api("post", f"{path}update", body(camera="a", frame=1, metadata={"note": "new"})).json()
    assert (changed["object_id"], changed["metadata"]["note"]) == (first["object_id"], "new")
    assert changed["blobs"][0]["details"]["hash"] != first["blobs"][0]["details"]["hash"]
    second = api("post", f"{path}upsert", body(camera="a", frame=2)).json()
    again = api("post", f"{path}upsert", body(camera="a", frame=2)).json()
    assert first["object_id"] != second["object_id"] == again["object_id"]
    assert api("post", f"{path}replace", body(camera="a", frame=3)).status_code == 422
    bucket.refresh_from_db()
    assert bucket.object_count == Object.objects.count() == 2
    assert bucket.total_bytes == sum(row.image.original.size for row in Object.objects.all())


@pytest.mark.django_db
def test_a_default_policy_is_the_buckets_own(api, bucket):
    unique = {"fields": ["metadata.camera", "frame"], "default_policy": "upsert"}
    shown = api("patch", "buckets/yard", {"unique_key": unique}).json()
    assert shown["unique_key"] == {"fields": ["camera", "frame"], "default_policy": "upsert"}
    for _ in range(2):
        assert api("post", "buckets/yard/objects", body(camera="a", frame=1)).status_code == 200
    assert Object.objects.count() == 1
    other = api("patch", "buckets/yard", {"unique_key": {"fields": ["frame"]}})
    assert (other.status_code, "keeps its unique_key" in other.json()["error"]["message"]) == (409, True)


@pytest.mark.django_db
def test_an_object_whose_picture_changed_is_detected_anew(api, namespace):
    bucket = make.make_bucket(namespace, "plain")
    Bucket.objects.filter(pk=bucket.pk).update(unique_key=["frame"], unique_policy="upsert")
    bucket.refresh_from_db()
    collection = make.make_collection(bucket)
    first = api("post", "buckets/plain/objects", body(metadata={"frame": 1})).json()
    row = Object.objects.get(public_id=first["object_id"])
    make.detect(collection, [row], [make.result([make.found()])])
    before = Document.objects.get()
    same = make.detect(collection, [row], [make.result([make.found()])])
    assert same.skipped_count == 1
    api("post", "buckets/plain/objects", body(metadata={"frame": 1, "note": "x"}))
    row.refresh_from_db()
    make.detect(collection, [row], [make.result([make.found("person")])])
    after = Document.objects.get()
    assert (after.pk, after.generation, after.image_id) == (before.pk, 2, row.image_id)
    assert after.image_id != before.image_id
    assert after.metadata["note"] == "x"
    now = Detection.objects.get(current=True)
    assert (now.image_id, now.ordinal) == (row.image_id, 1)


@pytest.mark.django_db
def test_metadata_is_merged_or_replaced_and_documents_follow(api, namespace):
    bucket = make.make_bucket(namespace, "plain")
    [row] = make.make_objects(bucket, camera="a", shift="day")
    collection = make.make_collection(bucket)
    make.detect(collection, [row], [make.result([make.found()])])
    path = f"buckets/plain/objects/{row.public_id}"
    merged = api("patch", path, {"metadata": {"camera": "b"}}).json()
    assert merged["metadata"] == {"camera": "b", "shift": "day"}
    assert Document.objects.get().metadata == {"camera": "b", "shift": "day"}
    assert api("put", path, {"metadata": {"camera": "c"}}).json()["metadata"] == {"camera": "c"}
    moved = api("patch", path, {"key_prefix": "day1"}).json()
    assert (moved["key"], moved["key_prefix"]) == (f"day1/{row.key}", "day1")
    assert api("patch", path, {"metadata": 7}).status_code == 422


@pytest.mark.django_db
def test_an_object_goes_with_what_was_found_in_it(api, namespace):
    bucket = make.make_bucket(namespace, "plain")
    rows = make.make_objects(bucket, 2)
    collection = make.make_collection(bucket)
    make.detect(collection, rows, [make.result([make.found(confidence=0.4)])] * 2)
    assert api("delete", f"buckets/plain/objects/{rows[0].public_id}").json()["success"] is True
    bucket.refresh_from_db()
    collection.refresh_from_db()
    queue = make.queue_of(collection)
    assert (bucket.object_count, collection.document_count, collection.detection_count) == (1, 1, 1)
    assert bucket.total_bytes == rows[1].image.original.size
    assert queue.waiting_count == queue.items.filter(state="waiting").count() == 1
    batch = Batch.objects.filter(items__isnull=False).get()
    assert batch.item_count == batch.done_count == BatchItem.objects.count() == 1
    assert api("get", f"buckets/plain/objects/{rows[0].public_id}").status_code == 404


@pytest.mark.django_db
def test_an_object_that_people_decided_about_stays(api, namespace):
    bucket = make.make_bucket(namespace, "plain")
    rows = make.make_objects(bucket)
    make.detect(make.make_collection(bucket), rows, [make.result([make.found()])])
    ref = api("get", "documents").json()["results"][0]["document_id"]
    assert (
        api("post", "annotations", {"document_id": f"{ref}_det_0", "label": "confirmed"}).status_code == 200
    )
    for path in (f"buckets/plain/objects/{rows[0].public_id}", f"documents/{ref}"):
        answer = api("delete", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "in_use"), path
    assert Document.objects.get().detections.count() == 1


@pytest.mark.django_db
def test_a_bucket_goes_only_when_nothing_needs_it(api, namespace):
    bucket = make.make_bucket(namespace, "plain")
    make.make_objects(bucket, 2)
    collection = make.make_collection(bucket)
    assert "has 2 objects" in api("delete", "buckets/plain").json()["error"]["message"]
    assert collection.name in api("delete", "buckets/plain?force=true").json()["error"]["message"]
    assert Object.objects.count() == 2
    assert api("delete", f"collections/{collection.public_id}").status_code == 200
    assert api("delete", "buckets/plain?force=true").status_code == 200
    assert not Bucket.objects.exists()


@pytest.mark.django_db
def test_all_faults_of_an_object_are_told_at_once(api, bucket):
    wrong = {
        "blobs": [{"property": 7, "type": "image", "data": "x"}],
        "colour": 1,
        "metadata": {"frame": "x"},
    }
    error = api("post", "buckets/yard/objects?policy=insert", wrong).json()["error"]
    places = {".".join(fault["location"]) for fault in error["details"]["validation_errors"]}
    assert places >= {"body.colour", "body.blobs.0.property", "body.metadata.frame"}


@pytest.mark.django_db
def test_files_keep_to_the_policy_and_to_their_key(client, key, bucket):
    def send(query="", **fields):
        file = SimpleUploadedFile("a.jpg", make.picture(), "image/jpeg")
        fields = {"file": file, "metadata": '{"camera": "a", "frame": 1}', **fields}
        headers = {"Authorization": f"Bearer {key}"}
        return client.post(f"/v1/buckets/yard/objects{query}", fields, headers=headers)

    assert send().json()["error"]["code"] == "no_policy"
    first, again = send("?policy=upsert").json(), send("?policy=upsert").json()
    assert first["object_id"] == again["object_id"]
    assert send("?policy=insert").status_code == 409
    keyed = [
        send("?policy=upsert", idempotency_key="k", metadata='{"camera": "b", "frame": 1}') for _ in "ab"
    ]
    assert [answer.json().get("replayed") for answer in keyed] == [None, True]


@pytest.mark.django_db
def test_a_fetch_that_comes_late_does_not_win_over_a_newer_address(namespace, monkeypatch):
    bucket = make.make_bucket(namespace, "plain")
    Bucket.objects.filter(pk=bucket.pk).update(unique_key=["frame"], unique_policy="upsert")
    bucket.refresh_from_db()
    old, new = make.picture(), make.picture()

    def put(url):
        incoming = Incoming(url=url, metadata={"frame": 1})
        return add_objects(bucket=bucket, incoming=[incoming], by=SYSTEM)[0].object

    row = put("https://example.org/old.jpg")

    def fetch(url, **kwargs):
        if "old" in url:
            put("https://example.org/new.jpg")  # while this one is under way
        return Answer(200, old if "old" in url else new, "image/jpeg", url)

    monkeypatch.setattr("mixcv.kernel.http.fetch", fetch)
    assert fetch_objects(keys=[row.pk]) == 0
    row.refresh_from_db()
    assert (row.state, row.source_url) == ("PENDING", "https://example.org/new.jpg")
    assert fetch_objects(keys=[row.pk]) == 1
    row.refresh_from_db()
    assert row.image.original.size == len(new)


@pytest.mark.django_db
def test_the_picture_stays_until_the_new_one_is_there(namespace, monkeypatch):
    bucket = make.make_bucket(namespace, "plain")
    Bucket.objects.filter(pk=bucket.pk).update(unique_key=["frame"], unique_policy="upsert")
    bucket.refresh_from_db()
    first = Incoming(name="a.jpg", data=make.picture(), metadata={"frame": 1})
    row = add_objects(bucket=bucket, incoming=[first], by=SYSTEM)[0].object
    image = row.image_id
    add_objects(
        bucket=bucket,
        incoming=[Incoming(url="http://nowhere.invalid/b.jpg", metadata={"frame": 1})],
        by=SYSTEM,
    )
    fetch_objects(keys=[row.pk])
    row.refresh_from_db()
    assert (row.state, row.image_id) == ("READY", image)
    assert "not known" in row.error
    picture = make.picture()
    monkeypatch.setattr("mixcv.kernel.http.fetch", lambda url, **_: Answer(200, picture, "image/jpeg", url))
    add_objects(
        bucket=bucket, incoming=[Incoming(url="https://example.org/c.jpg", metadata={"frame": 1})], by=SYSTEM
    )
    fetch_objects(keys=[row.pk])
    row.refresh_from_db()
    bucket.refresh_from_db()
    assert row.image.original.size == bucket.total_bytes == len(picture)


@pytest.mark.django_db
def test_what_was_taken_back_does_not_hold_an_object(api, namespace):
    bucket = make.make_bucket(namespace, "plain")
    rows = make.make_objects(bucket)
    make.detect(make.make_collection(bucket), rows, [make.result([make.found()])])
    ref = api("get", "documents").json()["results"][0]["document_id"]
    made = api("post", "annotations", {"document_id": f"{ref}_det_0", "label": "confirmed"}).json()
    api("delete", f"annotations/{made['annotation_id']}")
    assert api("delete", f"buckets/plain/objects/{rows[0].public_id}").json()["success"] is True
    assert api("get", f"annotations/{made['annotation_id']}/versions").status_code == 200


@pytest.mark.django_db
def test_objects_are_found_by_the_status_that_is_shown(api, namespace):
    bucket = make.make_bucket(namespace, "plain")
    make.make_objects(bucket, 2)
    add_objects(bucket=bucket, incoming=[Incoming(url="https://example.org/a.jpg")], by=SYSTEM)
    for status, number in (("COMPLETED", 2), ("PENDING", 1), ("FAILED", 0)):
        for filters in ({"status": status}, {"field": "status", "operator": "in", "value": [status]}):
            found = api("post", "buckets/plain/objects/list", {"filters": filters}).json()["results"]
            assert [one["status"] for one in found] == [status] * number
