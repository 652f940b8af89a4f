"""Focus mode on whole images of the holdout and on boxes of older versions."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from extraction.intake.models import Image
from extraction.truth.models import ImageReview
from extraction.truth.rematch import rematch
from mixcv.tenancy.actors import person
from review.queues.domain import ensure_holdout_queue
from review.queues.models import QueueItem
from review.verdicts.domain import Verdict, record_verdicts
from review.verdicts.models import Annotation
from tests import factories
from tests.pages.desk import Desk
from tests.pages.test_focus import image_of, labels, settled, wait_for
from tests.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_image_on_which_nothing_was_found_is_judged_as_a_whole(tab: Any, desk: Desk) -> None:
    bare = factories.make_detected(desk.queue.collection, 2, detections=[])
    Image.objects.update(split="train")
    Image.objects.filter(documents__in=bare).update(split="holdout")
    queue = ensure_holdout_queue(collection=desk.queue.collection)
    tab.goto(desk.focus.replace(desk.queue.public_id, queue.public_id))
    expect(tab.locator("[data-slot=why]")).to_have_text("Nothing was found here")
    expect(tab.locator("[data-slot=more]")).to_contain_text("E: nothing else is on this image")
    wait_for(tab, "window.mixcvFocus && !window.mixcvFocus.ahead.loading")
    first = image_of(tab)
    tab.keyboard.press("n")
    tab.keyboard.press("Enter")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    tab.keyboard.type("tram")
    tab.keyboard.press("Enter")
    expect(tab.locator("[data-slot=log]")).to_contain_text("Added tram")
    tab.keyboard.press("e")
    wait_for(tab, f"document.querySelector('#focus > .work').dataset.image !== '{first}'")
    expect(tab.locator("[data-slot=why]")).to_have_text("Nothing was found here")
    tab.keyboard.press("e")
    expect(tab.get_by_role("heading", name="This queue is done")).to_be_visible()
    settled(tab)
    kinds = dict(ImageReview.objects.filter(image__split="holdout").values_list("image_id", "completeness"))
    assert kinds.pop(first) == "complete"
    assert list(kinds.values()) == ["verified_empty"]
    queue.refresh_from_db()
    assert (queue.waiting_count, queue.done_count) == (0, 2)


def test_after_the_last_box_of_a_held_out_image_it_asks_what_is_missing(tab: Any, desk: Desk) -> None:
    Image.objects.update(split="holdout")
    queue = ensure_holdout_queue(collection=desk.queue.collection)
    tab.goto(desk.focus.replace(desk.queue.public_id, queue.public_id))
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    wait_for(tab, "window.mixcvFocus && !window.mixcvFocus.ahead.loading")
    first = image_of(tab)
    why, more = tab.locator("[data-slot=why]"), tab.locator("[data-slot=more]")
    for _ in range(3):
        tab.keyboard.press("a")
    expect(why).to_have_text("Is anything missing?")
    expect(more).to_have_text("E: nothing else is on this image. N: draw what is missing.")
    assert image_of(tab) == first
    tab.keyboard.press("z")
    expect(tab.locator(".stage .tag")).to_contain_text("truck")
    tab.keyboard.press("a")
    expect(why).to_have_text("Is anything missing?")
    settled(tab)
    tab.reload()
    wait_for(tab, f"document.querySelector('#focus > .work').dataset.image === '{first}'")
    expect(why).to_have_text("Is anything missing?")
    assert not ImageReview.objects.get(image_id=first).declared
    tab.keyboard.press("e")
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    settled(tab)
    assert ImageReview.objects.get(image_id=first).declared
    second = image_of(tab)
    assert second != first
    for _ in range(3):
        tab.keyboard.press("a")
    expect(why).to_have_text("Is anything missing?")
    tab.keyboard.press("s")
    expect(tab.locator(".stage .tag")).to_contain_text("bus")
    settled(tab)
    assert image_of(tab) not in {first, second}
    assert not ImageReview.objects.get(image_id=second).declared
    assert labels() == ["confirmed"] * 6


def test_a_box_that_a_later_version_does_not_find_is_asked_about(tab: Any, desk: Desk) -> None:
    for document in desk.documents:
        verdicts = [Verdict("confirmed", one.pk) for one in factories.detections_of(document)]
        record_verdicts(namespace=desk.namespace, verdicts=verdicts, by=person(desk.user))
    extractor = desk.queue.collection.extractor_version.extractor  # type: ignore[union-attr]
    version = factories.make_version(desk.namespace, extractor.name, "2.0.0")
    later = factories.make_collection(desk.queue.collection.buckets.get(), "later", version=version)
    kept = [one for one in factories.DEFAULT if one.class_name != "person"]
    found = [factories.result(kept) for _ in desk.documents]
    factories.detect(later, [one.object for one in desk.documents], found)
    while rematch():
        pass
    queue = factories.queue_of(later)
    wait_until(lambda: QueueItem.objects.filter(queue=queue, state="waiting").count() == 3)
    tab.goto(desk.focus.replace(desk.queue.public_id, queue.public_id))
    expect(tab.locator("[data-slot=why]")).to_have_text("This version does not find it any more")
    expect(tab.locator(".stage .tag")).to_contain_text("person")
    expect(tab.locator("[data-slot=more]")).to_contain_text("Decided: confirmed, person")
    first = image_of(tab)
    tab.keyboard.press("x")
    wait_for(tab, f"document.querySelector('#focus > .work').dataset.image !== '{first}'")
    settled(tab)
    row = Annotation.objects.get(image_id=first, predicted_class__name="person")
    assert (row.label, row.version) == ("false_positive", 2)
    tab.keyboard.press("z")
    settled(tab)
    row.refresh_from_db()
    assert (row.label, row.version) == ("confirmed", 3)
    assert QueueItem.objects.filter(queue=queue, state="waiting").count() == 3
