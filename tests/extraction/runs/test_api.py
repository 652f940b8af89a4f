"""Collections, batches and documents over the API."""

from __future__ import annotations

import pytest

from extraction.runs.models import Batch, Collection
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def api(client, namespace):
    key = make.make_key(namespace)

    def call(method, path, body=None, **headers):
        send = getattr(client, method)
        given = {"Authorization": f"Bearer {key}", **headers}
        if method == "get":
            return send(path, headers=given)
        return send(path, body, content_type="application/json", headers=given)

    return call


def body_of(bucket, **changes):
    return {
        "collection_name": "detected_objects",
        "feature_extractor": {"feature_extractor_name": "yolo_detector", "version": "1.0.0"},
        "source": {"type": "bucket", "bucket_ids": [bucket.public_id]},
    } | changes


def test_a_collection_is_made_and_read_by_id_and_name(api, namespace):
    bucket = make.make_bucket(namespace, "security_footage")
    make.make_version(namespace, "yolo_detector")
    made = api("post", f"/v1/namespaces/{namespace.public_id}/collections", body_of(bucket))
    assert made.status_code == 200, made.content
    body = made.json()
    assert body["collection_id"] == "col_detected_objects"
    assert body["feature_extractor"]["feature_extractor_id"] == "yolo_detector_1_0_0"
    assert body["vector_indexes"][0]["feature_uri"] == "mixpeek://yolo_detector@1.0.0/crop_embedding"
    for ref in ("col_detected_objects", "detected_objects"):
        assert api("get", f"/v1/collections/{ref}").json()["collection_name"] == "detected_objects"
    assert api("get", "/v1/collections").json()["total_count"] == 1
    again = api("post", "/v1/collections", body_of(bucket))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_exists")


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"collection_nam": "x"}, 422, "Accepted: collection_name"),
        ({"collection_name": "x"}, 422, "3 to 100 characters"),
        ({"feature_extractor": {"feature_extractor_name": "nope", "version": "1.0.0"}}, 404, "nope"),
        ({"source": {"type": "bucket", "bucket_ids": ["bkt_nope"]}}, 404, "bkt_nope"),
        ({"source": {"type": "bucket", "bucket_ids": []}}, 422, "source bucket"),
        (
            {
                "feature_extractor": {
                    "feature_extractor_name": "yolo_detector",
                    "version": "1.0.0",
                    "parameters": {"threshold": 2},
                }
            },
            422,
            "0 to 1",
        ),
        ({"source": 7}, 422, "object"),
    ],
)
def test_a_collection_that_makes_no_sense_is_refused_in_words(api, namespace, changes, status, words):
    bucket = make.make_bucket(namespace)
    make.make_version(namespace, "yolo_detector")
    answer = api("post", "/v1/collections", body_of(bucket, **changes))
    assert answer.status_code == status, answer.content
    assert words in answer.content.decode()
    assert answer.json()["success"] is False
    assert not Collection.objects.exists()


def test_a_batch_is_made_then_submitted(api, namespace):
    bucket = make.make_bucket(namespace)
    collection = make.make_collection(bucket)
    objects = make.make_objects(bucket, 2)
    path = f"/v1/buckets/{bucket.public_id}/batches"
    made = api(
        "post",
        path,
        {
            "batch_name": "yolo-run",
            "object_ids": [o.public_id for o in objects],
            "collection_ids": [collection.public_id],
        },
    ).json()
    assert made["status"] == "DRAFT"
    sent = api("post", f"{path}/{made['batch_id']}/submit", {"collection_ids": [collection.public_id]})
    assert (sent.status_code, sent.json()["status"]) == (200, "PROCESSING")
    assert sent.json()["task_id"].startswith("task_")
    assert sent.json()["task_type"] == "api_buckets_batches_process"
    assert api("get", f"{path}/{made['batch_id']}").json()["item_count"] == 2
    twice = api("post", f"{path}/{made['batch_id']}/submit", {})
    assert twice.json()["task_id"] == sent.json()["task_id"]  # a second submission starts nothing anew
    api("post", f"{path}/{made['batch_id']}/cancel")
    over = api("post", f"{path}/{made['batch_id']}/submit", {}).json()
    assert (over["task_id"], over["status"]) == (sent.json()["task_id"], "CANCELED")


