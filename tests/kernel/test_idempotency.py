"""A call repeated with the same Idempotency-Key happens once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from extraction.intake.models import Bucket, Object
from mixcv.kernel.idempotency import forget_old_calls
from mixcv.kernel.models import IdempotentCall
from tests import factories as make

BODY = {"bucket_name": "yard"}


def post(client, key, idempotency, body=None, path="/v1/buckets", **more):
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency}
    if more:
        return client.post(path, more, headers=headers)
    return client.post(path, BODY if body is None else body, content_type="application/json", headers=headers)


@pytest.fixture
def key():
    return make.make_key(make.make_namespace())


@pytest.mark.django_db
def test_the_second_call_answers_as_the_first_did(client, key):
    first, second = post(client, key, "one"), post(client, key, "one")
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Bucket.objects.count() == 1


@pytest.mark.django_db
def test_another_body_or_call_under_the_same_key_is_refused(client, key):
    post(client, key, "one")
    other = post(client, key, "one", {"bucket_name": "lobby"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert post(client, key, "one", path="/v1/namespaces").status_code == 422
    assert Bucket.objects.count() == 1


@pytest.mark.django_db
def test_keys_of_two_callers_do_not_meet(client, key):
    other = make.make_key(make.make_namespace("other"))
    assert post(client, key, "one").status_code == post(client, other, "one").status_code == 200
    assert Bucket.objects.count() == 2


@pytest.mark.django_db
def test_the_same_key_in_another_namespace_is_another_call(client, key):
    headers = {"Authorization": f"Bearer {key}"}
    client.post(
        "/v1/namespaces", {"namespace_name": "second"}, content_type="application/json", headers=headers
    )
    first = post(client, key, "one")
    other = client.post(
        "/v1/buckets",
        BODY,
        content_type="application/json",
        headers=headers | {"Idempotency-Key": "one", "X-Namespace": "second"},
    )
    assert first.json()["namespace_id"] == "ns_demo"
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


@pytest.mark.django_db
def test_what_failed_left_nothing_behind_and_may_be_tried_again(client, key):
    make.make_bucket(make.make_namespace(), "yard")
    assert post(client, key, "one").status_code == 409
    Bucket.objects.all().delete()
    assert post(client, key, "one").status_code == 200


@pytest.mark.django_db
def test_a_file_counts_as_part_of_the_body(client, key):
    make.make_bucket(make.make_namespace(), "yard")
    picture, other = make.picture(), make.picture()
    path = "/v1/buckets/yard/objects"
    first = post(client, key, "one", path=path, file=SimpleUploadedFile("a.jpg", picture, "image/jpeg"))
    again = post(client, key, "one", path=path, file=SimpleUploadedFile("a.jpg", picture, "image/jpeg"))
    changed = post(client, key, "one", path=path, file=SimpleUploadedFile("a.jpg", other, "image/jpeg"))
    assert first.json() == again.json()
    assert changed.status_code == 422
    assert Object.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["", "x" * 256])
def test_a_key_that_is_none_is_refused(client, key, wrong):
    assert post(client, key, wrong).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_calls_at_the_same_time_happen_once(key):
    start, answers = threading.Barrier(6), []

    def call():
        start.wait()
        answers.append(post(Client(), key, "one"))
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["bucket_id"] for answer in answers}) == 1
    assert Bucket.objects.count() == 1


@pytest.mark.django_db
def test_old_records_are_forgotten(client, key):
    post(client, key, "one")
    assert forget_old_calls() == 0
    IdempotentCall.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert forget_old_calls() == 1


@pytest.mark.django_db(transaction=True)
def test_keyed_uploads_of_the_same_files_do_not_lock_each_other_up(key, monkeypatch):
    """Each group of files wants images, then the bucket; a key makes one transaction of all groups."""
    monkeypatch.setattr("extraction.intake.bodies._GROUP_FILES", 1)
    make.make_bucket(make.make_namespace(), "yard")
    pictures = [make.picture() for _ in range(6)]
    start, codes = threading.Barrier(2), []

    def send(number, order):
        files = [SimpleUploadedFile(f"{n}.jpg", pictures[n], "image/jpeg") for n in order]
        start.wait()
        codes.append(
            post(Client(), key, f"k{number}", path="/v1/buckets/yard/objects", files=files).status_code
        )
        connection.close()

    threads = [
        threading.Thread(target=send, args=(0, [0, 1, 2, 3, 4, 5])),
        threading.Thread(target=send, args=(1, [5, 4, 3, 2, 1, 0])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [200, 200]
    assert Object.objects.count() == 12
