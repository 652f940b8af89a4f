"""Focus mode in a real browser: each way of deciding, what is kept when the server is away, who gets which image."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from extraction.truth.models import GroundTruthBox, ImageReview
from mixcv.tenancy.actors import person
from review.queues.models import QueueItem
from review.verdicts.domain import Verdict, record_verdicts
from review.verdicts.models import Annotation
from tests import factories
from tests.pages.desk import Desk
from tests.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# On each image wait, in this order: bus 0.43 (between bus and truck), person 0.62. truck 0.91 does not.


def wait_for(tab: Any, condition: str) -> None:
    """Polls from here: Playwright's own polling needs an eval that the policy forbids."""
    for _ in range(100):
        if tab.evaluate(f"Boolean({condition})"):
            return
        tab.wait_for_timeout(50)
    pytest.fail(f"waited in vain for {condition}")


def open_focus(tab: Any, desk: Desk) -> None:
    tab.goto(desk.focus)
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    wait_for(tab, "window.mixcvFocus && !window.mixcvFocus.ahead.loading")


def current(tab: Any) -> str:
    return str(tab.locator(".stage .tag").inner_text().split("\n")[0].strip())


def image_of(tab: Any) -> int:
    return int(tab.locator("#focus > .work").get_attribute("data-image"))


def settled(tab: Any) -> None:
    wait_for(tab, "window.mixcvFocus && !window.mixcvFocus.outbox.items.length")


def labels() -> list[str]:
    rows = Annotation.objects.filter(deleted_at=None).order_by("created_at", "pk")
    return list(rows.values_list("label", flat=True))


