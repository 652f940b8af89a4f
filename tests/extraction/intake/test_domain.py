"""Buckets, and what comes into them."""

from __future__ import annotations

import base64
import threading

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.intake.domain import (
    Incoming,
    add_objects,
    create_bucket,
    ensure_bucket,
    fetch_objects,
    stuck_objects,
)
from extraction.intake.domain.images import split_of
from extraction.intake.hooks import objects_ready
from extraction.intake.models import Blob, Image, Object
from mixcv.kernel import http, storage
from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.kernel.models import Event
from mixcv.tenancy.actors import SYSTEM
from tests import factories
from tests.extraction.intake import pictures as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket():
    return factories.make_bucket(factories.make_namespace(), "yard")


@pytest.fixture
def ready(monkeypatch):
    """What the hook was called with."""
    calls: list[list[int]] = []
    monkeypatch.setitem(objects_ready._entries, "test", lambda bucket, keys: calls.append(keys))
    return calls


def add(bucket, *incoming, **options):
    return add_objects(bucket=bucket, incoming=incoming, by=SYSTEM, **options)


def test_it_keeps_original_and_working_bytes_apart_where_the_image_was_turned(bucket):
    (outcome,) = add(bucket, Incoming("a.jpg", make.oriented(6)))
    image = outcome.object.image
    assert (image.width, image.height) == (40, 60)
    assert storage.read(image.original.storage_name) == make.oriented(6)
    assert image.working_id != image.original_id
    assert image.sha256 == image.original.sha256


def test_it_keeps_one_blob_for_an_image_that_is_upright(bucket):
    (outcome,) = add(bucket, Incoming("a.jpg", make.encode()))
    assert outcome.object.image.working_id == outcome.object.image.original_id


def test_one_bad_item_costs_the_others_nothing(bucket, ready):
    outcomes = add(
        bucket,
        Incoming("good.jpg", make.encode()),
        Incoming("bad.jpg", make.encode(make.pixels(300, 300))[:300]),
        Incoming("other.png", make.encode(make.pixels(seed=3), form="PNG")),
    )
    assert [one.status for one in outcomes] == ["created", "error", "created"]
    assert "cut off" in outcomes[1].error.message or "damaged" in outcomes[1].error.message
    bucket.refresh_from_db()
    assert bucket.object_count == 2
    assert bucket.total_bytes == sum(blob.size for blob in Blob.objects.all())
    assert ready == [[outcomes[0].object.pk, outcomes[2].object.pk]]
    assert Event.objects.filter(type="object.created").count() == 2


def test_it_passes_over_what_the_bucket_has_already(bucket):
    (first,) = add(bucket, Incoming("a.jpg", make.encode()), skip_duplicates=True)
    again, twin, new = add(
        bucket,
        Incoming("b.jpg", make.encode()),
        Incoming("c.jpg", make.encode(make.pixels(seed=5))),
        Incoming("d.jpg", make.encode(make.pixels(seed=5))),
        skip_duplicates=True,
    )
    assert (again.status, again.object.pk) == ("duplicate", first.object.pk)
    assert (twin.status, new.status) == ("created", "duplicate")
    assert Object.objects.count() == 2


def test_the_same_bytes_are_one_image_in_a_namespace_and_another_in_the_next(bucket):
    other = factories.make_bucket(bucket.namespace)
    foreign = factories.make_bucket(factories.make_namespace("elsewhere"))
    images = {add(where, Incoming("a.jpg", make.encode()))[0].object.image_id for where in (bucket, other)}
    assert len(images) == 1
    assert add(foreign, Incoming("a.jpg", make.encode()))[0].object.image_id not in images


def test_it_gives_about_a_fifth_to_the_holdout():
    held = sum(split_of(f"{n:064x}", "") == Image.Split.HOLDOUT for n in range(5000))
    assert 900 < held < 1100


