"""The gate and production on the pages."""

from __future__ import annotations

import pytest

from extraction.packages.models import ProductionChange
from extraction.packages.queries import production_of
from extraction.truth.models import ImageReview
from mixcv.tenancy.models import Role
from review.evaluation.models import Comparison, PromotionPolicy
from tests.review.evaluation.pages import HOME, at, client_of, text_of

pytestmark = pytest.mark.django_db


def open_gate(compared):
    PromotionPolicy.objects.create(extractor=compared.extractor, least_boxes=1, class_bound=1)


def test_an_open_gate_promotes_with_a_reason_and_rolls_back(namespace, compared):
    open_gate(compared)
    results = Comparison.objects.get().results
    Comparison.objects.update(
        results={**results, "map50_95": {**results["map50_95"], "difference": 0.2, "low": 0.1, "high": 0.3}}
    )
    client = client_of(namespace)
    page = text_of(client.get(at(compared)))
    assert "the gate is open" in page
    assert 'aria-disabled="true"' not in page.split('id="gate-h"')[1].split("</section>")[0]
    answer = client.post("/n/demo/versions/promote/street_2_0_0/", {"reason": "better at night"})
    assert answer.headers["Location"] == HOME
    assert production_of(compared.extractor).version == "2.0.0"
    assert ProductionChange.objects.first().reason == "better at night"
    for rest in ("", "?old=1.0.0&new=2.0.0"):
        page = text_of(client.get(at(compared, rest)))
        assert "Compare street 1.0.0 and street 2.0.0" in page, "a promotion turns nothing round"
        assert "2.0.0 is in production since" in page
        assert "Roll back to 1.0.0" in page
    turned = text_of(client.get(at(compared, "?old=2.0.0&new=1.0.0")))
    assert "Promote 1.0.0" not in turned
    assert "Roll back to 1.0.0" in turned
    assert "better at night" in text_of(client.get(HOME))
    client.post("/n/demo/versions/roll-back/street/", {"reason": "misses trucks"})
    assert production_of(compared.extractor).version == "1.0.0"
    assert "back from 2.0.0" in text_of(client.get(HOME))


def test_a_closed_gate_stays_closed_but_for_an_admin_with_a_reason(namespace, compared):
    manager, admin = client_of(namespace), client_of(namespace, Role.ADMIN)
    page = text_of(manager.get(at(compared)))
    gate = page.split('id="gate-h"')[1].split("</section>")[0]
    assert 'aria-disabled="true"' in gate
    assert "Override" not in gate
    assert 'class="unknown"' in gate, "what nobody knows is no green check"
    assert "3 of 4 checks pass" in gate
    assert "Add images with" in gate, "nothing is left to complete"
    ImageReview.objects.filter(image__split="holdout").delete()
    assert "Complete the holdout" in text_of(manager.get(at(compared))).split('id="gate-h"')[1]
    path = "/n/demo/versions/promote/street_2_0_0/"
    said = text_of(manager.post(path, {"reason": "I want it"}, follow=True))
    assert "The gate of street is closed for 2.0.0." in said
    assert "Only an admin" in text_of(
        manager.post(path, {"reason": "I want it much", "override": "1"}, follow=True)
    )
    page = text_of(admin.get(at(compared)))
    assert 'id="override"' in page
    assert "Say in 10 characters" in text_of(admin.post(path, {"reason": "", "override": "1"}, follow=True))
    assert production_of(compared.extractor).version == "1.0.0"
    admin.post(path, {"reason": "the holdout is too small to say", "override": "1"})
    assert production_of(compared.extractor).version == "2.0.0"
    assert "gate overridden" in text_of(admin.get(HOME))


def test_reviewers_read_and_do_not_act(namespace, compared):
    reviewer = client_of(namespace, Role.REVIEWER)
    page = text_of(reviewer.get(at(compared)))
    assert "Promote street" not in page
    assert "<form" not in page.split("<main")[1]
    for path in ("promote/street_2_0_0/", "roll-back/street/"):
        assert reviewer.post(HOME + path).status_code == 403
