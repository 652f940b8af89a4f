"""`/v1/buckets/{bucket}/truth`."""

from __future__ import annotations

import io
import zipfile
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from extraction.imports.domain import run_import
from extraction.imports.domain.starting import bounds
from extraction.imports.models import TruthImport
from mixcv.kernel.models import Job
from tests import factories
from tests.extraction.imports import sources

pytestmark = pytest.mark.django_db
PATH = "/v1/buckets/yard/truth"
BUS = "0 0.5 0.5 0.25 0.25\n"


@pytest.fixture
def bucket():
    return factories.make_bucket(factories.make_namespace(), "yard")


@pytest.fixture
def api(client, bucket):
    headers = {"Authorization": f"Bearer {factories.make_key(bucket.namespace)}"}

    def call(method, path, body=None, **more):
        send = getattr(client, method)
        if method == "get":
            return send(f"{PATH}{path}", body, headers=headers)
        return send(f"{PATH}{path}", body, headers=headers, **({"content_type": "application/json"} | more))

    def with_file(data, **form):
        body = {"file": SimpleUploadedFile("cells.zip", data, "application/zip"), **form}
        return client.post(f"{PATH}/import", body, headers=headers)

    call.with_file = with_file
    return call


@pytest.fixture
def truth(tmp_path):
    folder = sources.yolo(tmp_path / "in", {"a": BUS + "9 0 0 1 1\n", "b": "", "c": None})
    return sources.zipped(folder, tmp_path / "cells.zip").read_bytes()


def test_a_zip_goes_in_at_once_and_its_report_is_read(api, truth):
    answer = api.with_file(truth)
    assert answer.status_code == 200
    made = answer.json()
    assert (made["status"], made["name"], made["format"]) == ("PENDING", "cells.zip", "auto")
    task = made["task_id"]
    run_import(key=TruthImport.objects.get().pk, bounds=bounds())
    report = api("get", f"/imports/{made['import_id']}").json()
    assert (report["status"], report["format"], report["done"]) == ("COMPLETED_WITH_ERRORS", "yolo", 3)
    assert report["counts"]["boxes_added"] == 1
    assert sorted((one["file"], one["line"], one["cost"]) for one in report["faults"]) == [
        ("images/c.jpg", None, "kept"),
        ("labels/a.txt", 2, "hidden"),
    ]
    listed = api("get", f"/imports/{made['import_id']}/faults").json()
    assert listed["total_count"] == 2
    body = {"filters": {"field": "cost", "operator": "eq", "value": "hidden"}}
    (lost,) = api("post", f"/imports/{made['import_id']}/faults/list", body).json()["results"]
    assert lost["message"] == "There is no class 9: the names go to 1."
    assert lost["image_id"]
    assert Job.objects.get().public_id == task


def test_a_zip_goes_in_by_a_signed_address(client, api, truth):
    made = api("post", "/uploads", {"filename": "cells.zip"}).json()
    parts = urlsplit(made["presigned_url"])
    sent = client.put(f"{parts.path}?{parts.query}", truth, content_type="application/zip")
    assert sent.status_code == 200
    answer = api("post", "/import", {"upload_id": made["upload_id"], "format": "yolo"})
    assert answer.json()["format"] == "yolo"
    again = api("post", "/import", {"upload_id": made["upload_id"]})
    assert (again.status_code, TruthImport.objects.count()) == (409, 1)
    run_import(key=TruthImport.objects.get().pk, bounds=bounds())
    assert Job.objects.get().done == 3


def test_an_upload_of_another_bucket_is_not_there(client, api, bucket, truth):
    factories.make_bucket(bucket.namespace, "other")
    made = api("post", "/uploads", {"filename": "cells.zip"}).json()
    parts = urlsplit(made["presigned_url"])
    client.put(f"{parts.path}?{parts.query}", truth, content_type="application/zip")
    key = factories.make_key(bucket.namespace)
    answer = client.post(
        "/v1/buckets/other/truth/import",
        {"upload_id": made["upload_id"]},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 404


def test_bytes_that_never_came_are_said(api):
    made = api("post", "/uploads", {"filename": "cells.zip"}).json()
    assert api("post", "/import", {"upload_id": made["upload_id"]}).status_code == 409


def zip_of(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no zip", "no zip archive that can be read"),
        (zip_of(**{"../out.jpg": b"x"}), "a path that is not allowed"),
        (zip_of(**{"/etc/passwd": b"x"}), "a path that is not allowed"),
    ],
)
def test_an_archive_that_is_not_safe_is_refused(api, data, words):
    answer = api.with_file(data)
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]
    assert not TruthImport.objects.exists()


def test_a_zip_that_holds_too_much_is_refused(api, truth, settings):
    settings.MIXCV_MAX_TRUTH_FILES = 3
    assert "more than 3 files" in api.with_file(truth).json()["error"]["message"]
    settings.MIXCV_MAX_TRUTH_BYTES = 1000
    assert api.with_file(truth).status_code == 413


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "upload_id"), ({"upload_id": "upl_x", "format": "csv"}, "format"), ({"upload": 1}, "upload")],
)
def test_a_wrong_body_is_told_by_its_field(api, body, field):
    answer = api("post", "/import", body)
    assert answer.status_code == 422
    assert field in str(answer.json()["error"])


def test_a_source_without_truth_fails_in_words(api):
    api.with_file(zip_of(**{"a.jpg": factories.picture()}))
    run_import(key=TruthImport.objects.get().pk, bounds=bounds())
    listed = api("get", "/imports").json()["results"][0]
    assert listed["status"] == "FAILED"
    assert listed["error"].startswith("No ground truth was found.")


def test_a_list_of_imports_asks_as_often_for_one_as_for_three(api, truth):
    counts = []
    for number in (1, 2):
        for _ in range(number):
            api.with_file(truth)
        with CaptureQueriesContext(connection) as queries:
            assert len(api("get", "/imports").json()["results"]) == number * 2 - 1
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_an_import_of_another_namespace_is_not_there(client, api, truth):
    made = api.with_file(truth).json()
    other = factories.make_bucket(factories.make_namespace("other"), "yard")
    headers = {
        "Authorization": f"Bearer {factories.make_key(other.namespace)}",
        "X-Namespace": other.namespace.name,
    }
    for path in (f"/imports/{made['import_id']}", f"/imports/{made['import_id']}/faults", "/imports/%00"):
        assert client.get(PATH + path, headers=headers).status_code == 404