def test_images_of_one_group_stay_on_one_side():
    bucket = create_bucket(namespace=factories.make_namespace(), name="b", split_key="camera_id", by=SYSTEM)
    outcomes = add(
        bucket,
        *(
            Incoming(f"{n}.jpg", make.encode(make.pixels(seed=n)), metadata={"camera_id": "lobby"})
            for n in range(1, 9)
        ),
    )
    assert len({one.object.image.split for one in outcomes}) == 1
    assert {one.object.image.group_key for one in outcomes} == {"lobby"}


@pytest.mark.parametrize(
    ("metadata", "field", "words"),
    [
        ({}, "metadata.camera_id", "lacks 'camera_id'"),
        ({"camera_id": 7}, "metadata.camera_id", "wants text"),
        ({"camera_id": "a", "floor": "two"}, "metadata.floor", "type integer"),
        ({"camera_id": "a", "floor": True}, "metadata.floor", "type integer"),
        ({"camera_id": "a", "at": "soon"}, "metadata.at", "a time like"),
        ({"camera_id": "a", "side": "up"}, "metadata.side", "allowed: left, right"),
        ({"camera_id": "a\x00"}, "metadata", "NUL"),
        ({"camera_id": "a", "x": float("nan")}, "metadata", "NaN"),
        ({"camera_id": "\ud800"}, "metadata", "Unicode"),
    ],
)
def test_it_names_the_metadata_key_at_fault(metadata, field, words):
    schema = {
        "properties": {
            "image": {"type": "image", "required": True},
            "camera_id": {"type": "text", "required": True},
            "floor": {"type": "integer"},
            "at": {"type": "datetime"},
            "side": {"type": "string", "enum": ["left", "right"]},
        }
    }
    bucket = create_bucket(namespace=factories.make_namespace(), name="b", schema=schema, by=SYSTEM)
    (outcome,) = add(bucket, Incoming("a.jpg", make.encode(), metadata=metadata))
    assert outcome.error.field == field
    assert words in outcome.error.message


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ([], "bucket_schema"),
        ({"fields": {}}, "bucket_schema.fields"),
        ({"properties": {"a": "text"}}, "bucket_schema.properties.a"),
        ({"properties": {"a": {"type": "txt"}}}, "bucket_schema.properties.a.type"),
        ({"properties": {"a": {"type": ["text"]}}}, "bucket_schema.properties.a.type"),
        ({"properties": {"a": {"type": "text", "mandatory": True}}}, "bucket_schema.properties.a.mandatory"),
        ({"properties": {"a": {"type": "text", "required": "yes"}}}, "bucket_schema.properties.a.required"),
    ],
)
def test_it_names_the_key_of_a_schema_that_is_wrong(schema, field):
    with pytest.raises(InvalidInput) as caught:
        create_bucket(namespace=factories.make_namespace(), name="b", schema=schema or [1], by=SYSTEM)
    assert caught.value.field == field


def test_two_names_with_one_slug_are_refused():
    namespace = factories.make_namespace()
    create_bucket(namespace=namespace, name="a b", by=SYSTEM)
    with pytest.raises(AlreadyExists):
        create_bucket(namespace=namespace, name="a-b", by=SYSTEM)
    assert ensure_bucket(namespace=namespace, name="a b", by=SYSTEM).name == "a b"


def test_it_takes_a_data_address_at_once(bucket):
    uri = "data:image/jpeg;base64," + base64.b64encode(make.encode()).decode()
    (outcome,) = add(bucket, Incoming(url=uri))
    assert (outcome.object.state, outcome.object.key) == (Object.State.READY, "image.jpg")


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("gs://my-bucket/frame_001.jpg", "unsupported", "not read"),
        ("ftp://host/a.jpg", "bad_url", "Allowed: http and https"),
        ("file:///etc/passwd", "bad_url", "Allowed: http and https"),
        ("https://user:secret@host/a.jpg", "bad_url", "password"),
        ("https:///a.jpg", "bad_url", "no host"),
        ("data:image/png;base64", "bad_data", "comma"),
        ("data:image/png;base64,%%%", "bad_data", "base64"),
        ("data:image/png;base64,", "empty_file", "0 bytes"),
    ],
)
def test_it_refuses_an_address_by_its_form(bucket, url, code, words):
    (outcome,) = add(bucket, Incoming(url=url))
    assert outcome.error.code == code
    assert words in outcome.error.message


