"""Budgets of the browser: key press to the next box, to the next image, and an image with 1,000 boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests import factories
from tests.pages.desk import Desk
from tests.pages.test_focus import settled, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NEXT_BOX_MS = 50
NEXT_IMAGE_MS = 150
CROWDED_MS = 100
# The figures are printed; a test fails only where something is broken, not where the machine is busy.
BROKEN = 10

# From the key's event to the second frame after it: by then the first one is painted.
MEASURE = """
window.spans = [];
addEventListener("keydown", (e) => {
  const t = e.timeStamp, image = document.querySelector("#focus > .work")?.dataset.image;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const work = document.querySelector("#focus > .work");
    const img = work?.querySelector(".stage > img");
    const moved = work?.dataset.image !== image;
    const done = (shown) => window.spans.push({ ms: performance.now() - t, moved, shown });
    if (!img || img.complete) done(true); else img.decode().then(() => done(true), () => done(false));
  }));
}, true);
"""


def spans_of(tab: Any, moved: bool) -> list[float]:
    return [span["ms"] for span in tab.evaluate("window.spans") if span["moved"] == moved and span["shown"]]


def p95(values: list[float]) -> float:
    return float(np.percentile(values, 95))


@pytest.mark.slow
def test_key_to_next_box_and_to_next_image(tab: Any, desk: Desk) -> None:
    factories.make_detected(desk.queue.collection, 17)
    tab.add_init_script(MEASURE)
    tab.goto(desk.focus)
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    wait_for(tab, "!mixcvFocus.ahead.loading")
    for _ in range(34):
        tab.keyboard.press("a")
        tab.wait_for_timeout(200)  # five verdicts a second: faster than anybody reviews
    settled(tab)
    box, image = spans_of(tab, moved=False), spans_of(tab, moved=True)
    assert len(box) >= 15
    assert len(image) >= 15
    print(f"\nkey to next box p95 {p95(box):.0f} ms, to next image p95 {p95(image):.0f} ms")
    assert p95(box) <= BROKEN * NEXT_BOX_MS
    assert p95(image) <= BROKEN * NEXT_IMAGE_MS


@pytest.mark.slow
def test_an_image_with_a_thousand_boxes(tab: Any, desk: Desk) -> None:
    collection = factories.make_collection(factories.make_bucket(desk.namespace), "crowd")
    places = [(8 + 7 * (n % 44), 8 + 9.5 * (n // 44), 6.0, 8.0) for n in range(1000)]
    crowd = [factories.found("person", 0.3 + n / 2000, place) for n, place in enumerate(places)]
    factories.make_detected(collection, detections=crowd)
    tab.add_init_script(MEASURE)
    tab.goto(desk.focus.replace(desk.queue.public_id, factories.queue_of(collection).public_id))
    expect(tab.locator(".stage .tag")).to_contain_text("person")
    for key in ["j", "k", "ArrowRight", "Shift+ArrowDown", "Escape", "0", "f", "+", "a", "x", "z", "2"] * 4:
        tab.keyboard.press(key)
        tab.wait_for_timeout(60)
    spans = spans_of(tab, moved=False)
    print(f"\n1,000 boxes: p95 {p95(spans):.0f} ms, slowest {max(spans):.0f} ms of {len(spans)}")
    assert p95(spans) <= BROKEN * CROWDED_MS
