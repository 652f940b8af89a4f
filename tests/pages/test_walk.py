"""The main walk: sign in, deploy, upload, watch the batch, review the four ways; then the rows are looked at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from extraction.demo.scenes import write_scenes
from extraction.intake.models import Image
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.domain import register_version
from extraction.runs.models import Batch, Detection
from extraction.truth.models import GroundTruthBox
from mixcv.kernel.models import Event
from mixcv.tenancy.models import Role
from review.queues.models import Queue
from review.verdicts.models import Annotation, AnnotationVersion
from tests import factories
from tests.pages.test_focus import settled
from tests.processes import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCENES = 10
SLOWLY = 120_000


@pytest.mark.slow
def test_from_signing_in_to_the_rows_of_what_was_decided(
    page: Any, worker: Worker, live_server: Any, tmp_path: Path
) -> None:
    _prepare()
    page.goto(live_server.url)
    _sign_in_and_deploy(page)
    _upload(page, tmp_path)
    waiting = _review_four_ways(page)
    page.goto(f"{live_server.url}/n/demo/")
    _check_counts(page, waiting)
    _check_rows(waiting)


def _prepare() -> None:
    namespace = factories.make_namespace("demo")
    factories.make_user(namespace, name="ines", role=Role.MANAGER)
    factories.make_bucket(namespace, "scenes")
    register_version(
        namespace=namespace,
        extractor="digits",
        version="1.0.0",
        weights_path=SHIPPED_WEIGHTS / "digits.pt",
        parameters={"image_size": 256},
    )


def _sign_in_and_deploy(page: Any) -> None:
    page.get_by_label("Name").fill("ines")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Add the first images")).to_be_visible()
    page.get_by_text("1 more idea").click()
    page.get_by_role("link", name="Deploy a detector").click()
    page.get_by_role("button", name="Deploy").click()
    expect(page.get_by_text("in production")).to_be_visible(timeout=SLOWLY)
    page.get_by_label("Name").fill("digits in scenes")
    page.get_by_role("button", name="Make the collection").click()
    expect(page.get_by_role("heading", name="digits in scenes")).to_be_visible()


def _upload(page: Any, folder: Path) -> None:
    page.get_by_role("link", name="Images", exact=True).click()
    page.locator("main").get_by_role("link", name=re.compile("scenes")).first.click()
    files = write_scenes(folder, split="holdout", count=SCENES, seed=5)
    page.set_input_files("#files", [str(file.path) for file in files])
    expect(page.get_by_text(f"{SCENES} added")).to_be_visible(timeout=SLOWLY)
    page.get_by_role("link", name="Watch the batch").click()
    expect(page.locator("#live .task .state.ok")).to_have_text("done", timeout=SLOWLY)
    page.reload()
    expect(page.locator("#live")).to_contain_text(f"{SCENES} of {SCENES}")


def _review_four_ways(page: Any) -> int:
    """Draws one, confirms, corrects and rejects one; gives how many boxes waited before."""
    queue = Queue.objects.get()
    waiting = queue.waiting_count
    assert waiting >= 3, "the scenes must leave some boxes in doubt"
    page.get_by_role("link", name=re.compile("Review")).first.click()
    expect(page.locator("main")).to_contain_text(f"{waiting} wait")
    page.get_by_role("link", name=re.compile("Start reviewing")).first.click()
    expect(page.locator(".stage .tag")).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("smudge")
    page.keyboard.press("Enter")
    page.keyboard.press("a")
    page.keyboard.press("c")
    page.keyboard.type("nine")
    page.keyboard.press("Enter")
    page.keyboard.press("x")
    expect(page.locator("[data-slot=done]")).to_have_text("3")
    settled(page)
    return waiting


def _check_counts(page: Any, waiting: int) -> None:
    cards = page.get_by_role("region", name="Where things stand")
    for text in (
        f"{SCENES} images",
        f"{waiting - 3} boxes wait",
        "4 decided this month",
        f"{Detection.objects.count()} boxes found",
    ):
        expect(cards).to_contain_text(re.compile(text.replace(" ", r"\s+")))
    assert Image.objects.count() == SCENES
    assert Batch.objects.get().state == Batch.State.COMPLETED


def _check_rows(waiting: int) -> None:
    queue = Queue.objects.get()
    made = Annotation.objects.order_by("created_at", "pk")
    assert list(made.values_list("label", flat=True)) == [
        "missed",
        "confirmed",
        "corrected",
        "false_positive",
    ]
    assert all(row.retriever_ref == queue.retriever.public_id for row in made)
    assert made.filter(detection__isnull=False, seconds__isnull=True).count() == 0
    assert AnnotationVersion.objects.count() == 4
    assert Event.objects.filter(type="annotation.created").count() == 4
    truth = GroundTruthBox.objects.exclude(state="removed").select_related("object_class")
    assert {"smudge", "nine"} <= {box.object_class.name for box in truth}
    assert truth.count() == 3
    assert list(Detection.objects.exclude(decided_label="").values_list("revision", flat=True)) == [1, 1, 1]
    assert (queue.waiting_count, queue.done_count) == (waiting - 3, 3)
