"""Uploading as a person does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from extraction.intake.models import Object
from mixcv.tenancy.models import Role
from tests import factories
from tests.extraction.intake import pictures as make

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def tab(page, live_server):
    from tests.pages.desk import sign_in

    namespace = factories.make_namespace()
    factories.make_collection(factories.make_bucket(namespace, "yard"), "digits", enabled=True)
    sign_in(page.context, factories.make_user(namespace, role=Role.MANAGER), live_server.url)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None
    )
    page.goto(f"{live_server.url}/n/demo/images/yard/")
    yield page
    if folder := os.environ.get("MIXCV_LOOK"):
        page.screenshot(path=Path(folder) / "bucket.png")
    assert not faults, faults


def test_files_are_sent_and_the_wall_shows_them(tab):
    files = [
        {"name": f"frame_{n}.jpg", "mimeType": "image/jpeg", "buffer": factories.picture(seed=n)}
        for n in range(20)
    ]
    files.append({"name": "words.jpg", "mimeType": "image/jpeg", "buffer": b"only words"})
    tab.set_input_files("#files", files)
    tab.get_by_text("20 added, 1 refused").wait_for()
    tab.get_by_text("digits will detect the new images.").wait_for()
    assert "/n/demo/batches/" in tab.get_by_role("link", name="Watch the batch").get_attribute("href")
    tab.locator(".upload-errors", has_text="words.jpg The file came as image/jpeg, but it is text").wait_for()
    tab.locator(".picture >> nth=19").wait_for()
    assert Object.objects.count() == 20


def test_a_dropped_folder_is_walked_and_what_is_no_image_passed_over(tab, tmp_path):
    (tmp_path / "day1" / "cam").mkdir(parents=True)
    (tmp_path / "day1" / "a.jpg").write_bytes(make.encode())
    (tmp_path / "day1" / "cam" / "b.png").write_bytes(make.encode(make.pixels(seed=4), form="PNG"))
    (tmp_path / "day1" / "notes.txt").write_text("x")
    tab.set_input_files("[data-folder]", tmp_path / "day1")
    tab.get_by_text("2 added").wait_for()
    assert set(Object.objects.values_list("key", flat=True)) == {"day1/a.jpg", "day1/cam/b.png"}


def test_the_images_page_shows_the_bucket(tab, live_server):
    tab.set_input_files(
        "#files", [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": factories.picture(seed=3)}]
    )
    tab.get_by_text("1 added").wait_for()
    tab.goto(f"{live_server.url}/n/demo/images/")
    tab.get_by_role("link", name="yard").wait_for()
    if folder := os.environ.get("MIXCV_LOOK"):
        tab.screenshot(path=Path(folder) / "images.png")


def test_after_an_upload_the_wall_the_head_and_the_next_step_are_there(tab, live_server):
    factories.make_bucket(factories.make_namespace(), "attic")
    tab.goto(f"{live_server.url}/n/demo/images/attic/")
    tab.set_input_files(
        "#files", [{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": factories.picture(seed=3)}]
    )
    tab.locator("#wall", has_text="a.jpg").wait_for()
    tab.locator("#bucket-head", has_text="1 image,").wait_for()
    tab.locator(".btn.primary", has_text="Make a collection over this bucket").wait_for()
    tab.locator(".picture a").click()
    tab.get_by_role("heading", name="a.jpg").wait_for()
