"""`/v1/buckets` and the objects in them."""

from __future__ import annotations

import base64
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from extraction.intake.models import Bucket, Object
from tests import factories
from tests.extraction.intake import pictures as make

pytestmark = pytest.mark.django_db

SCHEMA = {
    "properties": {
        "image": {"type": "image", "required": True},
        "camera_id": {"type": "text"},
        "timestamp": {"type": "text"},
    }
}


@pytest.fixture
def namespace():
    return factories.make_namespace()


@pytest.fixture
def api(namespace):
    return Api(factories.make_key(namespace))


@pytest.fixture
def bucket(namespace):
    return factories.make_bucket(namespace, "yard")


class Api:
    def __init__(self, key: str) -> None:
        self.client = Client(
            headers={"Authorization": f"Bearer {key}"} if key else {}, raise_request_exception=True
        )

    def get(self, path, **query):
        return self.client.get(f"/v1/{path}", query)

    def post(self, path, body=None):
        text = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(f"/v1/{path}", text, content_type="application/json")

    def files(self, path, **fields):
        return self.client.post(f"/v1/{path}", fields)


def blob(data, **more):
    return {"blobs": [{"property": "image", "type": "image", "data": data}], **more}


def encoded(picture: bytes = b"") -> str:
    return base64.b64encode(picture or make.encode()).decode()


def upload(name="a.jpg", data=None, kind="image/jpeg"):
    return SimpleUploadedFile(name, make.encode() if data is None else data, kind)


def fault(answer):
    return answer.json()["error"]


# ---- buckets


def test_it_makes_the_bucket_of_the_tutorial(api, namespace):
    path = f"namespaces/{namespace.public_id}/buckets"
    answer = api.post(path, {"bucket_name": "security_footage", "bucket_schema": SCHEMA})
    assert answer.status_code == 200
    body = answer.json()
    assert body["bucket_id"] == "bkt_security_footage"
    assert (body["object_count"], body["total_size_bytes"], body["bucket_schema"]) == (0, 0, SCHEMA)
    assert api.get("buckets/security_footage").json() == api.get("buckets/bkt_security_footage").json()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"[1]", 422, "JSON object"),
        (b"{", 400, "JSON"),
        (b'"x"', 422, "JSON object"),
        (b"{}", 422, "bucket_name is missing"),
        ({"bucket_name": 7}, 422, "must be text"),
        ({"bucket_name": " "}, 422, "1 to 100"),
        ({"bucket_name": "x" * 101}, 422, "at most 100"),
        ({"bucket_name": "a\x00b"}, 422, "NUL"),
        ({"bucket_name": "a", "colour": "red"}, 422, "colour: Unknown key. Accepted: bucket_name"),
        ({"bucket_name": "a", "bucket_schema": 3}, 422, "must be an object"),
        ({"bucket_name": "a", "metadata": []}, 422, "metadata must be an object"),
    ],
)
def test_a_bad_bucket_is_refused_in_words(api, body, status, words):
    answer = api.post("buckets", body)
    assert answer.status_code == status
    assert words in fault(answer)["message"]
    assert not Bucket.objects.exists()


def test_a_second_bucket_of_one_name_is_409(api, bucket):
    answer = api.post("buckets", {"bucket_name": "Yard"})
    assert answer.status_code == 409
    assert fault(answer)["type"] == "AlreadyExistsError"


def test_it_lists_buckets_with_totals(api, namespace):
    for name in "abc":
        factories.make_bucket(namespace, name)
    body = api.get("buckets", limit=2, include_total="true").json()
    assert [row["bucket_name"] for row in body["results"]] == ["a", "b"]
    assert (body["total_count"], body["pagination"]["total"], body["pagination"]["next_page"]) == (3, 3, "2")
    assert api.client.post("/v1/buckets/list").json()["total_count"] == 3


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}, {"include_total": "perhaps"}]
)
def test_bad_paging_is_refused(api, query):
    assert api.get("buckets", **query).status_code == 422


# ---- objects


