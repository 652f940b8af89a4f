"""Each page in both themes under axe and the strict policy, and the frame around them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from mixcv.tenancy.models import User
from tests import factories
from tests.pages.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


def pages_of(desk: Desk) -> dict[str, str]:
    home = f"{desk.base}/n/demo/"
    collection = desk.queue.collection
    batch = collection.batches.first()
    assert batch
    return {
        "home": home,
        "images": f"{home}images/",
        "review": f"{home}review/",
        "focus": desk.focus,
        "quality": f"{home}quality/",
        "datasets": f"{home}datasets/",
        "retrievers": f"{home}retrievers/",
        "retriever": f"{home}retrievers/{desk.queue.retriever.public_id}/",
        "detectors": f"{home}detectors/",
        "models": f"{home}models/",
        "programs": f"{home}api/",
        "bucket": f"{home}images/{collection.buckets.get().public_id.removeprefix('bkt_')}/",
        "image": f"{home}images/cameras/{desk.documents[0].object.public_id}/",
        "collection": f"{home}collections/{collection.public_id}/",
        "batches": f"{home}batches/",
        "batch": f"{home}batches/{batch.public_id}/",
        "versions": f"{home}versions/",
        "tasks": f"{home}tasks/",
        "account": f"{desk.base}/account/",
        "not found": f"{home}nothing-here/",
    }


def faults_of(tab: Any) -> list[str]:
    found = Axe().run(tab, options=RULES).response["violations"]
    return [f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:300]}" for v in found for n in v["nodes"]]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_on_any_page(tab: Any, desk: Desk, theme: str) -> None:
    User.objects.filter(pk=desk.user.pk).update(theme=theme)
    found = {}
    for name, url in pages_of(desk).items():
        tab.goto(url)
        expect(tab.locator("html")).to_have_attribute("data-theme", theme)
        if name == "focus":
            expect(tab.locator(".stage .tag")).to_contain_text("bus")
        if faults := faults_of(tab):
            found[name] = faults
    assert not found


@pytest.mark.parametrize("dialog", ["c", "?"])
def test_axe_finds_nothing_in_the_dialogs_of_focus_mode(tab: Any, desk: Desk, dialog: str) -> None:
    tab.goto(desk.focus)
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    tab.keyboard.press(dialog)
    expect(tab.locator("dialog[open]")).to_be_visible()
    assert faults_of(tab) == []


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (1024, 768)])
def test_no_page_scrolls_sideways(tab: Any, desk: Desk, size: tuple[int, int]) -> None:
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    for name, url in pages_of(desk).items():
        tab.goto(url)
        wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, name


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (1024, 768)])
def test_the_verdict_buttons_of_focus_mode_are_in_view(tab: Any, desk: Desk, size: tuple[int, int]) -> None:
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    tab.goto(desk.focus)
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    for name in ("Confirm bus", "Change class", "Not an object", "Missed", "Undo", "Skip"):
        expect(tab.get_by_role("button", name=re.compile(name))).to_be_in_viewport(ratio=1)


def test_signing_in_and_out(page: Any, desk: Desk) -> None:
    page.goto(f"{desk.base}/")
    assert faults_of(page) == []
    page.get_by_label("Name").fill("ines")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{desk.base}/n/demo/")
    page.get_by_role("link", name="ines, account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login/$"))


def test_the_theme_changes_at_once_and_stays_with_the_account(tab: Any, desk: Desk) -> None:
    tab.goto(f"{desk.base}/n/demo/")
    with tab.expect_response("**/account/theme/"):
        tab.get_by_label("Switch between dark and light").click()
    expect(tab.locator("html")).to_have_attribute("data-theme", "light")
    tab.reload()
    expect(tab.locator("html")).to_have_attribute("data-theme", "light")


def test_home_says_what_to_do_next(tab: Any, desk: Desk) -> None:
    tab.goto(f"{desk.base}/n/demo/")
    expect(tab.get_by_role("heading", name="Review 6 doubtful boxes of street objects")).to_be_visible()
    tab.keyboard.press("r")
    expect(tab).to_have_url(desk.focus)


def test_an_empty_namespace_says_how_to_begin(tab: Any, desk: Desk) -> None:
    empty = factories.make_namespace("empty")
    factories.Membership.objects.create(namespace=empty, user=desk.user, role="manager")
    tab.goto(f"{desk.base}/n/empty/")
    expect(tab.get_by_role("heading", name="Add the first images")).to_be_visible()
    assert faults_of(tab) == []
    tab.get_by_text("1 more idea").click()
    expect(tab.get_by_role("link", name="Deploy a detector")).to_be_visible()
    tab.goto(f"{desk.base}/n/empty/review/")
    expect(tab.get_by_role("heading", name="No collection yet")).to_be_visible()
    assert faults_of(tab) == []


def test_failed_images_of_a_batch_show_why_and_go_back_to_work(tab: Any, desk: Desk) -> None:
    collection = desk.queue.collection
    objects = factories.make_objects(collection.buckets.get(), 2)
    batch = factories.detect(
        collection, objects, [factories.result(), factories.result(error="It is no picture.")]
    )
    tab.goto(f"{desk.base}/n/demo/batches/{batch.public_id}/")
    expect(tab.get_by_role("heading", name="1 image failed")).to_be_visible()
    expect(tab.locator("#live")).to_contain_text("It is no picture.")
    expect(tab.locator("#live")).to_contain_text(objects[1].key)
    assert faults_of(tab) == []
    tab.get_by_role("button", name="Retry failed").click()
    expect(tab.locator("#live")).to_contain_text("running")
    tab.get_by_role("button", name="Stop").click()
    expect(tab.locator("#live")).to_contain_text("stopped")
