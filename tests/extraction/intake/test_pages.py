"""The images pages and the pictures on them."""

from __future__ import annotations

import html
import io
import os
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image as Pillow

from extraction.intake import media
from extraction.intake.models import Bucket, Object
from extraction.runs.domain import cancel_batch, create_batch, submit_batch
from extraction.runs.models import BatchItem, Collection
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from tests import factories
from tests.extraction.intake import pictures as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def namespace():
    return factories.make_namespace()


@pytest.fixture
def bucket(namespace):
    return factories.make_bucket(namespace, "yard")


@pytest.fixture
def manager(client, namespace):
    client.force_login(factories.make_user(namespace, role=Role.MANAGER))
    return client


@pytest.fixture
def image(bucket):
    return factories.make_objects(bucket, 1)[0].image


def upload(name="a.jpg", data=None):
    return SimpleUploadedFile(name, make.encode() if data is None else data, "image/jpeg")


def text_of(answer):
    return " ".join(answer.content.decode().split())


# ---- buckets


def test_an_empty_namespace_says_what_to_do_next(manager):
    text = text_of(manager.get("/n/demo/images/"))
    assert "No images yet" in text
    assert "Make the bucket" in text


def test_it_makes_a_bucket_and_goes_there(manager):
    answer = manager.post("/n/demo/images/", {"name": "Yard cameras", "split_key": "camera_id"})
    assert answer["Location"] == "/n/demo/images/yard_cameras/"
    assert Bucket.objects.get().split_key == "camera_id"
    assert "This bucket is empty" in text_of(manager.get(answer["Location"]))


def test_a_name_that_is_taken_is_said_at_its_field(manager, bucket):
    answer = manager.post("/n/demo/images/", {"name": "yard"})
    assert answer.status_code == 422
    assert "has the id bkt_yard already" in text_of(answer)


@pytest.mark.parametrize("count", [1, 3])
def test_images_asks_as_often_for_any_number_of_buckets(manager, namespace, bucket, count):
    for _ in range(count):
        factories.make_objects(factories.make_bucket(namespace), count)
    with CaptureQueriesContext(connection) as queries:
        assert manager.get("/n/demo/images/").status_code == 200
    assert len(queries) <= 9, [one["sql"][:90] for one in queries]


# ---- the wall


def test_the_wall_asks_as_often_for_one_image_as_for_three(manager, bucket):
    collection = factories.make_collection(bucket)
    counts = []
    for number in (1, 3):
        factories.make_detected(collection, number)
        factories.make_objects(bucket, number)
        with CaptureQueriesContext(connection) as queries:
            answer = manager.get("/n/demo/images/yard/")
        counts.append(len(queries))
    assert text_of(answer).count("3 boxes") == 4 * 2
    assert text_of(answer).count("Not detected yet") == 4 * 2
    assert counts[0] == counts[1]


def test_the_wall_marks_what_waits_and_what_failed(manager, bucket):
    collection = factories.make_collection(bucket)
    objects = factories.make_objects(bucket, 2)
    factories.detect(collection, objects, [factories.result(error="The host died."), factories.result()])
    Object.objects.filter(pk=objects[1].pk).update(state="FAILED", error="No answer.", image=None)
    assert BatchItem.objects.filter(state="FAILED").exists()
    text = text_of(manager.get("/n/demo/images/yard/"))
    assert "The host died." in text
    assert "No answer." in text
    assert "No answer." in text_of(manager.get("/n/demo/images/yard/?state=failed"))


def test_it_searches_by_name(manager, bucket):
    factories.make_objects(bucket, 1, stem="gate")
    factories.make_objects(bucket, 1, stem="lobby")
    text = text_of(manager.get("/n/demo/images/yard/?search=gate"))
    assert "gate_" in text
    assert "lobby_" not in text
    assert "Nothing found" in text_of(manager.get("/n/demo/images/yard/?search=zzz"))
    fragment = manager.get("/n/demo/images/yard/?search=gate", headers={"HX-Request": "true"})
    assert "<html" not in text_of(fragment)


def test_it_pages(manager, bucket, monkeypatch):
    monkeypatch.setattr("extraction.intake.views._IMAGES_A_PAGE", 2)
    factories.make_objects(bucket, 3)
    assert "1 to 2 of 3" in text_of(manager.get("/n/demo/images/yard/"))
    assert "3 to 3 of 3" in text_of(manager.get("/n/demo/images/yard/?page=2"))
    assert manager.get("/n/demo/images/yard/?page=x").status_code == 200