def test_it_takes_the_object_of_the_tutorial_from_a_web_address(api, bucket, monkeypatch):
    answer = api.post(
        f"buckets/{bucket.public_id}/objects",
        blob({"url": "https://host.example/footage/frame_001.jpg"}, metadata={"camera_id": "cam_lobby_01"}),
    )
    assert answer.status_code == 200
    body = answer.json()
    assert body["object_id"].startswith("obj_")
    assert (body["bucket_id"], body["status"], body["metadata"]) == (
        "bkt_yard",
        "PENDING",
        {"camera_id": "cam_lobby_01"},
    )
    assert body["blobs"][0]["details"]["filename"] == "frame_001.jpg"
    assert api.get(f"buckets/yard/objects/{body['object_id']}").json() == body


@pytest.mark.parametrize(
    "data", [encoded(), "data:image/jpeg;base64," + encoded(), {"base64": encoded(), "filename": "a.jpg"}]
)
def test_it_takes_bytes_as_base64_or_data_address(api, bucket, data):
    body = api.post("buckets/yard/objects", blob(data)).json()
    assert body["status"] == "COMPLETED"
    assert (body["width"], body["height"]) == (60, 40)
    assert body["blobs"][0]["details"]["mime_type"] == "image/jpeg"


def test_fields_of_the_schema_may_stand_at_the_root(api):
    api.post("buckets", {"bucket_name": "b", "bucket_schema": SCHEMA})
    body = api.post("buckets/b/objects", blob(encoded(), camera_id="lobby")).json()
    assert body["metadata"] == {"camera_id": "lobby"}


def test_it_takes_one_file_as_multipart(api, bucket):
    body = api.files(
        "buckets/yard/objects", file=upload(), metadata='{"camera_id": "a"}', key_prefix="day1"
    ).json()
    assert (body["key"], body["metadata"], body["status"]) == ("day1/a.jpg", {"camera_id": "a"}, "COMPLETED")


def test_it_takes_many_files_with_an_outcome_for_each(api, bucket):
    files = [upload(), upload("bad.jpg", b"no picture"), upload("zero.jpg", b"")]
    body = api.files("buckets/yard/objects", files=files).json()
    assert (body["succeeded_count"], body["failed_count"], body["total_requested"]) == (1, 2, 3)
    assert [one["index"] for one in body["failed"]] == [1, 2]
    assert "0 bytes" in body["failed"][1]["error"]["message"]


def test_it_takes_many_objects_as_json(api, bucket):
    body = api.post(
        "buckets/yard/objects/batch", {"objects": [blob(encoded()), blob("gs://b/a.jpg"), 7]}
    ).json()
    assert (body["succeeded_count"], body["failed_count"]) == (1, 2)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "JSON object"),
        ({}, "blobs must be a list"),
        ({"blobs": "x"}, "blobs must be a list"),
        ({"blobs": [1]}, "A blob is an object"),
        ({"blobs": [{"type": "image", "data": 7}]}, "data must be an address"),
        ({"blobs": [{"type": "image"}]}, "data must be an address"),
        ({"blobs": [{"type": "video", "property": "image", "data": "x"}]}, "'video' is not taken"),
        ({"blobs": [{"type": "image", "data": "x", "colour": 1}]}, "'colour' is no key here"),
        (blob({"url": 5}), "https://"),
        (blob({"url": "s3://my-bucket"}), "s3://bucket/key"),
        (blob("gs://my-bucket/a.jpg"), "gs:// addresses are not read"),
        (blob("ftp://host/a.jpg"), "Allowed: http and https"),
        (blob("not base64!"), "base64"),
        (blob(encoded(make.SVG)), "SVG is not taken"),
        (blob(encoded(b"only words")), "is text"),
        (blob(encoded(make.png_bomb())), "60,000 × 60,000"),
        (blob(encoded(make.encode(make.pixels(300, 300))[:3000])), "cut off"),
        (blob(encoded(), metadata=[]), "metadata must be an object"),
        (blob(encoded(), metadata={"a": "\x00"}), "NUL"),
        (blob(encoded(), idempotency="x"), "'idempotency' is no key here"),
        (blob(encoded(), skip_duplicates="perhaps"), "true or false"),
        ({"blobs": [*blob(encoded())["blobs"], *blob(encoded())["blobs"]]}, "has one image"),
    ],
)
def test_a_bad_object_is_refused_in_words_and_stored_nowhere(api, bucket, body, words):
    answer = api.post("buckets/yard/objects", body)
    assert answer.status_code == 422, answer.content
    assert words in fault(answer)["message"]
    assert not Object.objects.exists()


