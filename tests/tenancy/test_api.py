"""Namespaces, the key itself, limits and tasks over the API."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from mixcv.kernel.models import Job
from mixcv.tenancy.models import ApiKey, Membership, Namespace, Role
from mixcv.tenancy.rates import WINDOW
from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def key(namespace):
    return make.make_key(namespace)


def call(client, method, path, key, body=None, **headers):
    headers = {"Authorization": f"Bearer {key}", **headers}
    if method == "get":
        return client.get(path, headers=headers)
    return getattr(client, method)(path, body or {}, content_type="application/json", headers=headers)


def test_a_key_is_told_who_it_is(client, key):
    me = call(client, "get", "/v1/me", key).json()
    assert me["key"]["permissions"] == ["read", "write", "delete", "admin"]
    assert [one["namespace_id"] for one in me["namespaces"]] == ["ns_demo"]
    assert me["default_namespace_id"] == "ns_demo"
    assert me["rate_limits"]["window_seconds"] == WINDOW


def test_health_needs_no_key(client):
    assert client.get("/v1/health").json() == {"status": "ok"}


def test_a_namespace_is_made_and_its_key_opens_it(client, key):
    made = call(client, "post", "/v1/namespaces", key, {"namespace_name": "warehouse"}).json()
    assert made["namespace_id"] == "ns_warehouse"
    assert call(client, "get", "/v1/namespaces", key).json()["total_count"] == 2
    for ref in ("ns_warehouse", "warehouse"):
        bucket = call(client, "post", f"/v1/namespaces/{ref}/buckets", key, {"bucket_name": f"b {ref}"})
        assert bucket.json()["namespace_id"] == "ns_warehouse"
        assert call(client, "get", f"/v1/namespaces/{ref}", key).json()["namespace_name"] == "warehouse"
        assert call(client, "get", "/v1/buckets", key, **{"X-Namespace": ref}).json()["total_count"] >= 1
    # Without a word of where, it is the key's own.
    assert call(client, "get", "/v1/buckets", key).json()["total_count"] == 0


def test_the_admins_come_into_a_new_namespace_and_see_its_key(client, namespace, key):
    admin = make.make_user(namespace, role=Role.ADMIN)
    make.make_user(namespace, role=Role.MANAGER)
    call(client, "post", "/v1/namespaces", key, {"namespace_name": "warehouse"})
    assert [row.user for row in Membership.objects.filter(namespace__name="warehouse")] == [admin]
    client.force_login(admin)
    assert "a key of demo" in client.get("/n/warehouse/api/").content.decode()


def test_only_an_admin_key_makes_one_and_nobody_elses_is_seen(client, namespace):
    writer = make.make_key(namespace, scopes=["read", "write", "delete"])
    assert call(client, "post", "/v1/namespaces", writer, {"namespace_name": "x"}).status_code == 403
    make.make_namespace("other")
    assert call(client, "get", "/v1/namespaces", writer).json()["total_count"] == 1
    assert call(client, "get", "/v1/namespaces/other", writer).status_code == 404
    assert Namespace.objects.count() == 2


def test_a_namespace_says_something_of_itself(client, key):
    body = {"description": "cameras"}
    assert call(client, "patch", "/v1/namespaces/demo", key, body).json()["description"] == "cameras"
    wrong = call(client, "patch", "/v1/namespaces/demo", key, {"namespace_name": "x"})
    assert "Accepted: description" in wrong.json()["error"]["message"]


@pytest.mark.parametrize("rows", [1, 3])
def test_lists_take_the_same_number_of_queries(client, namespace, key, rows, django_assert_num_queries):
    for number in range(rows):
        call(client, "post", "/v1/namespaces", key, {"namespace_name": f"more {number}"})
        Job.objects.create(namespace_id=namespace.pk, kind="batch", subject=f"btch_{number}")
    with django_assert_num_queries(4):
        call(client, "get", "/v1/namespaces", key)
    with django_assert_num_queries(3):
        call(client, "get", "/v1/tasks", key)


# ---- limits


def test_every_answer_says_what_is_left(client, key):
    answer = call(client, "get", "/v1/me", key)
    assert int(answer.headers["X-RateLimit-Limit"]) == 6000
    before = int(answer.headers["X-RateLimit-Remaining"])
    assert int(call(client, "get", "/v1/nothing/here", key).status_code) == 404
    assert int(call(client, "get", "/v1/buckets", key).headers["X-RateLimit-Remaining"]) == before - 1


def test_a_key_that_asks_too_often_waits(client, namespace, key, settings):
    settings.MIXCV_RATE_LIMIT = 3
    cache.clear()
    codes = [call(client, "get", "/v1/me", key).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    late = call(client, "post", "/v1/buckets", key, {"bucket_name": "b"})
    assert 1 <= int(late.headers["Retry-After"]) <= WINDOW
    error = late.json()["error"]
    assert (error["type"], error["details"]["limit"]) == ("TooManyRequestsError", 3)
    assert error["details"]["retry_after"] == int(late.headers["Retry-After"])
    assert call(client, "get", "/v1/me", make.make_key(namespace)).status_code == 200


def test_a_key_may_have_a_limit_of_its_own(client, namespace, key, settings):
    cache.clear()
    ApiKey.objects.update(rate_limit=1)
    assert [call(client, "get", "/v1/me", key).status_code for _ in range(2)] == [200, 429]
    ApiKey.objects.update(rate_limit=0)  # none
    assert "X-RateLimit-Limit" not in call(client, "get", "/v1/me", key).headers


# ---- tasks


def test_a_batch_is_a_task_that_can_be_stopped(client, namespace, key):
    bucket = make.make_bucket(namespace)
    collection = make.make_collection(bucket)
    make.make_objects(bucket, 2)
    body = {"collection_ids": [collection.public_id], "auto_submit": True}
    batch = call(client, "post", f"/v1/buckets/{bucket.public_id}/batches", key, body).json()
    task = call(client, "get", f"/v1/tasks/{batch['task_id']}", key).json()
    assert (task["task_type"], task["status"]) == ("api_buckets_batches_process", "IN_PROGRESS")
    assert (task["total"], task["subject"]) == (2, batch["batch_id"])
    listed = call(client, "post", "/v1/tasks/list", key, {"status": "IN_PROGRESS"}).json()
    assert [one["task_id"] for one in listed["results"]] == [batch["task_id"]]
    assert call(client, "delete", f"/v1/tasks/{batch['task_id']}", key).json()["success"] is True
    assert call(client, "get", f"/v1/tasks/{batch['task_id']}", key).json()["status"] == "CANCELED"
    assert call(client, "get", f"/v1/batches/{batch['batch_id']}", key).json()["status"] == "CANCELED"
    assert call(client, "delete", f"/v1/tasks/{batch['task_id']}", key).status_code == 409


def test_a_foreign_task_is_not_there(client, key):
    other = Job.objects.create(namespace_id=make.make_namespace("other").pk, kind="batch", subject="x")
    assert call(client, "get", f"/v1/tasks/{other.public_id}", key).status_code == 404
    assert call(client, "get", "/v1/tasks", key).json()["results"] == []
