"""Importing in the browser: the form, the report, the marks on the wall."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.imports import domain
from extraction.imports.domain.starting import bounds
from extraction.imports.models import TruthImport
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from tests import factories
from tests.extraction.imports import sources

pytestmark = pytest.mark.django_db
BUS = "0 0.5 0.5 0.25 0.25\n"
PAGE = "/n/demo/images/yard/"


@pytest.fixture
def bucket():
    return factories.make_bucket(factories.make_namespace(), "yard")


@pytest.fixture
def manager(client, bucket):
    client.force_login(factories.make_user(bucket.namespace, role=Role.MANAGER))
    return client


def text_of(answer):
    return " ".join(answer.content.decode().split())


def bring(bucket, folder):
    return domain.import_truth(bucket=bucket, source=folder, by=SYSTEM)


def test_a_zip_is_sent_watched_and_reported(manager, bucket, tmp_path):
    folder = sources.yolo(tmp_path / "in", {"a": BUS + "9 0 0 1 1\n", "b": ""})
    data = sources.zipped(folder, tmp_path / "cells.zip").read_bytes()
    assert "Import ground truth" in text_of(manager.get(PAGE))
    answer = manager.post(f"{PAGE}truth", {"file": SimpleUploadedFile("cells.zip", data), "format": "auto"})
    row = TruthImport.objects.get()
    where = f"{PAGE}truth/{row.public_id}/"
    assert answer["Location"] == where
    waiting = text_of(manager.get(where))
    assert "waits for a worker" in waiting
    assert f'hx-get="{where}"' in waiting
    domain.run_import(key=row.pk, bounds=bounds())
    live = text_of(manager.get(where, headers={"HX-Request": "true"}))
    assert "<html" not in live
    assert "hx-get" not in live
    assert "2 images added; 0 were in the bucket already." in live
    assert "labels/a.txt" in live
    assert "There is no class 9: the names go to 1." in live
    assert f"/n/demo/images/{row.faults.get().image_id}/thumb" in live
    assert f'href="{where}"' in text_of(manager.get(PAGE))


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({}, "Choose a zip with pictures"),
        ({"file": SimpleUploadedFile("a.zip", b"no zip")}, "a.zip was not taken. This is no zip"),
    ],
)
def test_what_is_no_zip_is_said_on_the_bucket_s_page(manager, bucket, form, words):
    answer = manager.post(f"{PAGE}truth", form, follow=True)
    assert words in text_of(answer)
    assert not TruthImport.objects.exists()


def test_it_is_stopped_by_a_button(manager, bucket):
    row = domain.start_import(bucket=bucket, name="cells", by=SYSTEM)
    answer = manager.post(f"{PAGE}truth/{row.public_id}/stop", follow=True)
    assert "is being stopped" in text_of(answer)
    domain.run_import(key=row.pk, bounds=bounds())
    assert Job.objects.get().state == "CANCELED"
    assert "stopped" in text_of(manager.get(f"{PAGE}truth/{row.public_id}/"))


def test_a_reviewer_sees_and_starts_nothing(client, bucket):
    row = domain.start_import(bucket=bucket, name="cells", by=SYSTEM)
    client.force_login(factories.make_user(bucket.namespace))
    assert client.post(f"{PAGE}truth").status_code == 403
    assert client.post(f"{PAGE}truth/{row.public_id}/stop").status_code == 403
    assert "Stop" not in text_of(client.get(f"{PAGE}truth/{row.public_id}/"))
    assert "Import ground truth" not in text_of(client.get(PAGE))


def test_an_import_of_another_bucket_or_namespace_is_not_there(manager, bucket):
    other = factories.make_bucket(bucket.namespace, "other")
    foreign = factories.make_bucket(factories.make_namespace("foreign"), "yard")
    for one in (other, foreign):
        row = domain.start_import(bucket=one, name="cells", by=SYSTEM)
        assert manager.get(f"{PAGE}truth/{row.public_id}/").status_code == 404


@pytest.mark.parametrize("show", ["", "lost", "look", "nonsense"])
def test_the_report_asks_as_often_for_one_fault_as_for_three(manager, bucket, tmp_path, show):
    counts = []
    for number in (1, 3):
        lines = "9 0 0 1 1\n" * number
        row = bring(bucket, sources.yolo(tmp_path / str(number), {"a": BUS + lines, "b": None}))
        with CaptureQueriesContext(connection) as queries:
            shown = text_of(manager.get(f"{PAGE}truth/{row.public_id}/", {"show": show}))
        assert shown.count("There is no class 9") == (0 if show == "look" else number)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_wall_marks_images_that_have_truth(manager, bucket, tmp_path):
    bring(
        bucket,
        sources.yolo(
            tmp_path, {"a": BUS * 1 + "1 0.2 0.2 0.1 0.1", "b": "", "c": None, "d": BUS + "9 0 0 1 1"}
        ),
    )
    shown = text_of(manager.get(PAGE))
    assert shown.count('title="Ground truth: ') == 3
    assert "2 true boxes, complete" in shown
    assert "verified empty" in shown
    assert "1 true box, not complete" in shown