def test_four_ways_by_keyboard_and_the_next_image_without_a_reload(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.evaluate("window.stayed = true")
    first = image_of(tab)
    tab.keyboard.press("a")
    expect(tab.locator(".stage .tag")).to_contain_text("person")
    tab.keyboard.press("x")
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    assert image_of(tab) != first
    tab.keyboard.press("c")
    tab.keyboard.type("tru")
    tab.keyboard.press("Enter")
    expect(tab.locator(".stage .tag")).to_contain_text("person")
    tab.keyboard.press("n")
    tab.keyboard.press("Enter")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    tab.keyboard.type("tram")
    tab.keyboard.press("Enter")
    expect(tab.locator("[data-slot=log]")).to_contain_text("Added tram")
    settled(tab)
    assert tab.evaluate("window.stayed")
    assert labels() == ["confirmed", "false_positive", "corrected", "missed"]
    corrected = Annotation.objects.get(label="corrected")
    assert corrected.object_class
    assert corrected.predicted_class
    assert (corrected.predicted_class.name, corrected.object_class.name) == ("bus", "truck")
    assert corrected.retriever_ref == desk.queue.retriever.public_id
    assert corrected.execution_ref.startswith("exec_")
    assert corrected.seconds is not None
    assert Annotation.objects.get(label="missed").object_class.name == "tram"  # type: ignore[union-attr]
    truth = GroundTruthBox.objects.exclude(state="removed").values_list("object_class__name", flat=True)
    assert sorted(truth) == ["bus", "tram", "truck"]


def test_number_keys_pick_a_class(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.keyboard.press("2")
    settled(tab)
    assert Annotation.objects.get().object_class.name == "truck"  # type: ignore[union-attr]


def test_a_box_moved_by_keys_is_a_correction_of_the_box(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("[data-slot=confirm]")).to_contain_text("Save the moved box")
    tab.keyboard.press("Shift+ArrowDown")
    tab.keyboard.press("Enter")
    settled(tab)
    row = Annotation.objects.get()
    assert row.label == "corrected"
    assert row.object_class
    assert row.object_class.name == "bus"
    assert (row.cx, row.h) == (161, 121)


def test_an_edge_dragged_by_the_mouse_is_a_correction_of_the_box(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    handle = tab.get_by_label("Move the right edge")
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    k = tab.evaluate("window.mixcvFocus.work.stage.k")
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 20, y, steps=4)
    tab.mouse.move(x - 10 * k, y, steps=4)
    tab.mouse.up()
    tab.keyboard.press("a")
    settled(tab)
    row = Annotation.objects.get()
    assert row.label == "corrected"
    assert row.w == pytest.approx(190, abs=1)
    assert row.cx == pytest.approx(155, abs=1)
    assert row.h == 120


def test_escape_puts_a_moved_box_back(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Escape")
    tab.keyboard.press("a")
    settled(tab)
    assert Annotation.objects.get().label == "confirmed"


def test_a_missed_object_is_drawn_with_the_mouse(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.keyboard.press("n")
    at = "(() => { const s = mixcvFocus.work.stage; return [s.left + s.x, s.top + s.y, s.k]; })()"
    left, top, k = tab.evaluate(at)
    tab.mouse.move(left + 20 * k, top + 30 * k)
    tab.mouse.down()
    tab.mouse.move(left + 60 * k, top + 80 * k, steps=5)
    tab.mouse.up()
    expect(tab.locator("#classes")).to_be_visible()
    tab.keyboard.type("person")
    tab.keyboard.press("Enter")
    settled(tab)
    row = Annotation.objects.get()
    assert row.label == "missed"
    assert [row.cx, row.cy, row.w, row.h] == pytest.approx([40, 55, 40, 50], abs=1)
    assert row.image_id == image_of(tab)
    assert current(tab) == "bus"


def test_undo_goes_back_over_the_image_and_is_saved(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    first = image_of(tab)
    tab.keyboard.press("a")
    tab.keyboard.press("a")
    expect(tab.locator("[data-slot=done]")).to_have_text("2")
    settled(tab)
    assert image_of(tab) != first
    tab.keyboard.press("z")
    expect(tab.locator(".stage .tag")).to_contain_text("person")
    assert image_of(tab) == first
    settled(tab)
    assert labels() == ["confirmed"]
    tab.keyboard.press("x")
    settled(tab)
    assert labels() == ["confirmed", "false_positive"]
    assert QueueItem.objects.filter(state="waiting").count() == 4


def test_undo_after_a_reload_takes_the_last_decision_back(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.keyboard.press("a")
    settled(tab)
    tab.reload()
    expect(tab.locator("[data-slot=log]")).to_contain_text("Confirmed bus")
    tab.keyboard.press("z")
    settled(tab)
    assert labels() == []
    expect(tab.locator(".stage .tag")).to_contain_text("bus")


def test_verdicts_are_kept_while_the_server_is_away(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.route("**/verdict/", lambda route: route.abort())
    for key in ("a", "x", "a"):
        tab.keyboard.press(key)
    toast = tab.locator(".toast.bad")
    expect(toast).to_contain_text("Not saved: the server did not answer")
    expect(toast).to_contain_text("3 verdicts are kept here", timeout=8000)
    assert labels() == []
    # The page tries again by itself; where it did so now, the button would be gone before it is pressed.
    wait_for(tab, "(o => !o.busy && o.timer && (clearTimeout(o.timer), true))(window.mixcvFocus.outbox)")
    tab.unroute("**/verdict/")
    toast.get_by_text("Try again").click()
    settled(tab)
    assert labels() == ["confirmed", "false_positive", "confirmed"]
    expect(tab.locator(".toast.bad")).to_have_count(0)


def test_the_whole_server_away_and_back(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.context.set_offline(True)
    for _ in range(6):  # the image that is open and the two that lie ready
        tab.keyboard.press("a")
        tab.wait_for_timeout(30)
    expect(tab.locator(".toast.bad").filter(has_text="verdicts are kept here")).to_be_visible()
    tab.context.set_offline(False)
    settled(tab)
    assert labels() == ["confirmed"] * 6
    expect(tab.locator(".toast.bad").filter(has_text="kept here")).to_have_count(0)


def test_verdicts_outlive_a_reload_while_the_server_is_away(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.route("**/verdict/", lambda route: route.abort())
    tab.keyboard.press("a")
    tab.keyboard.press("x")
    expect(tab.locator(".toast.bad")).to_be_visible()
    tab.unroute("**/verdict/")
    tab.reload()
    wait_until(lambda: labels() == ["confirmed", "false_positive"], what="the kept verdicts")


def test_an_answer_that_was_lost_is_not_recorded_twice(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    lost = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    tab.route("**/verdict/", lose)
    tab.keyboard.press("a")
    expect(tab.locator(".toast.bad")).to_be_visible()
    settled(tab)
    assert lost == [200]
    assert Annotation.objects.get().version == 1
    expect(tab.locator(".toast.bad")).to_have_count(0)


def test_a_stale_verdict_says_what_changed_and_returns_to_the_box(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    image = image_of(tab)
    bus = next(d for d in desk.documents if d.image_id == image).detections.get(object_class__name="bus")
    other = factories.make_user(desk.namespace, name="omar")
    record_verdicts(
        namespace=desk.namespace,
        verdicts=[Verdict("corrected", detection_id=bus.pk, class_name="truck")],
        by=person(other),
    )
    tab.keyboard.press("a")
    expect(tab.locator(".toast.bad")).to_contain_text("omar decided this box meanwhile: corrected truck")
    expect(tab.locator(".stage .tag")).to_contain_text("truck")
    assert Annotation.objects.get().actor == "omar"
    tab.keyboard.press("1")
    settled(tab)
    assert Annotation.objects.count() == 2


def test_two_reviewers_never_have_the_same_image(
    tab: Any, desk: Desk, another_tab: Callable[[Any], Any]
) -> None:
    open_focus(tab, desk)
    other = another_tab(factories.make_user(desk.namespace, name="omar"))
    other.goto(desk.focus)
    # Three images: one open and two ready with the first reviewer.
    expect(other.locator(".empty")).to_contain_text("open elsewhere")
    tab.goto(f"{desk.base}/n/demo/")
    wait_until(lambda: not ImageReview.objects.filter(lease_by=desk.user).exists(), what="the leases to go")
    other.reload()
    expect(other.locator(".stage .tag")).to_contain_text("bus")


def test_skipped_images_come_last(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    first = image_of(tab)
    tab.keyboard.press("s")
    expect(tab.locator(".stage .tag")).to_contain_text("person")
    tab.keyboard.press("s")
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    settled(tab)
    assert image_of(tab) != first
    assert QueueItem.objects.filter(image_id=first, score__gte=1).count() == 2


def test_the_end_of_the_queue_says_what_was_done_and_what_is_next(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.keyboard.press("e")
    first = image_of(tab)
    for _ in range(6):
        tab.keyboard.press("a")
        tab.wait_for_timeout(60)
    expect(tab.locator(".empty")).to_contain_text("This queue is done")
    settled(tab)
    assert labels() == ["confirmed"] * 6
    review = ImageReview.objects.get(image_id=first)
    assert review.declared
    tab.keyboard.press("z")
    expect(tab.locator(".stage .tag")).to_contain_text("person")
    tab.keyboard.press("x")
    expect(tab.locator(".empty")).to_contain_text("This queue is done")
    settled(tab)
    assert labels() == ["confirmed"] * 5 + ["false_positive"]
    tab.keyboard.press("Escape")
    expect(tab).to_have_url(re.compile(r"/n/demo/review/$"))
    expect(tab.locator("main")).to_contain_text("nothing waits")


def test_moving_between_boxes_and_looking(tab: Any, desk: Desk) -> None:
    open_focus(tab, desk)
    tab.keyboard.press("Tab")
    assert current(tab) == "person"
    tab.keyboard.press("j")
    assert current(tab) == "truck"
    tab.keyboard.press("k")
    assert current(tab) == "person"
    near = tab.evaluate("mixcvFocus.work.stage.k")
    tab.keyboard.press("0")
    assert tab.evaluate("mixcvFocus.work.stage.k") <= near
    tab.keyboard.press("f")
    assert tab.evaluate("mixcvFocus.work.stage.k") >= near
    tab.keyboard.down(" ")
    expect(tab.locator(".stage")).to_have_class(re.compile("bare"))
    tab.keyboard.up(" ")
    tab.keyboard.press("?")
    expect(tab.locator("#keys")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#keys")).to_be_hidden()
    assert labels() == []


def test_a_handle_dragged_by_a_finger_and_a_box_drawn_by_one(tab: Any, desk: Desk) -> None:
    tab.set_viewport_size({"width": 1024, "height": 768})
    finger = tab.context.new_cdp_session(tab)
    finger.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    open_focus(tab, desk)

    def drag(x: float, y: float, to_x: float, to_y: float) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for step in range(1, 6):
            at = {"x": x + (to_x - x) * step / 5, "y": y + (to_y - y) * step / 5}
            finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    box = tab.get_by_label("Move the right edge").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    drag(x, y, x - 40, y)
    expect(tab.locator("[data-slot=confirm]")).to_contain_text("Save the moved box")
    tab.get_by_role("button", name="Save the moved box").click()
    tab.get_by_role("button", name="N Missed").click()
    left, top, k = tab.evaluate(
        "(() => { const s = mixcvFocus.work.stage; return [s.left + s.x, s.top + s.y, s.k]; })()"
    )
    drag(left + 30 * k, top + 30 * k, left + 70 * k, top + 60 * k)
    tab.locator("#classes [role=option]").filter(has_text="truck").click()
    settled(tab)
    assert labels() == ["corrected", "missed"]
    assert Annotation.objects.get(label="corrected").w < 199
    assert Annotation.objects.get(label="missed").w == pytest.approx(40, abs=2)