def test_the_wall_leads_to_each_picture_s_page(manager, bucket):
    rows = factories.make_objects(bucket, 2)
    Object.objects.filter(pk=rows[1].pk).update(state="FAILED", error="No answer.", image=None)
    text = text_of(manager.get("/n/demo/images/yard/"))
    for row in rows:
        assert f'href="/n/demo/images/yard/{row.public_id}/"' in text


def fragment_of(text):
    found = re.search(r'id="wall".*?hx-get="([^"]+)" hx-trigger="every 2s"', text)
    return found and html.unescape(found[1])


def test_the_wall_and_the_head_follow_what_happens(manager, bucket):
    collection = factories.make_collection(bucket)
    objects = factories.make_objects(bucket, 1)
    assert fragment_of(text_of(manager.get("/n/demo/images/yard/"))) is None
    batch = create_batch(bucket=bucket, collections=[collection])
    submit_batch(batch=batch)
    again = fragment_of(text_of(manager.get("/n/demo/images/yard/")))
    ask = {"headers": {"HX-Request": "true"}}
    assert manager.get(f"/n/demo/images/yard/{again}", **ask).status_code == 204
    cancel_batch(batch=batch, by=SYSTEM)
    factories.detect(collection, objects, [factories.result([factories.found()])])
    part = text_of(manager.get(f"/n/demo/images/yard/{again}", **ask))
    assert "1 box<" in part
    assert "1 image," in part
    assert 'hx-swap-oob="true"' in part
    assert fragment_of(part) is None


def test_a_bucket_that_nothing_watches_leads_to_a_new_collection(manager, bucket):
    where = 'href="/n/demo/detectors/?bucket=bkt_yard#collections"'
    text = text_of(manager.get("/n/demo/images/yard/"))
    assert where in text
    assert "Make a collection over this bucket" in text
    answer = manager.post(
        "/n/demo/images/yard/upload", {"files": upload()}, headers={"Accept": "application/json"}
    )
    assert answer.json()["make"] == "/n/demo/detectors/?bucket=bkt_yard#collections"
    factories.make_collection(bucket, "street", enabled=True)
    text = text_of(manager.get("/n/demo/images/yard/"))
    assert where not in text
    assert '<a class="link" href="/n/demo/collections/col_street/">street</a> detects what comes in' in text


def test_what_came_before_the_collection_gets_a_batch(manager, bucket):
    factories.make_objects(bucket, 2)
    factories.make_objects(factories.make_bucket(bucket.namespace, "elsewhere"), 5)
    collection = factories.make_collection(bucket, "street")
    factories.make_detected(collection, 1)
    Collection.objects.update(enabled=True)
    text = text_of(manager.get("/n/demo/images/yard/"))
    assert "2 images of this bucket are not detected by" in text
    assert 'action="/n/demo/collections/col_street/batch/"' in text
    manager.post("/n/demo/collections/col_street/batch/", {"bucket": bucket.public_id})
    assert "are not detected by" not in text_of(manager.get("/n/demo/images/yard/"))


# ---- uploads


def test_a_plain_form_uploads_and_comes_back(manager, bucket):
    answer = manager.post("/n/demo/images/yard/upload", {"files": [upload(), upload("b.jpg")]}, follow=True)
    assert "1 added, 1 were there already" in text_of(answer)


def test_a_plain_form_shows_each_fault(manager, bucket):
    answer = manager.post("/n/demo/images/yard/upload", {"files": [upload(), upload("bad.jpg", b"words")]})
    assert answer.status_code == 200
    assert "1 added, 1 refused" in text_of(answer)
    assert "<b>bad.jpg</b>" in text_of(answer)
    assert manager.post("/n/demo/images/yard/upload", {}).status_code == 422


def test_a_script_gets_outcomes_and_where_to_watch(manager, bucket):
    collection = factories.make_collection(bucket, "digits", enabled=True)
    body = manager.post(
        "/n/demo/images/yard/upload",
        {"files": [upload(), upload("zero.jpg", b"")], "names": ["day1/a.jpg", "day1/zero.jpg"]},
        headers={"Accept": "application/json"},
    ).json()
    assert (body["created"], body["duplicates"]) == (1, 0)
    assert body["errors"][0]["name"] == "day1/zero.jpg"
    assert body["detects"] == "digits will detect the new images."
    assert body["batch"] == f"/n/demo/batches/{collection.batches.get().public_id}/"
    assert Object.objects.get().key == "day1/a.jpg"


