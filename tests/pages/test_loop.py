"""The whole loop in the browser: truth in, a dataset, a training, a comparison, a promotion; then `@production`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.domain import register_version
from extraction.packages.models import Extractor, ProductionChange
from extraction.runs.models import Collection
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Namespace, Role
from tests import factories
from tests.extraction.imports import sources
from tests.extraction.search.searches import axis, stage
from tests.pages.desk import sign_in
from tests.pages.test_pages import faults_of
from tests.processes import Worker, wait_until
from tests.review.training.scenes import write_truth

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SLOWLY = 120_000


def test_from_truth_to_version_2_in_production(
    page: Any, worker: Worker, live_server: Any, tmp_path: Path
) -> None:
    namespace = factories.make_namespace("demo")
    sign_in(page.context, factories.make_user(namespace, name="ines", role=Role.ADMIN), live_server.url)
    factories.make_bucket(namespace, "scenes")
    register_version(
        namespace=namespace,
        extractor="digits",
        version="1.0.0",
        weights_path=SHIPPED_WEIGHTS / "digits.pt",
        parameters={"image_size": 256},
    )
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    home = f"{live_server.url}/n/demo/"
    _bring_truth(page, home, tmp_path)
    _deploy(page, home)
    _build(page, home)
    _train(page)
    _compare(page)
    _promote(page, home)
    _check_served(page, home, namespace)
    assert not faults


def _bring_truth(page: Any, home: str, tmp_path: Path) -> None:
    write_truth(tmp_path / "truth", train=8, test=6)
    page.goto(f"{home}images/scenes/")
    page.set_input_files("#truth-file", sources.zipped(tmp_path / "truth", tmp_path / "scenes.zip"))
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="What it did")).to_be_visible(timeout=SLOWLY)


def _deploy(page: Any, home: str) -> None:
    page.goto(f"{home}detectors/")
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_text("in production")).to_be_visible(timeout=SLOWLY)
    page.get_by_label("Name").fill("digits of version 1")
    page.get_by_role("button", name="Make the collection").click()
    expect(page.get_by_role("heading", name="digits of version 1")).to_be_visible()


def _build(page: Any, home: str) -> None:
    page.goto(f"{home}datasets/")
    page.get_by_label("Name").fill("scenes")
    page.get_by_role("button", name="Make the dataset").click()
    page.get_by_role("button", name="Build version 1").click()
    expect(page.get_by_text("Version 1 is built")).to_be_visible()
    page.get_by_role("link", name="Train on version 1").click()


def _train(page: Any) -> None:
    page.get_by_label("Epochs").fill("2")
    page.get_by_label("Batch").fill("4")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Version 2.0.0 is made")).to_be_visible(timeout=SLOWLY)
    run = page.url
    page.get_by_role("button", name="Detect the same images with 2.0.0").click()
    expect(page.locator("main h1")).to_contain_text("2.0.0")
    for _ in range(60):
        page.goto(run)
        if page.get_by_text("digits 2.0.0 is ready.").count():
            break
        page.wait_for_timeout(1000)
    page.get_by_role("link", name="Compare with 1.0.0").click()


def _compare(page: Any) -> None:
    start = page.locator("#start")
    for name in ("digits 1.0.0 (production)", "digits 2.0.0"):
        expect(start.get_by_label(name)).to_be_checked()
    start.get_by_role("button", name="Evaluate").click()
    expect(page.locator("#finding-h")).to_be_visible(timeout=SLOWLY)
    expect(page.locator("h1")).to_have_text("Compare digits 1.0.0 and digits 2.0.0")
    expect(page.locator(".metrics tbody tr").first).to_contain_text("mAP50-95")
    assert faults_of(page) == []
    page.locator(".matrix td a").first.click()
    expect(page.locator("main")).to_contain_text("the most changed first")
    page.locator(".changed .shot").first.click()
    expect(page.get_by_role("button", name="truth")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("3")
    expect(page.get_by_role("button", name="truth")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#boxes-truth")).to_be_hidden()
    assert faults_of(page) == []


def _promote(page: Any, home: str) -> None:
    page.goto(f"{home}detectors/")
    page.get_by_role("button", name="Put into production").click()
    expect(page.get_by_role("heading", name=re.compile("its gate is closed"))).to_be_visible()
    assert faults_of(page) == []
    page.get_by_role("link", name="See the comparison").click()
    gate = page.get_by_role("region", name="Promote 2.0.0")
    expect(gate.get_by_text("checks pass")).to_be_visible()
    expect(gate.get_by_role("button", name="Promote")).to_have_attribute("aria-disabled", "true")
    gate.get_by_role("button", name="Override").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why the gate does not count").fill("so few scenes prove nothing")
    dialog.get_by_role("button", name="Override and promote").click()
    expect(page.get_by_role("heading", name="2.0.0 is in production")).to_be_visible()


def _check_served(page: Any, home: str, namespace: Namespace) -> None:
    extractor = Extractor.objects.get(name="digits")
    assert extractor.production is not None
    assert extractor.production.version == "2.0.0"
    change = ProductionChange.objects.order_by("-pk")[0]
    assert (change.actor, change.reason) == ("ines", "so few scenes prove nothing")
    assert change.details["override"] is True
    live = Job.objects.filter(state__in=[Job.State.PENDING, Job.State.RUNNING])
    wait_until(lambda: not live.exists(), seconds=60, what="the batch of version 2")
    search = {"feature_uri": "mixpeek://digits@production/crop_embedding", "query": axis(0)}
    headers = {
        "Authorization": f"Bearer {factories.make_key(namespace)}",
        "Content-Type": "application/json",
    }

    def post(path: str, body: dict[str, Any]) -> Any:
        address = home.replace("/n/demo/", path)
        answer = page.request.post(address, data=json.dumps(body), headers=headers)
        assert answer.ok, answer.text()
        return answer.json()

    stages = [stage("feature_search", searches=[search])]
    made = post("/v1/retrievers", {"retriever_name": "alike", "stages": stages})
    found = post(f"/v1/retrievers/{made['retriever_id']}/execute", {"inputs": {}})["documents"]
    new = Collection.objects.get(extractor_version=extractor.production)
    assert {one["collection_id"] for one in found} == {new.public_id}