def test_a_private_address_is_refused(api, bucket, settings):
    settings.MIXCV_ALLOW_PRIVATE_URLS = False
    answer = api.post("buckets/yard/objects", blob("http://169.254.169.254/latest"))
    assert (answer.status_code, fault(answer)["code"]) == (422, "address_not_allowed")


def test_an_oversized_file_is_413(api, bucket, settings):
    settings.MIXCV_MAX_IMAGE_BYTES = 100
    assert api.files("buckets/yard/objects", file=upload()).status_code == 413
    assert api.post("buckets/yard/objects", blob(encoded())).status_code == 413


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "no file in the body"),
        ({"picture": "file"}, "'picture' is no file field"),
        ({"file": "file", "metadata": "["}, "JSON object"),
        ({"file": "file", "metadata": "[]"}, "JSON object"),
        ({"file": "file", "colour": "red"}, "'colour' is no key here"),
    ],
)
def test_a_bad_form_is_refused_in_words(api, bucket, fields, words):
    answer = api.files(
        "buckets/yard/objects",
        **{key: upload() if value == "file" else value for key, value in fields.items()},
    )
    assert answer.status_code == 422
    assert words in fault(answer)["message"]


def test_a_host_that_does_not_answer_leaves_the_object_failed_with_its_reason(api, bucket):
    from extraction.intake.tasks import fetch_object

    made = api.post("buckets/yard/objects", blob("http://nowhere.invalid/a.jpg")).json()
    fetch_object(Object.objects.get().pk)
    shown = api.get(f"buckets/yard/objects/{made['object_id']}").json()
    assert (shown["status"], shown["error"]) == ("FAILED", "The host nowhere.invalid is not known.")


def test_it_searches_objects_by_name(api, bucket):
    factories.make_objects(bucket, 2, stem="lobby")
    factories.make_objects(bucket, 1, stem="gate")
    assert len(api.get("buckets/yard/objects", search="gate").json()["results"]) == 1
    assert api.get("buckets/yard/objects", search="\x00").json()["error"]["code"] == "nul_character"
    assert (
        len(api.post("buckets/yard/objects/list", {"search": "lobby", "page_size": 1}).json()["results"]) == 1
    )


# ---- who may

PATHS = [
    ("GET", "buckets"),
    ("POST", "buckets"),
    ("POST", "buckets/list"),
    ("GET", "buckets/yard"),
    ("GET", "buckets/yard/objects"),
    ("POST", "buckets/yard/objects"),
    ("POST", "buckets/yard/objects/list"),
    ("POST", "buckets/yard/objects/batch"),
    ("GET", "buckets/yard/objects/obj_1"),
]


def call(api, method, path):
    return api.get(path) if method == "GET" else api.post(path, {})


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_it_answers_401_without_a_key(bucket, method, path):
    assert call(Api(""), method, path).status_code == 401


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_it_answers_404_for_another_namespace(api, bucket, method, path):
    assert call(api, method, f"namespaces/ns_other/{path}").status_code == 404


@pytest.mark.parametrize(("method", "path"), [one for one in PATHS if "yard" in one[1]])
def test_it_shows_nothing_of_another_namespace(bucket, method, path):
    foreign = Api(factories.make_key(factories.make_namespace("other")))
    assert call(foreign, method, path).status_code == 404


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_it_wants_the_scope_of_the_call(namespace, bucket, method, path):
    wanted = "read" if method == "GET" or path.endswith("/list") else "write"
    other = Api(factories.make_key(namespace, scopes=["write" if wanted == "read" else "read"]))
    assert call(other, method, path).status_code == 403
    assert call(Api(factories.make_key(namespace, scopes=[wanted])), method, path).status_code != 403


@pytest.mark.parametrize("path", ["buckets", "buckets/yard/objects"])
def test_lists_ask_as_often_for_one_row_as_for_three(api, namespace, bucket, path):
    counts = []
    for number in (1, 2):
        factories.make_objects(bucket, number)
        if number == 2:
            factories.make_bucket(namespace)
            factories.make_bucket(namespace)
        with CaptureQueriesContext(connection) as queries:
            assert api.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] >= counts[1]