def test_a_reviewer_may_look_and_not_add(client, namespace, bucket):
    client.force_login(factories.make_user(namespace))
    assert "data-upload" not in text_of(client.get("/n/demo/images/yard/"))
    assert client.post("/n/demo/images/yard/upload", {"files": upload()}).status_code == 403
    assert client.post("/n/demo/images/", {"name": "x"}).status_code == 403
    assert not Object.objects.exists()


# ---- pictures


def test_it_serves_the_working_image_sandboxed_and_for_ever(manager, image):
    answer = manager.get(f"/n/demo/images/{image.pk}/file")
    assert len(b"".join(answer.streaming_content)) == image.working.size
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize("what", ["file", "thumb", "crop?box=100,100,40,40"])
def test_what_the_browser_has_is_not_sent_again(manager, image, what):
    first = manager.get(f"/n/demo/images/{image.pk}/{what}")
    again = manager.get(f"/n/demo/images/{image.pk}/{what}", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_thumbnail_has_320_pixels_at_most(manager, bucket):
    row = factories.make_objects(bucket, 1)[0]
    small = Pillow.open(io.BytesIO(manager.get(f"/n/demo/images/{row.image_id}/thumb").content))
    assert (small.format, small.size) == ("JPEG", (320, 240))


@pytest.mark.parametrize("side", [96, 192])
@pytest.mark.parametrize("box", ["160,120,80,60", "2,2,10,10", "160,120,400,400", "319,239,1,1"])
def test_a_crop_is_a_square_of_the_size_asked(manager, image, box, side):
    answer = manager.get(f"/n/demo/images/{image.pk}/crop?box={box}&size={side}")
    assert Pillow.open(io.BytesIO(answer.content)).size == (side, side)


def test_a_crop_shows_the_box_it_names():
    bucket = factories.make_bucket(factories.make_namespace())
    from extraction.intake.domain import store_image
    from mixcv.kernel.geometry import Box

    image = store_image(namespace=bucket.namespace, data=make.encode(make.pixels(800, 600)))
    cut = Pillow.open(io.BytesIO(media.crop(image, Box(600, 150, 100, 100), side=96)))
    red, green, blue = cut.getpixel((48, 48))
    assert green > 200 > 60 > max(red, blue)


def test_a_crop_of_a_detection(manager, bucket):
    document = factories.make_detected(factories.make_collection(bucket))[0]
    detection = document.detections.first()
    address = f"/n/demo/images/{document.image_id}/crop?detection="
    assert manager.get(f"{address}{detection.pk}").status_code == 200
    assert manager.get(f"{address}0").status_code == 404
    assert manager.get(f"{address}x").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "",
        "box=1,2,3",
        "box=a,b,c,d",
        "box=nan,1,1,1",
        "box=1,1,0,0",
        "box=9999,1,2,2",
        "box=1,1,9,9&size=5000",
    ],
)
def test_a_bad_crop_is_refused(manager, image, query):
    assert manager.get(f"/n/demo/images/{image.pk}/crop?{query}").status_code == 422


@pytest.mark.parametrize("what", ["", "/upload"])
def test_another_namespace_has_nothing_here(client, bucket, what):
    client.force_login(factories.make_user(factories.make_namespace("other"), role=Role.ADMIN))
    call = client.post if what else client.get
    assert call(f"/n/demo/images/yard{what or '/'}").status_code == 404
    assert call(f"/n/other/images/yard{what or '/'}").status_code == 404


@pytest.mark.parametrize("what", ["file", "thumb", "crop"])
def test_pictures_of_another_namespace_are_not_there(client, image, what):
    client.force_login(factories.make_user(factories.make_namespace("other"), role=Role.ADMIN))
    assert client.get(f"/n/other/images/{image.pk}/{what}?box=9,9,9,9").status_code == 404


@pytest.mark.parametrize("path", ["", "yard/", "1/file", "1/thumb", "1/crop"])
def test_it_asks_strangers_to_sign_in(client, bucket, path):
    assert client.get(f"/n/demo/images/{path}").status_code == 302


def test_the_cache_loses_what_was_used_longest_ago(manager, bucket, settings, tmp_path):
    settings.MIXCV_CACHE = tmp_path
    first, second = (row.image for row in factories.make_objects(bucket, 2))
    for image in (first, second):
        media.thumbnail(image)
    old = next(path for path in tmp_path.rglob("*.jpg") if path.name.startswith(first.working.sha256[:40]))
    os.utime(old, (1, 1))
    assert media.trim_cache(limit=len(media.thumbnail(second)) + 1) == 1
    assert not old.exists()
    assert media.thumbnail(first)
