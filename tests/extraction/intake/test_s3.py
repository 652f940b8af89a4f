"""`s3://` addresses, read over HTTP from a server that speaks the protocol."""

from __future__ import annotations

import boto3
import pytest
from moto.server import ThreadedMotoServer

from extraction.intake import s3
from extraction.intake.domain import Incoming, add_objects, fetch_objects
from extraction.intake.models import Object
from mixcv.tenancy.actors import SYSTEM
from tests import factories

KEY = "footage/frame 001 +ä.jpg"


@pytest.fixture(scope="module")
def server():
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def store(server, settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings.MIXCV_S3_ENDPOINT, settings.MIXCV_S3_PATH_STYLE = server, True
    s3._client.cache_clear()
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    if not client.list_buckets()["Buckets"]:
        client.create_bucket(Bucket="my-bucket")
    yield client
    s3._client.cache_clear()


@pytest.fixture
def bucket():
    return factories.make_bucket(factories.make_namespace(), "yard")


def add(bucket, url):
    row = add_objects(bucket=bucket, incoming=[Incoming(url=url)], by=SYSTEM)[0].object
    assert row.state == Object.State.PENDING
    fetch_objects(keys=[row.pk])
    row.refresh_from_db()
    return row


@pytest.mark.django_db
def test_an_object_is_fetched_by_its_address(store, bucket):
    picture = factories.picture()
    store.put_object(Bucket="my-bucket", Key=KEY, Body=picture, ContentType="image/jpeg")
    row = add(bucket, f"s3://my-bucket/{KEY}")
    assert (row.state, row.error, row.key) == ("READY", "", "frame 001 +ä.jpg")
    assert row.image.original.size == len(picture)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://my-bucket/nothing.jpg", "there is no such object"),
        ("s3://no-bucket/frame.jpg", "there is no such bucket"),
        ("s3://my-bucket/text.txt", "is text, no image"),
    ],
)
def test_one_that_cannot_be_had_fails_with_the_reason(store, bucket, url, words):
    store.put_object(Bucket="my-bucket", Key="text.txt", Body=b"only words")
    row = add(bucket, url)
    assert row.state == "FAILED"
    assert words in row.error


@pytest.mark.django_db
def test_one_that_is_too_large_fails(store, bucket, settings):
    settings.MIXCV_MAX_IMAGE_BYTES = 100
    store.put_object(Bucket="my-bucket", Key="large.jpg", Body=factories.picture())
    assert "the most allowed" in add(bucket, "s3://my-bucket/large.jpg").error


@pytest.mark.django_db
def test_a_server_that_is_away_fails_the_object_with_the_reason(store, bucket, settings):
    settings.MIXCV_S3_ENDPOINT = "http://127.0.0.1:9"
    s3._client.cache_clear()
    row = add(bucket, "s3://my-bucket/a.jpg")
    assert row.state == "FAILED"
    assert "s3://my-bucket/a.jpg cannot be read" in row.error


@pytest.mark.parametrize("url", ["s3://", "s3://bucket", "s3:///key", "s3://user@bucket/key", "s3://b/\n"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(s3.BadUrl):
        s3.check_address(url)


def test_buckets_can_be_limited_to_a_list(settings):
    settings.MIXCV_S3_BUCKETS = ["footage"]
    assert s3.check_address("s3://footage/a%20b.jpg") == ("footage", "a b.jpg")
    with pytest.raises(s3.InvalidInput, match="Allowed: footage"):
        s3.check_address("s3://secrets/a.jpg")
