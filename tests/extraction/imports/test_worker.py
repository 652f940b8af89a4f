"""Imports by a real worker, and one that is killed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from django.core.files import File
from django.core.files.uploadedfile import SimpleUploadedFile

from extraction.imports import domain
from extraction.imports.models import ImportedImage
from extraction.imports.tasks import sweep
from extraction.intake.models import Object
from extraction.truth.models import GroundTruthBox
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Role
from tests import factories
from tests.extraction.imports import sources
from tests.pages.desk import sign_in
from tests.processes import Worker, wait_until

PICTURES = 400


def sent(bucket, folder: Path, target: Path):
    data = sources.zipped(folder, target).read_bytes()
    file = SimpleUploadedFile("many.zip", data, "application/zip")
    assert isinstance(file, File)
    return domain.import_zip(bucket=bucket, file=file, by=SYSTEM)


def test_a_killed_worker_s_import_is_finished_by_another_and_doubles_nothing(worker: Worker, tmp_path: Path):
    worker.start(MIXCV_LEASE_SECONDS="2")
    bucket = factories.make_bucket(factories.make_namespace(), "yard")
    lines = "0 0.5 0.5 0.25 0.25\n1 0.2 0.2 0.1 0.1\n"
    folder = sources.yolo(tmp_path / "in", {f"p{n:04d}": lines for n in range(PICTURES)})
    row = sent(bucket, folder, tmp_path / "many.zip")
    job = row.job

    def under_way():
        job.refresh_from_db()
        return job.done

    wait_until(under_way, seconds=60, what="the first group")
    worker.kill()
    job.refresh_from_db()
    assert 0 < job.done < PICTURES
    assert GroundTruthBox.objects.count() == 2 * job.done
    worker.start(MIXCV_LEASE_SECONDS="2")

    def over():
        sweep()  # beat's part
        time.sleep(0.2)
        job.refresh_from_db()
        return job.is_over

    wait_until(over, seconds=90, what="the import")
    row.refresh_from_db()
    assert (job.state, job.done, job.attempt) == ("COMPLETED", PICTURES, 2)
    assert (row.counts["added"], row.counts["boxes_added"]) == (PICTURES, 2 * PICTURES)
    assert GroundTruthBox.objects.count() == 2 * PICTURES
    assert Object.objects.count() == ImportedImage.objects.count() == PICTURES


@pytest.mark.browser
def test_a_person_imports_a_zip_in_the_browser(page, live_server, worker: Worker, tmp_path: Path):
    namespace = factories.make_namespace()
    factories.make_bucket(namespace, "yard")
    sign_in(page.context, factories.make_user(namespace, role=Role.MANAGER), live_server.url)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    labels = {f"p{n}": "0 0.5 0.5 0.25 0.25\n" + ("9 0 0 1 1\n" if n == 3 else "") for n in range(20)}
    folder = sources.yolo(tmp_path / "in", labels | {"empty": "", "bare": None})
    page.goto(f"{live_server.url}/n/demo/images/yard/")
    page.set_input_files("#truth-file", sources.zipped(folder, tmp_path / "cells.zip"))
    page.get_by_role("button", name="Import").click()
    page.get_by_role("heading", name="Ground truth from cells.zip").wait_for()
    page.get_by_role("heading", name="What it did").wait_for()
    page.get_by_role("cell", name="There is no class 9: the names go to 1.").wait_for()
    if look := os.environ.get("MIXCV_LOOK"):
        page.screenshot(path=Path(look) / "import.png", full_page=True)
    page.get_by_role("link", name="Left out", exact=True).click()
    page.locator("tbody tr").nth(1).wait_for(state="detached")
    page.get_by_role("link", name="Look at the images").click()
    page.get_by_text("1 true box, complete").first.wait_for()
    if look:
        page.screenshot(path=Path(look) / "wall.png", full_page=True)
    assert not faults
