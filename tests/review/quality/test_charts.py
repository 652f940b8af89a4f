"""Where charts put what they draw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from review.quality.charts import BOTTOM, HEIGHT, TOP, chart_of, starts_of
from review.quality.rates import BANDS, rate

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
CONFIRMED, CORRECTED = BANDS[0], BANDS[1]


def days(count):
    return [MONDAY + timedelta(days=n) for n in range(count)]


def drawn(band, rates, *, names=None, starts=None):
    starts = starts or days(len(rates))
    series = {"queue": {start: one for start, one in zip(starts, rates, strict=False) if one}}
    return chart_of(band, "A rate", series, names or {"queue": "Queue", "audit": "Audit"}, starts)


def test_a_rate_lies_between_its_intervals_ends_on_the_scale():
    chart = drawn(CONFIRMED, [rate(10, 10), rate(0, 10), rate(5, 10)])
    (line,) = chart.lines
    assert [mark.y for mark in line.marks] == [TOP, HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2]
    assert all(mark.high_y <= mark.y <= mark.low_y for mark in line.marks)
    assert [mark.x for mark in line.marks] == sorted(mark.x for mark in line.marks)
    assert "4 May: 100.0% of 10 (72.2 to 100.0%)" in line.marks[0].title


@pytest.mark.parametrize("band", BANDS)
def test_the_healthy_side_is_shaded(band):
    chart = drawn(band, [rate(1, 20)])
    top, bottom = chart.band_y, chart.band_y + chart.band_height
    assert TOP <= top < bottom <= HEIGHT - BOTTOM
    assert chart.threshold_y == pytest.approx(bottom if band.healthy_above else top, abs=0.05)


def test_a_small_rate_uses_the_height_there_is():
    assert drawn(CORRECTED, [rate(1, 50)]).y_ticks[-1].text == "30%"
    assert drawn(CORRECTED, [rate(50, 50)]).y_ticks[-1].text == "100%"


def test_times_without_verdicts_have_no_mark_and_a_source_without_any_no_line():
    chart = drawn(CONFIRMED, [rate(1, 2), None, rate(1, 4)])
    assert [len(line.marks) for line in chart.lines] == [2]
    assert [start for start, _ in chart.rows] == ["4 May", "6 May"]
    assert drawn(CONFIRMED, [None]).lines == []


def test_long_times_have_few_dates_below():
    assert len(drawn(CONFIRMED, [], starts=days(365)).x_ticks) <= 6


def test_weeks_begin_on_monday():
    starts = starts_of(MONDAY + timedelta(days=3), MONDAY + timedelta(days=15), "week")
    assert starts == [MONDAY, MONDAY + timedelta(days=7), MONDAY + timedelta(days=14)]
    assert len(starts_of(MONDAY, MONDAY + timedelta(days=6), "day")) == 7
