"""Rates, their intervals, and the table of what is healthy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.quality.rates import approved_in, health_of, rates_of, rejected_in, wilson

TUTORIAL = {"confirmed": 340, "corrected": 95, "false_positive": 45, "missed": 20}


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),  # Newcombe 1998 and R's prop.test(correct=FALSE)
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
    ],
)
def test_the_interval_is_wilsons(count, of, low, high):
    assert wilson(count, of) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 10**6).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_between_0_and_1(pair):
    count, of = pair
    low, high = wilson(count, of)
    assert 0 <= low <= count / of + 1e-12
    assert count / of - 1e-12 <= high <= 1


def test_labels_of_the_vocabulary_do_not_count():
    rates = rates_of({"confirmed": 3, "missed": 1, "blurred": 96})
    assert (rates["confirmed"].value, rates["missed"].of) == (0.75, 4)


def test_without_a_verdict_there_is_no_rate():
    assert rates_of({"blurred": 4})["confirmed"].value is None
    assert {one.status for one in health_of({})} == {"no_data"}


def test_a_box_that_did_not_stand_as_shown_is_rejected():
    assert (approved_in(TUTORIAL), rejected_in(TUTORIAL)) == (340, 140)


def test_what_needs_action_says_how_far_and_what_to_do():
    found = {one.band.metric: one for one in health_of(TUTORIAL)}
    assert {name: one.status for name, one in found.items()} == {
        "confirmed": "action_needed",
        "corrected": "action_needed",
        "false_positive": "healthy",
        "missed": "healthy",
    }
    assert found["confirmed"].margin == pytest.approx(0.68 - 0.80)
    assert found["corrected"].margin == pytest.approx(0.15 - 0.19)
    assert found["confirmed"].certain
    assert not found["false_positive"].certain  # 9 % of 500 may be more than 10 %
    assert "corrected boxes" in found["corrected"].advice
    assert all(one.advice for one in found.values())


@pytest.mark.parametrize(
    ("label", "count", "status"),
    [
        ("confirmed", 80, "action_needed"),  # the table says above 80 %
        ("confirmed", 81, "healthy"),
        ("corrected", 15, "healthy"),  # and above 15 %
        ("corrected", 16, "action_needed"),
        ("false_positive", 10, "healthy"),
        ("false_positive", 11, "action_needed"),
        ("missed", 5, "healthy"),
        ("missed", 6, "action_needed"),
    ],
)
def test_the_thresholds_are_the_tables(label, count, status):
    other = "missed" if label == "confirmed" else "confirmed"
    found = {one.band.metric: one for one in health_of({label: count, other: 100 - count})}
    assert found[label].status == status
