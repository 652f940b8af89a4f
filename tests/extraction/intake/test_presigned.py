"""Bytes sent to a signed address, then confirmed."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from extraction.intake.models import Blob, Object, Upload
from extraction.intake.presigned import forget_old_uploads, receive
from mixcv.kernel.errors import InvalidInput
from tests import factories

pytestmark = pytest.mark.django_db
PATH = "/v1/buckets/yard/uploads"
BODY = {"filename": "frame_001.jpg", "content_type": "image/jpeg", "object_metadata": {"camera_id": "a"}}


@pytest.fixture
def namespace():
    return factories.make_namespace()


@pytest.fixture
def bucket(namespace):
    return factories.make_bucket(namespace, "yard")


@pytest.fixture
def api(client, namespace, bucket):
    key = factories.make_key(namespace)

    def call(method, path, body=None):
        headers = {"Authorization": f"Bearer {key}"}
        if method == "get":
            return client.get(path, headers=headers)
        return getattr(client, method)(path, body, content_type="application/json", headers=headers)

    return call


def put(client, url, data):
    parts = urlsplit(url)
    return client.put(f"{parts.path}?{parts.query}", data, content_type="image/jpeg")


def test_an_image_goes_in_by_three_calls(client, api):
    picture = factories.picture()
    made = api("post", PATH, BODY).json()
    assert made["upload_id"].startswith("upl_")
    assert made["status"] == "PENDING"
    sent = put(client, made["presigned_url"], picture)
    assert (sent.status_code, sent.content) == (200, b"")
    assert sent.headers["ETag"] == f'"{hashlib.md5(picture).hexdigest()}"'
    assert not Object.objects.exists()
    body = {"etag": sent.headers["ETag"].strip('"'), "file_size_bytes": len(picture)}
    done = api("post", f"{PATH}/{made['upload_id']}/confirm", body).json()
    assert (done["status"], done["is_duplicate"]) == ("COMPLETED", False)
    row = Object.objects.get()
    assert (row.public_id, row.key, row.metadata) == (done["object_id"], "frame_001.jpg", {"camera_id": "a"})
    assert (row.state, row.image.width) == ("READY", 320)
    shown = api("get", f"{PATH}/{made['upload_id']}").json()
    assert (shown["object_id"], shown["presigned_url"]) == (row.public_id, None)
    assert api("post", f"{PATH}/{made['upload_id']}/confirm").status_code == 409
    assert put(client, made["presigned_url"], picture).status_code == 409


def test_what_came_is_checked_and_may_be_sent_again(client, api):
    made = api("post", PATH, BODY).json()
    confirm = f"{PATH}/{made['upload_id']}/confirm"
    early = api("post", confirm)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "nothing_sent")
    put(client, made["presigned_url"], b"no picture at all")
    assert api("post", confirm).status_code == 422
    picture = factories.picture()
    put(client, made["presigned_url"], picture)
    short = api("post", confirm, {"file_size_bytes": 7})
    assert f"{len(picture):,} bytes came" in short.json()["error"]["message"]
    assert api("post", confirm).status_code == 200


def test_an_address_that_was_tampered_with_or_is_old_is_refused(client, api):
    url = api("post", PATH, BODY).json()["presigned_url"]
    other = api("post", PATH, BODY).json()["upload_id"]
    path, query = urlsplit(url).path, urlsplit(url).query
    for where in (
        path,
        f"{path}?{query[:-1]}",
        f"{path}?{query}0",
        f"{path}?expires=99999999999&{query.partition('&')[2]}",
        f"/v1/uploads/{other}?{query}",
        f"{path}?expires=x&signature=x",
    ):
        answer = client.put(where, b"x", content_type="image/jpeg")
        assert (answer.status_code, answer.json()["success"]) == (403, False), where
    assert client.get(f"{path}?{query}").status_code == 405
    assert not Blob.objects.exists()


def test_what_the_sender_says_is_held_against_what_came(client, api):
    made = api("post", PATH, BODY).json()
    with pytest.raises(InvalidInput, match="4 bytes came of 5,000"):
        receive(upload=Upload.objects.get(), stream=io.BytesIO(b"half"), length=5000)
    assert Upload.objects.get().blob is None
    picture = factories.picture()
    put(client, made["presigned_url"], picture)
    wrong = api("post", f"{PATH}/{made['upload_id']}/confirm", {"etag": "0" * 32})
    assert (wrong.status_code, "etag" in wrong.json()["error"]["message"]) == (422, True)
    right = {"etag": f'"{hashlib.md5(picture).hexdigest()}"'}
    assert api("post", f"{PATH}/{made['upload_id']}/confirm", right).status_code == 200


def test_an_address_expires(client, api, monkeypatch):
    url = api("post", PATH, BODY | {"presigned_url_expiration": 60}).json()["presigned_url"]
    later = timezone.now() + timedelta(seconds=61)
    monkeypatch.setattr("extraction.intake.presigned.timezone.now", lambda: later)
    assert put(client, url, b"x").json()["error"]["code"] == "upload_expired"


def test_a_file_that_is_too_large_is_cut_off(client, api, settings):
    settings.MIXCV_MAX_IMAGE_BYTES = 1000
    url = api("post", PATH, BODY).json()["presigned_url"]
    assert put(client, url, b"x" * 1001).status_code == 413
    assert put(client, url, b"").status_code == 422


def test_a_second_of_the_same_content_is_a_duplicate_unless_it_is_wanted(client, api):
    picture = factories.picture()
    answers = []
    for skip in (True, True, False):
        made = api("post", PATH, BODY | {"skip_duplicates": skip}).json()
        put(client, made["presigned_url"], picture)
        answers.append(api("post", f"{PATH}/{made['upload_id']}/confirm").json())
    assert [answer["is_duplicate"] for answer in answers] == [False, True, False]
    assert answers[0]["object_id"] == answers[1]["object_id"] != answers[2]["object_id"]


def test_several_are_asked_for_at_once_listed_and_forgotten(api):
    body = {"uploads": [BODY, BODY | {"filename": "b.jpg"}], "shared_object_metadata": {"day": 1}}
    made = api("post", f"{PATH}/batch", body).json()
    assert made["total"] == 2
    assert made["uploads"][1]["object_metadata"] == {"day": 1, "camera_id": "a"}
    listed = api("post", f"{PATH}/list", {"search": "b.jpg"}).json()
    assert [one["filename"] for one in listed["results"]] == ["b.jpg"]
    assert api("delete", f"{PATH}/{made['uploads'][0]['upload_id']}").json()["success"] is True
    assert api("get", PATH).json()["total_count"] == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_takes_the_same_number_of_queries(api, rows, django_assert_num_queries):
    for _ in range(rows):
        api("post", PATH, BODY)
    with django_assert_num_queries(5):
        api("get", PATH)


def test_uploads_are_found_by_the_status_that_is_shown(client, api):
    made = [api("post", PATH, BODY).json() for _ in range(2)]
    put(client, made[0]["presigned_url"], factories.picture())
    found = api("post", f"{PATH}/list", {"filters": {"status": "PROCESSING"}}).json()["results"]
    assert [(one["upload_id"], one["status"]) for one in found] == [(made[0]["upload_id"], "PROCESSING")]


def test_too_many_at_once_are_refused(api):
    answer = api("post", f"{PATH}/batch", {"uploads": [BODY] * 1001})
    assert (answer.status_code, "1000" in answer.content.decode()) == (422, True)
    assert api("post", f"{PATH}/batch", {"uploads": []}).status_code == 422


def test_one_of_another_bucket_is_not_there(client, api, namespace):
    factories.make_bucket(namespace, "lobby")
    made = api("post", PATH, BODY).json()
    put(client, made["presigned_url"], factories.picture())
    for method, path in (("get", ""), ("delete", ""), ("post", "/confirm")):
        answer = api(method, f"/v1/buckets/lobby/uploads/{made['upload_id']}{path}")
        assert answer.status_code == 404
    assert Upload.objects.get().state == "UPLOADED"


def test_what_nobody_confirms_is_forgotten(client, api):
    for days, state in ((2, "PENDING"), (2, "COMPLETED"), (0, "PENDING")):
        made = api("post", PATH, BODY).json()
        Upload.objects.filter(public_id=made["upload_id"]).update(
            expires_at=timezone.now() - timedelta(days=days), state=state
        )
    assert forget_old_uploads() == 1
    assert Upload.objects.count() == 2
