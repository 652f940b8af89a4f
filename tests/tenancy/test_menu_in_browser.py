"""The bar in a real browser: it fits, and its menu opens and closes by mouse and by keyboard."""

from __future__ import annotations

import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from mixcv.kernel.models import Job
from mixcv.tenancy.models import Membership, Role
from tests import factories as make
from tests.pages.desk import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def tab(page, live_server):
    """An admin of two namespaces with long names, and tasks at work."""
    namespace = make.make_namespace("demo")
    user = make.make_user(namespace, name="maria", role=Role.ADMIN)
    user.is_staff = True
    user.save()
    other = make.make_namespace("Cameras of all the yards and of the depot")
    Membership.objects.create(namespace=other, user=user, role=Role.ADMIN)
    for n in range(12):
        Job.objects.create(
            namespace_id=namespace.pk, kind="odd", subject=f"{n}", state="RUNNING", done=n, total=40
        )
    sign_in(page.context, user, live_server.url)
    page.goto(f"{live_server.url}/n/demo/tasks/")
    yield page
    page.goto("about:blank")


def test_the_menu_opens_closes_and_gives_the_focus_back(tab):
    more = tab.locator("summary", has_text="More")
    link = tab.get_by_role("link", name="Retrievers")
    expect(link).to_be_hidden()
    more.focus()
    tab.keyboard.press("Enter")
    expect(link).to_be_visible()
    assert Axe().run(tab).violations_count == 0
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Detectors")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(more).to_be_focused()
    more.click()
    tab.get_by_role("heading", name="Tasks").click()
    expect(link).to_be_hidden()
    more.click()
    tab.get_by_role("link", name="maria, account").focus()
    expect(link).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 1280, 1024])
def test_everything_in_the_bar_is_in_view_and_nothing_lies_on_another(tab, width):
    tab.set_viewport_size({"width": width, "height": 768})
    parts = tab.locator(".bar-app > :not(.push, form, nav), .bar-app nav > *, .bar-app > form > button")
    boxes = sorted(
        (box["x"], box["x"] + box["width"]) for box in (part.bounding_box() for part in parts.all()) if box
    )
    assert len(boxes) >= 8
    assert boxes[-1][1] <= width
    for (_, right), (left, _) in itertools.pairwise(boxes):
        assert left >= right - 0.5
    tab.locator("summary", has_text="More").click()
    menu = tab.locator(".more > ul").bounding_box()
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= width
