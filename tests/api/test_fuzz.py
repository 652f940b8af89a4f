"""schemathesis makes up requests from the OpenAPI document: no 5xx, and no answer outside the document."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from extraction.intake.models import Image, Object
from extraction.runs.models import Batch, Document
from tests import factories as make
from tests.client.serving import WebServer
from tests.review.datasets.building import build, confirm, dataset_of

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance"
)


@pytest.fixture
def key():
    """Rows under the names that the document's examples have."""
    namespace = make.make_namespace("demo")
    bucket = make.make_bucket(namespace, "security_footage")
    version = make.make_version(namespace, "yolo_detector")
    collection = make.make_collection(bucket, "detected_objects", version=version)
    rows = make.make_objects(bucket, 3, camera_id="cam_lobby_01")
    make.detect(
        collection, rows, [make.result([make.found("bus", 0.9), make.found("person", 0.4)]) for _ in rows]
    )
    Object.objects.filter(pk=rows[0].pk).update(public_id="obj_0abc")
    Batch.objects.filter(collections=collection).update(public_id="btch_0abc")
    Document.objects.filter(object=rows[0]).update(slug="frame_001")
    confirm(Document.objects.filter(object__in=rows))
    Image.objects.filter(pk=rows[0].image_id).update(split="train")
    Image.objects.filter(pk=rows[1].image_id).update(split="holdout")
    build(dataset_of(collection))
    return make.make_key(namespace)


@pytest.fixture
def server(transactional_db):
    """The product's own web server: no limit of calls, nothing fetched from this machine."""
    running = WebServer(settings.MIXCV_HOME)
    running.start(MIXCV_RATE_LIMIT="0", MIXCV_ALLOW_PRIVATE_URLS="0")
    yield running
    running.stop()


def fuzz(server: WebServer, key: str, tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {key}", "--checks", CHECKS),
        *("--seed", "7", "--no-color", "--max-failures", "40", "--continue-on-failure"),
        *("--suppress-health-check", "all", "--request-timeout", "20", "--warnings", "off", *more),
    ]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "which",
    [
        ("--exclude-method", "DELETE", "--phases", "coverage", "--workers", "2"),
        ("--exclude-method", "DELETE", "--phases", "examples,fuzzing", "--max-examples", "10"),
        ("--include-method", "DELETE", "--phases", "examples,coverage,fuzzing", "--max-examples", "10"),
    ],
    ids=["coverage", "fuzzing", "deletes"],
)
def test_it_finds_no_fault(server, key, tmp_path, which):
    done = fuzz(server, key, tmp_path, *which)
    assert done.returncode == 0, (done.stdout[-12_000:], done.stderr[-3000:])
