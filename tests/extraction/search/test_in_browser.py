"""A retriever in a real browser: made, run, opened as a review queue, and decided in it."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from extraction.search.models import Retriever
from mixcv.tenancy.models import User
from review.verdicts.models import Annotation
from tests.pages.desk import leave, make_desk, sign_in
from tests.pages.test_pages import faults_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def checked(tab: Any, user: User, name: str) -> None:
    """No fault by axe in either theme, and nothing to scroll sideways for."""
    for theme in ("light", "dark"):
        User.objects.filter(pk=user.pk).update(theme=theme)
        tab.reload()
        assert faults_of(tab) == [], name
        if folder := os.environ.get("SHOTS"):
            tab.screenshot(path=f"{folder}/{name}-{theme}.png", full_page=True)
    for width, height in ((1280, 720), (1024, 768)):
        tab.set_viewport_size({"width": width, "height": height})
        wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, (name, width)
    tab.set_viewport_size({"width": 1440, "height": 900})


def test_from_a_form_to_a_verdict(page: Any, live_server: Any) -> None:
    desk = make_desk(live_server.url)
    sign_in(page.context, desk.user, desk.base)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security" in line.text else None)
    page.goto(f"{desk.base}/n/demo/")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Retrievers").click()
    checked(page, desk.user, "retrievers")
    page.get_by_label("Name").fill("doubtful people")
    page.get_by_label("Confidence below").fill("0.7")
    page.get_by_label("Class").select_option("person")
    page.get_by_label("Order").select_option(label="Least sure first")
    page.get_by_role("button", name="Make the retriever").click()
    expect(page.get_by_role("heading", name="doubtful people")).to_be_visible()

    page.get_by_role("button", name="Run the retriever").click()
    expect(page.get_by_role("heading", name="3 boxes")).to_be_visible()
    expect(page.locator(".picture img")).to_have_count(3)
    expect(page.locator(".picture").first).to_contain_text("person 0.62")
    checked(page, desk.user, "execution")
    page.get_by_role("link", name="doubtful people").click()
    expect(page.get_by_role("cell", name=re.compile("matching 9 → 3"))).to_be_visible()
    checked(page, desk.user, "retriever")

    page.get_by_role("button", name="Open as review queue").click()
    expect(page.locator(".stage .tag")).to_contain_text("person")
    page.get_by_role("button", name=re.compile("Confirm person")).click()
    expect(page.locator(".log, .saved").first).to_contain_text("Confirmed person")
    leave(page)
    retriever = Retriever.objects.get(name="doubtful people")
    row = Annotation.objects.get()
    assert (row.retriever_ref, row.stage_name) == (retriever.public_id, "in order")
    assert retriever.executions.filter(public_id=row.execution_ref).exists()
    assert not faults


def test_a_copy_is_edited_as_json(page: Any, live_server: Any) -> None:
    desk = make_desk(live_server.url)
    sign_in(page.context, desk.user, desk.base)
    row = Retriever.objects.filter(namespace=desk.user.memberships.get().namespace).first()
    assert row is not None
    page.goto(f"{desk.base}/n/demo/retrievers/{row.public_id}/")
    page.get_by_label("Name of a copy").fill("first five")
    page.get_by_role("button", name="Copy").click()
    stages = page.get_by_label("Stages", exact=True)
    expect(stages).to_have_value(re.compile('"stage_id": "attribute_filter"'))
    checked(page, desk.user, "retriever-edit")
    sent = [*row.stages, {"stage_name": "five", "stage_id": "limit", "parameters": {"limit": 0}}]
    stages.fill(json.dumps(sent, indent=2))
    page.get_by_role("button", name="Save the retriever").click()
    expect(page.locator("#stages-error")).to_contain_text("0 is less than the minimum")
    sent[-1]["parameters"]["limit"] = 5
    page.get_by_label("Stages", exact=True).fill(json.dumps(sent, indent=2))
    page.get_by_role("button", name="Save the retriever").click()
    expect(page.locator(".stages li")).to_have_count(len(sent))
    assert Retriever.objects.get(name="first five").stages[-1]["config"]["parameters"] == {"limit": 5}