def test_it_refuses_a_private_address_at_once(bucket, settings):
    settings.MIXCV_ALLOW_PRIVATE_URLS = False
    (outcome,) = add(bucket, Incoming(url="http://127.0.0.1/a.jpg"))
    assert outcome.error.code == "address_not_allowed"


def test_it_fetches_what_an_address_names(bucket, ready, monkeypatch):
    monkeypatch.setattr(http, "fetch", lambda url, **_: http.Answer(200, make.encode(), "image/jpeg", url))
    (outcome,) = add(bucket, Incoming(url="https://host.example/a%20b.jpg?x=1"))
    assert (outcome.object.state, outcome.object.key) == (Object.State.PENDING, "a b.jpg")
    assert ready == []
    assert fetch_objects(keys=[outcome.object.pk]) == 1
    assert fetch_objects(keys=[outcome.object.pk]) == 0
    row = Object.objects.get()
    assert row.state == Object.State.READY
    assert ready == [[row.pk]]
    bucket.refresh_from_db()
    assert bucket.total_bytes == row.image.original.size


def test_an_address_that_names_no_image_fails_with_its_reason(bucket, monkeypatch):
    monkeypatch.setattr(
        http, "fetch", lambda url, **_: http.Answer(200, b"<html>no</html>", "text/html", url)
    )
    (outcome,) = add(bucket, Incoming(url="https://host.example/a.jpg"))
    fetch_objects(keys=[outcome.object.pk])
    row = Object.objects.get()
    assert row.state == Object.State.FAILED
    assert "came as text/html, but it is a web page" in row.error
    assert Event.objects.filter(type="object.failed").exists()


def test_a_fetch_that_breaks_off_fails_its_object_alone(bucket, monkeypatch, caplog):
    def fetch(url, **_):
        if "bad" in url:
            raise ZeroDivisionError("by nothing")
        return http.Answer(200, make.encode(), "image/jpeg", url)

    monkeypatch.setattr(http, "fetch", fetch)
    outcomes = add(bucket, *(Incoming(url=f"https://host.example/{name}.jpg") for name in ("bad", "good")))
    assert fetch_objects(keys=[outcome.object.pk for outcome in outcomes]) == 1
    bad, good = Object.objects.order_by("pk")
    assert (bad.state, good.state) == (Object.State.FAILED, Object.State.READY)
    assert "ZeroDivisionError" in bad.error
    assert "by nothing" in caplog.text


def test_the_sweep_takes_up_what_got_lost_once(bucket):
    (outcome,) = add(bucket, Incoming(url="https://host.example/a.jpg"))
    assert stuck_objects() == []
    Object.objects.update(updated_at="2020-01-01T00:00Z")
    assert stuck_objects() == [outcome.object.pk]
    assert stuck_objects() == []


@pytest.mark.parametrize("name", ["a\x00.jpg", "x" * 501, "a\nb.jpg"])
def test_it_refuses_a_name_that_cannot_be_stored(bucket, name):
    (outcome,) = add(bucket, Incoming(name, make.encode()))
    assert outcome.error.field == "name"


def test_the_number_of_queries_does_not_grow_with_the_number_of_items(bucket):
    counts = []
    for seeds in ([11], [12, 13, 14]):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            add(bucket, *(Incoming(f"{n}.jpg", make.encode(make.pixels(seed=n))) for n in seeds))
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_two_uploads_of_the_same_bytes_at_one_time_make_one_image():
    bucket = factories.make_bucket(factories.make_namespace(), "race")
    start, outcomes = threading.Barrier(4), []

    def upload():
        try:
            start.wait()
            outcomes.extend(add(bucket, Incoming("a.jpg", make.oriented(6)), skip_duplicates=True))
        finally:
            connection.close()

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in outcomes) == ["created", "duplicate", "duplicate", "duplicate"]
    assert (Image.objects.count(), Blob.objects.count(), Object.objects.count()) == (1, 2, 1)
    bucket.refresh_from_db()
    assert bucket.object_count == 1
