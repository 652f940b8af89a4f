"""A detector and its weights, from the file to the next version, as a person does it; a real worker does the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from extraction.packages.builtin import SHIPPED_WEIGHTS
from mixcv.tenancy.models import Role
from tests import factories
from tests.extraction.packages import packages
from tests.extraction.packages.archives import package_zip, tar_of
from tests.extraction.packages.test_registry import LOADING
from tests.processes import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WEIGHTS = tar_of({"weights/best.pt": (SHIPPED_WEIGHTS / "digits.pt").read_bytes()})


@pytest.fixture
def tab(page: Any, live_server: Any) -> Iterator[Any]:
    from tests.pages.desk import sign_in

    namespace = factories.make_namespace()
    sign_in(page.context, factories.make_user(namespace, role=Role.MANAGER), live_server.url)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None
    )
    page.goto(f"{live_server.url}/n/demo/detectors/")
    yield page
    assert not faults, faults


def look(tab: Any, name: str) -> None:
    """axe finds nothing in both themes, nothing scrolls sideways; the picture is kept where somebody asks for it."""
    if folder := os.environ.get("MIXCV_LOOK"):
        tab.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    for theme in ("light", "dark"):
        tab.evaluate("theme => document.documentElement.setAttribute('data-theme', theme)", theme)
        tab.wait_for_timeout(200)  # colours go over in 80 ms
        results = Axe().run(tab)
        assert results.violations_count == 0, results.generate_report()
    for width, height in ((1024, 768), (1280, 720), (1440, 900)):
        tab.set_viewport_size({"width": width, "height": height})
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)


def zip_file(data: bytes) -> dict[str, Any]:
    return {"name": "trial.zip", "mimeType": "application/zip", "buffer": data}


def add_weights(tab: Any, version: str) -> None:
    tab.locator(".more > summary").click()
    tab.get_by_role("link", name="Models").click()
    tab.get_by_label("File").set_input_files(
        {"name": "w.tar.gz", "mimeType": "application/gzip", "buffer": WEIGHTS}
    )
    tab.get_by_label("Name").fill("yolo-detector")
    tab.get_by_label("Version").fill(version)
    tab.get_by_role("button", name="Upload the weights").click()
    row = tab.get_by_role("row").filter(has_text=f"yolo-detector_{version.replace('.', '_')}").first
    row.get_by_role("button", name="Deploy").click()
    row.get_by_text("deployed", exact=True).wait_for()
    row.get_by_text("weights/best.pt").wait_for()


@pytest.mark.slow
def test_from_a_package_to_the_next_version(tab: Any, worker: Worker) -> None:
    bad = package_zip("import socket\n", packages.MANIFEST.replace("embedding_dim", "dimensions"))
    tab.get_by_label("Package as a zip").set_input_files(zip_file(bad))
    tab.get_by_role("button", name="Upload the package").click()
    tab.get_by_text("rename dimensions → embedding_dim").wait_for()
    look(tab, "faults")
    manifest = packages.MANIFEST.replace("dependencies = []", 'dependencies = ["numpy==1.0", "ultralytics"]')
    tab.get_by_label("Package as a zip").set_input_files(zip_file(package_zip(LOADING, manifest)))
    tab.get_by_role("button", name="Upload the package").click()
    tab.get_by_role("heading", name="trial 1.0.0").wait_for()
    look(tab, "detector")
    tab.get_by_role("button", name="Deploy").click()
    tab.get_by_text("no deployed model 'yolo-detector_1_0_0'").wait_for(timeout=60_000)
    look(tab, "failed")
    add_weights(tab, "1.0.0")
    tab.locator(".more > summary").click()
    tab.get_by_role("link", name="Detectors").click()
    tab.get_by_role("button", name="Deploy again").click()
    tab.get_by_text("in production").wait_for(timeout=60_000)
    tab.get_by_text("asks for numpy==1.0").wait_for()
    look(tab, "detectors")
    add_weights(tab, "2.0.0")
    look(tab, "models")
    tab.get_by_role("link", name="New version of trial").click()
    tab.get_by_role(
        "heading", name="trial 2.0.0: the code of 1.0.0 with the weights yolo-detector_2_0_0"
    ).wait_for()
    look(tab, "next")
    tab.get_by_role("button", name="Make and deploy trial 2.0.0").click()
    tab.get_by_role("heading", name="trial 2.0.0").wait_for()
    tab.get_by_role("link", name="Detectors").first.click()
    tab.get_by_role("button", name="Put into production").wait_for(timeout=60_000)
    look(tab, "two")
