"""The quality page."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mixcv.kernel.geometry import Box
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Role
from review.verdicts.domain import Verdict, define_label, own_labels, record_verdicts
from review.verdicts.models import Annotation, AnnotationCount
from tests import factories as make

pytestmark = pytest.mark.django_db
INES = Actor("ines")


@pytest.fixture
def namespace():
    return make.make_namespace()


@pytest.fixture
def collection(namespace):
    return make.make_collection(make.make_bucket(namespace), "street")


@pytest.fixture
def reviewer(namespace):
    return signed_in(make.make_user(namespace, name="ines"))


@pytest.fixture
def manager(namespace):
    return signed_in(make.make_user(namespace, name="maria", role=Role.MANAGER))


def signed_in(user):
    browser = Client()
    browser.force_login(user)
    return browser


def judge(collection, count=2):
    """Per image: one confirmed in the queue, one rejected in an audit, one corrected and one missed over the API."""
    namespace = collection.namespace
    for document in make.make_detected(collection, count):
        truck, person, bus = make.detections_of(document)
        drawn = Verdict(
            "missed",
            image_id=document.image_id,
            class_name="tram",
            box=Box(20, 20, 9, 9),
            collection_id=collection.pk,
            document_id=document.pk,
        )
        for verdicts, source in (
            ([Verdict("confirmed", truck.pk, retriever_ref="ret_doubtful")], "queue"),
            ([Verdict("false_positive", person.pk)], "audit"),
            ([Verdict("corrected", bus.pk, class_name="truck"), drawn], "api"),
        ):
            record_verdicts(namespace=namespace, verdicts=verdicts, by=INES, source=source)


def page_of(browser, query=""):
    answer = browser.get(f"/n/demo/quality/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_shows_rates_bands_and_advice(reviewer, collection):
    judge(collection)
    text = page_of(reviewer)
    assert "2 of 4 rates need action: confirmed, missed" in text  # of the others it is not certain
    assert "25.0%" in text
    assert "55.0 points outside" in text
    assert "hard negatives" in text
    for head in ("Confirmed rate", "By class", "By version", "By retriever", "By reviewer"):
        assert head in text
    for name in ("truck", "person", "tram", "ret_doubtful", "ines", str(collection.extractor_version)):
        assert name in text
    assert text.count("<polyline") == 4 * 3  # queue, audit and API apart in each chart
    assert "The audit is a random sample" in text
    assert "style=" not in text
    assert '<a href="/n/demo/quality/" aria-current="page">Quality</a>' in text


def test_without_any_verdict_it_says_what_to_do(reviewer, namespace):
    text = page_of(reviewer)
    assert "Nothing is judged yet" in text
    assert '<a class="btn primary" href="/n/demo/review/">Start reviewing</a>' in text


def test_without_a_verdict_lately_it_looks_further_back(reviewer, collection):
    judge(collection)
    Annotation.objects.update(created_at="2026-01-02T00:00:00Z")
    AnnotationCount.objects.update(day="2026-01-02")
    assert "No verdict in this time" in page_of(reviewer, "?days=7")


@pytest.mark.parametrize("query", ["?days=7", "?days=365&by=day", "?days=90", "?by=week", "?days=x&by=y"])
def test_each_window_has_its_page(reviewer, collection, query):
    judge(collection)
    assert "Corrected rate" in page_of(reviewer, query)


def test_it_narrows_to_one_collection(reviewer, namespace, collection):
    judge(collection)
    other = make.make_collection(make.make_bucket(namespace), "yard")
    judge(other, 1)
    assert "12 verdicts" in page_of(reviewer)
    assert "8 verdicts" in page_of(reviewer, "?collection=col_street")
    assert "4 verdicts" in page_of(reviewer, "?collection=yard")


def test_it_takes_the_same_number_of_queries_for_more(reviewer, namespace, collection):
    numbers = []
    for count in (1, 3):
        judge(collection, count)
        for _ in range(2):  # the first opens the session
            with CaptureQueriesContext(connection) as seen:
                page_of(reviewer)
        numbers.append(len(seen))
    assert numbers[0] == numbers[1] <= 22


def test_labels_are_added_and_taken_out_by_managers(manager, reviewer, namespace):
    assert "Add the label" in page_of(manager)
    assert "Add the label" not in page_of(reviewer)
    data = {"label": "blurred", "description": "Too blurred to judge"}
    assert reviewer.post("/n/demo/quality/labels/", data).status_code == 403
    assert manager.post("/n/demo/quality/labels/", data).status_code == 302
    assert "Too blurred to judge" in page_of(reviewer)
    assert manager.post("/n/demo/quality/labels/", data).status_code == 409
    assert reviewer.post("/n/demo/quality/labels/remove/", data).status_code == 403
    manager.post("/n/demo/quality/labels/remove/", data)
    assert not own_labels(namespace).exists()


def test_another_namespaces_people_see_nothing(collection):
    judge(collection)
    stranger = signed_in(make.make_user(make.make_namespace("other")))
    assert stranger.get("/n/demo/quality/").status_code == 404
    define_label(namespace=collection.namespace, name="blurred", by=INES)
    assert "blurred" not in stranger.get("/n/other/quality/").content.decode()


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.django_db(transaction=True)
def test_it_passes_axe_and_fits_small_windows(live_server, chromium, theme):
    namespace = make.make_namespace()
    judge(make.make_collection(make.make_bucket(namespace), "street"), 4)
    user = make.make_user(namespace, role=Role.MANAGER)
    user.theme = theme
    user.save()
    define_label(namespace=namespace, name="blurred", by=INES, description="Too blurred to judge")
    session = signed_in(user).cookies
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    cookies = [{"name": n, "value": one.value, "url": live_server.url} for n, one in session.items()]
    context.add_cookies(cookies)
    tab = context.new_page()
    faults: list[str] = []
    tab.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    tab.goto(f"{live_server.url}/n/demo/quality/")
    tab.locator("summary", has_text="The same as a table").first.click()
    assert faults == []
    found = Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()
    for width in (1280, 820, 390):
        tab.set_viewport_size({"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