def test_documents_are_listed_with_their_detections_and_a_total(api, namespace):
    collection = make.make_collection(make.make_bucket(namespace))
    make.make_detected(collection, 3)
    body = api("post", "/v1/documents/list", {"include_total": True, "limit": 2}).json()
    assert len(body["results"]) == 2
    assert body["pagination"]["total"] == body["total_documents"] == 3
    document = body["results"][0]
    assert document["document_id"].startswith("doc_frame_")
    assert [d["confidence"] for d in document["detections"]] == [0.91, 0.62, 0.43]
    assert document["detections"][0]["bbox"] == {"x": 260, "y": 60, "w": 80, "h": 60}
    assert document["detections"][2]["document_id"] == document["document_id"] + "_det_2"


@pytest.mark.parametrize("count", [1, 3])
def test_lists_take_the_same_number_of_queries(api, namespace, count, django_assert_num_queries):
    bucket = make.make_bucket(namespace)
    version = make.make_version(namespace)
    for number in range(count):
        make.make_detected(make.make_collection(bucket, f"collection {number}", version=version), 1)
    api("get", "/v1/collections")  # the key's last use is written once a minute
    with django_assert_num_queries(5):
        api("get", "/v1/collections")
    with django_assert_num_queries(3):
        api("post", "/v1/documents/list", {"limit": 100})
    with django_assert_num_queries(5):
        api("get", f"/v1/buckets/{bucket.public_id}/batches")


ENDPOINTS = [
    ("get", "/v1/collections"),
    ("post", "/v1/collections"),
    ("get", "/v1/collections/col_x"),
    ("get", "/v1/buckets/{bucket}/batches"),
    ("post", "/v1/buckets/{bucket}/batches"),
    ("get", "/v1/buckets/{bucket}/batches/btch_x"),
    ("post", "/v1/buckets/{bucket}/batches/btch_x/submit"),
    ("post", "/v1/documents/list"),
    ("post", "/v1/annotations"),
    ("get", "/v1/annotations"),
    ("post", "/v1/annotations/list"),
]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_needs_a_key_of_the_namespace(client, namespace, method, path):
    path = path.format(bucket=make.make_bucket(namespace).public_id)
    stranger = make.make_key(make.make_namespace("other"))
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": f"Bearer {stranger}", "X-Namespace": "demo"}, 404),
    ):
        send = client.get if method == "get" else client.post
        extra = {} if method == "get" else {"data": {}, "content_type": "application/json"}
        answer = send(path, headers=headers, **extra)
        assert answer.status_code == status, (headers, answer.content)
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [pair for pair in ENDPOINTS if pair[0] == "post"])
@pytest.mark.parametrize(
    "raw", ["{", "[]", "7", '"x"', "null", '{"collection_ids": 7, "limit": "x", "label": []}']
)
def test_a_body_that_is_no_json_object_is_a_4xx(client, namespace, method, path, raw):
    bucket = make.make_bucket(namespace)
    key = make.make_key(namespace)
    answer = client.post(
        path.format(bucket=bucket.public_id),
        raw,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    if answer.status_code == 200:
        assert raw == "null"  # lists and submit take no body
        return
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]


def test_a_key_to_read_does_not_write(client, namespace):
    key = make.make_key(namespace, scopes=["read"])
    headers = {"Authorization": f"Bearer {key}"}
    assert (
        client.post("/v1/documents/list", {}, content_type="application/json", headers=headers).status_code
        == 200
    )
    answer = client.post("/v1/collections", {}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "ForbiddenError")


def test_an_unknown_route_answers_in_the_envelope(client):
    answer = client.get("/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotFoundError")


def test_foreign_rows_answer_404(api, namespace):
    other = make.make_bucket(make.make_namespace("other"))
    collection = make.make_collection(other)
    assert api("get", f"/v1/collections/{collection.public_id}").status_code == 404
    assert api("get", f"/v1/buckets/{other.public_id}/batches").status_code == 404
    assert not Batch.objects.exists()
