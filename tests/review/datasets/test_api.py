"""The API of datasets, as a program meets it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from review.datasets.models import Dataset, DatasetVersion
from tests import factories as make
from tests.review.datasets.building import build, confirm, dataset_of, detected, ready, reject

pytestmark = pytest.mark.django_db
ROOT = "/v1/datasets"


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(
        make.make_bucket(namespace, "cameras"),
        "street",
        version=make.make_version(namespace, "yolo_detector"),
    )


@pytest.fixture
def call(client, namespace):
    key = make.make_key(namespace)

    def send(method, path, body=None, *, status=200, **headers):
        answer = client.generic(
            method.upper(),
            path,
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}", **headers},
        )
        assert answer.status_code == status, answer.content[:500]
        return answer if answer.streaming else answer.json()

    return send


def test_from_reviewed_images_to_a_zip(call, collection):
    ready(collection)
    made = call(
        "post",
        ROOT,
        {
            "dataset_name": "Street",
            "feature_extractor_name": "yolo_detector",
            "policy": {"buckets": ["cameras"], "accept_above": 0.9},
        },
    )
    assert made["dataset_id"] == "ds_street"
    assert made["policy"] == {
        "buckets": ["cameras"],
        "accept_above": 0.9,
        "background_share": 0.1,
        "validation_share": 0.0,
        "seed": 0,
        "only_included": False,
    }
    assert (made["version_count"], made["latest_version"]) == (0, None)
    plan = call("get", f"{ROOT}/ds_street/plan")
    assert (plan["images"], plan["train"], plan["val"], plan["boxes"], plan["refusal"]) == (5, 3, 2, 15, "")
    version = call("post", f"{ROOT}/Street/versions", {})
    assert (version["version"], version["image_count"]) == (1, 5)
    assert version["classes"] == [{"index": n, "name": name} for n, name in enumerate(make.CLASSES)]
    assert version["created_by"].startswith("key:")
    assert call("get", f"{ROOT}/ds_street/versions/1") == version
    for format in ("yolo", "coco"):
        answer = call("get", f"{ROOT}/ds_street/versions/1/export?format={format}")
        assert answer.streaming
        assert answer["Content-Type"] == "application/zip"
        assert f'"ds_street_1_{format}.zip"' in answer["Content-Disposition"]
        with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
            assert sum(name.startswith("images/") for name in archive.namelist()) == 5
            digest = hashlib.sha256(archive.read("manifest.jsonl")).hexdigest()
        assert digest == version["manifest_sha256"] == answer["X-Manifest-SHA256"]


def test_the_plan_names_what_is_left_out_and_the_queue_that_would_complete_it(call, collection):
    ready(collection)
    detected(collection, 2)
    dataset_of(collection)
    (row,) = [one for one in call("get", f"{ROOT}/ds_street/plan")["rules"] if not one["takes"]]
    assert (row["rule"], row["images"]) == ("unseen", 2)
    queue = make.queue_of(collection)
    assert row["queues"] == [{"queue_id": queue.public_id, "queue_name": queue.name, "images": 2, "boxes": 4}]


def test_a_repeated_build_with_a_key_builds_once(call, collection):
    ready(collection)
    dataset_of(collection)
    for _ in range(2):
        assert call("post", f"{ROOT}/ds_street/versions", {}, **{"Idempotency-Key": "a"})["version"] == 1
    assert DatasetVersion.objects.count() == 1


def test_what_cannot_be_built_is_refused_in_words(call, collection):
    dataset_of(collection)
    answer = call("post", f"{ROOT}/ds_street/versions", {}, status=409)
    assert answer["error"]["code"] == "empty_dataset"
    documents = detected(collection, 1)
    answer = call("post", f"{ROOT}/ds_street/versions", {}, status=409)
    assert answer["error"]["code"] == "no_complete_image"
    assert answer["error"]["details"] == {"left_out": {"unseen": 1}}
    reject(documents)
    assert (
        "beside images with objects"
        in call("post", f"{ROOT}/ds_street/versions", {}, status=409)["error"]["message"]
    )
    confirm(detected(collection, 1))
    answer = call("post", f"{ROOT}/ds_street/versions", {}, status=409)
    assert answer["error"]["code"] == "no_holdout"


def test_images_are_added_and_taken_back_by_document_and_by_object(call, collection):
    train, val = ready(collection)
    dataset_of(collection, only_included=True)
    slug = f"doc_{train[0].slug}"
    body = {"document_ids": [slug], "object_ids": [val[0].object.public_id]}
    assert call("post", f"{ROOT}/ds_street/includes", body) == {"dataset_id": "ds_street", "images": 2}
    assert call("post", f"{ROOT}/ds_street/versions", {})["image_count"] == 2
    assert call("get", f"{ROOT}/ds_street")["include_count"] == 2
    assert (
        call("post", f"{ROOT}/ds_street/includes/remove", {"document_ids": [f"{slug}_det_0"]})["images"] == 1
    )
    call("post", f"{ROOT}/ds_street/includes", {"document_ids": ["doc_nothing"]}, status=404)
    call("post", f"{ROOT}/ds_street/includes", {"object_ids": ["obj_nothing"]}, status=404)
    call("post", f"{ROOT}/ds_street/includes", {"kind": "soft"}, status=422)


def test_the_policy_changes_key_by_key(call, collection):
    dataset_of(collection, accept_above=0.9)
    policy = call("patch", f"{ROOT}/ds_street", {"policy": {"background_share": 0.2}})["policy"]
    assert (policy["accept_above"], policy["background_share"]) == (0.9, 0.2)
    assert (
        call("patch", f"{ROOT}/ds_street", {"policy": {"accept_above": None}})["policy"]["accept_above"]
        is None
    )
    for wrong in ({"background_share": 2}, {"buckets": ["nowhere"]}, {"colour": 1}):
        call("patch", f"{ROOT}/ds_street", {"policy": wrong}, status=404 if "buckets" in wrong else 422)


def test_names_and_numbers_that_there_are_not(call, collection):
    dataset_of(collection)
    body = {"dataset_name": "street", "feature_extractor_name": "yolo_detector"}
    call("post", ROOT, body, status=409)
    assert (
        "yolo_detector"
        in call("post", ROOT, {**body, "feature_extractor_name": "x"}, status=404)["error"]["message"]
    )
    for path in ("ds_none", "ds_none/plan", "ds_street/versions/1", f"ds_street/versions/{10**12}/export"):
        call("get", f"{ROOT}/{path}", status=404)
    ready(collection)
    call("post", f"{ROOT}/ds_street/versions", {})
    call("get", f"{ROOT}/ds_street/versions/1/export?format=voc", status=422)


def test_versions_and_datasets_are_deleted_in_order(call, collection):
    ready(collection)
    dataset_of(collection)
    call("post", f"{ROOT}/ds_street/versions", {})
    call("delete", f"{ROOT}/ds_street", status=409)
    call("delete", f"{ROOT}/ds_street/versions/1")
    call("delete", f"{ROOT}/ds_street")
    assert not Dataset.objects.exists()


def test_another_namespace_sees_nothing(call, client, collection):
    ready(collection)
    build(dataset_of(collection))
    key = make.make_key(make.make_namespace("other"))
    headers = {"Authorization": f"Bearer {key}"}
    for path in ("", "/plan", "/versions", "/versions/1", "/versions/1/export"):
        assert client.get(f"{ROOT}/ds_street{path}", headers=headers).status_code == 404
    assert client.get(ROOT, headers=headers).json()["results"] == []


def test_a_key_that_only_reads_exports_and_does_not_build(client, collection):
    ready(collection)
    build(dataset_of(collection))
    headers = {"Authorization": f"Bearer {make.make_key(collection.namespace, scopes=['read'])}"}
    assert client.get(f"{ROOT}/ds_street/versions/1/export", headers=headers).status_code == 200
    made = client.post(f"{ROOT}/ds_street/versions", {}, content_type="application/json", headers=headers)
    assert made.status_code == 403


def test_lists_cost_the_same_at_one_and_at_three_rows(call, collection):
    ready(collection)
    build(dataset_of(collection))

    def cost(path):
        with CaptureQueriesContext(connection) as found:
            rows = call("get", path)["results"]
        return len(rows), len(found)

    call("get", ROOT)  # the key is seen for the first time
    one = [cost(ROOT), cost(f"{ROOT}/ds_street/versions")]
    with CaptureQueriesContext(connection) as plan_once:
        call("get", f"{ROOT}/ds_street/plan")
    dataset = Dataset.objects.get()
    for name in ("second", "third"):
        build(dataset)
        dataset_of(collection, name)
    ready(collection)
    detected(collection, 3)
    three = [cost(ROOT), cost(f"{ROOT}/ds_street/versions")]
    assert [rows for rows, _ in (*one, *three)] == [1, 1, 3, 3]
    assert [queries for _, queries in one] == [queries for _, queries in three]
    with CaptureQueriesContext(connection) as plan_again:
        call("get", f"{ROOT}/ds_street/plan")
    assert len(plan_again) - len(plan_once) <= 1, "one more where a queue is to be named"


def test_lists_are_searched_and_sorted(call, collection):
    for name in ("beta", "alpha", "gamma"):
        dataset_of(collection, name)
    found = call("post", f"{ROOT}/list", {"sort": {"field": "dataset_name", "direction": "desc"}, "limit": 2})
    assert [one["dataset_name"] for one in found["results"]] == ["gamma", "beta"]
    assert [one["dataset_id"] for one in call("get", f"{ROOT}?search=alp")["results"]] == ["ds_alpha"]
    assert call("post", f"{ROOT}/ds_alpha/versions/list", {})["results"] == []
