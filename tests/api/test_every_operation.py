"""What holds for every call of the API, whatever it is about: who may, and what is no request at all."""

from __future__ import annotations

import re

import pytest

from mixcv.kernel.schema import document
from tests import factories as make

pytestmark = pytest.mark.django_db

OPERATIONS = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
# What the server is, not what anybody has in it.
OPEN = {"get_health", "list_retriever_stages"}
KEYED = [one for one in OPERATIONS if one.id not in OPEN]
INSIDE = [one for one in KEYED if not one.values[1].startswith(("/v1/namespaces", "/v1/me"))]
WITH_BODY = [
    one for one in KEYED if "application/json" in one.values[2].get("requestBody", {}).get("content", {})
]


def send(client, method, path, *, key="", body=None, kind="application/json", **headers):
    where = re.sub(r"\{version\}", "1", path)
    where = re.sub(r"\{[^}]*\}", "nothing_1_0_0", where)
    if key:
        headers["Authorization"] = f"Bearer {key}"
    raw = body if body is not None else (b"{}" if method in {"post", "put", "patch"} else b"")
    return client.generic(method.upper(), where, raw, content_type=kind, headers=headers)


def check(answer, *statuses):
    body = answer.json()
    assert answer.status_code in statuses, (answer.status_code, body)
    assert body["success"] is False
    assert body["status"] == answer.status_code
    assert set(body["error"]) >= {"type", "message", "details"}
    assert len(body["error"]["message"]) > 5
    assert isinstance(body["error"]["details"], dict)
    return body["error"]


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.mark.parametrize(("method", "path", "operation"), KEYED)
def test_it_wants_a_key(client, method, path, operation):
    assert check(send(client, method, path), 401)["type"] == "UnauthorizedError"
    assert "unknown or revoked" in check(send(client, method, path, key="mxcv_nonsense"), 401)["message"]


@pytest.mark.parametrize(("method", "path", "operation"), KEYED)
def test_it_wants_the_scope_of_the_call(client, namespace, method, path, operation):
    if operation["operationId"] == "get_me":
        pytest.skip("a key may always ask who it is")
    key = make.make_key(namespace, scopes=[])
    assert check(send(client, method, path, key=key), 403)["type"] == "ForbiddenError"


@pytest.mark.parametrize(("method", "path", "operation"), INSIDE)
def test_another_namespace_is_not_there(client, namespace, method, path, operation):
    make.make_namespace("other")
    key = make.make_key(namespace)
    for ref in ("ns_other", "other", "ns_nobody"):
        check(send(client, method, path, key=key, **{"X-Namespace": ref}), 404)
        inside = path.replace("/v1/", f"/v1/namespaces/{ref}/", 1)
        check(send(client, method, inside, key=key), 404)


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY)
@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 2000, b'{"a": 1e999}'])
def test_a_body_that_is_no_json_is_refused(client, namespace, method, path, operation, raw):
    check(send(client, method, path, key=make.make_key(namespace), body=raw), 400, 404)


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY)
@pytest.mark.parametrize("raw", [b"[]", b"7", b'"text"', b"true", b'[{"a": 1}]'])
def test_a_body_that_is_no_object_is_refused(client, namespace, method, path, operation, raw):
    check(send(client, method, path, key=make.make_key(namespace), body=raw), 422, 404, 400)


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY)
def test_values_of_a_wrong_type_are_refused(client, namespace, method, path, operation):
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    names = properties(schema)
    key = make.make_key(namespace)
    for wrong in ('{"x": {"y": 1}}', "[[1]]", '"\\u0000"', "12345678901234567890123"):
        body = "{" + ", ".join(f'"{name}": {wrong}' for name in names) + "}"
        answer = send(client, method, path, key=key, body=body.encode())
        assert answer.status_code < 500, answer.content
        if names:
            check(answer, 400, 404, 409, 422)


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY)
def test_a_body_that_is_too_large_is_413(client, namespace, settings, method, path, operation):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = b'{"metadata": "' + b"x" * 2000 + b'"}'
    check(send(client, method, path, key=make.make_key(namespace), body=body), 413, 404)


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY)
def test_another_content_type_is_415(client, namespace, method, path, operation):
    answer = send(client, method, path, key=make.make_key(namespace), body=b"a=1", kind="text/plain")
    check(answer, 415, 404)


def test_a_method_that_is_not_served_is_405(client, namespace):
    key = make.make_key(namespace)
    for path in sorted({one.values[1] for one in KEYED}):
        served = {one.values[0] for one in KEYED if one.values[1] == path}
        for method in {"get", "post", "put", "patch", "delete"} - served:
            check(send(client, method, path, key=key), 405)


def test_a_slash_at_the_end_does_no_harm(client, namespace):
    key = make.make_key(namespace)
    for path in ("/v1/buckets/", "/v1/me/", "/v1/namespaces/ns_demo/buckets/", "/v1/health/"):
        assert send(client, "get", path, key=key).status_code == 200


def test_a_route_that_is_not_there_answers_in_the_same_form(client):
    for path in ("/v1/nothing", "/v1/buckets/a/b/c/d", "/v1/"):
        assert check(client.get(path), 404)["type"] == "NotFoundError"


def test_a_nul_in_the_address_is_refused(client, namespace):
    key = make.make_key(namespace)
    assert client.get("/v1/buckets?search=%00", headers={"Authorization": f"Bearer {key}"}).status_code == 400
    assert client.get("/v1/buckets/%00", headers={"Authorization": f"Bearer {key}"}).status_code == 404


def properties(schema):
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return sorted(schema.get("properties", {}))
