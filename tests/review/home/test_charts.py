"""Quality over time: where line, band, marks and ticks lie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from review.home.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Measured, series_of

START = datetime(2026, 8, 18, tzinfo=UTC)
END = START + timedelta(days=91)


def measured(*values, half=0.02, every=30):
    return [
        Measured(START + timedelta(days=every * n), value, value - half, value + half, f"v{n + 1}")
        for n, value in enumerate(values)
    ]


def test_the_first_point_is_at_the_left_and_higher_is_better():
    chart = series_of(measured(0.552, 0.6, 0.634), [], until=END)
    first, middle, last = chart.dots
    assert first.x == LEFT
    assert first.x < middle.x < last.x <= WIDTH - RIGHT
    assert first.y > middle.y > last.y
    assert last.high_y < last.y < last.low_y
    assert all(dot.high_y >= TOP and dot.low_y <= HEIGHT - BOTTOM for dot in chart.dots)
    assert chart.last == "0.634"
    assert chart.summary == "rose from 0.552 on 18 Aug to 0.634 on 17 Oct"
    assert first.title == "v1: 0.552 (0.532 to 0.572)"


def test_the_band_goes_there_along_the_upper_ends_and_back_along_the_lower():
    chart = series_of(measured(0.5, 0.6), [], until=END)
    corners = chart.band.split()
    assert len(corners) == 4
    assert corners[0] == f"{chart.dots[0].x},{chart.dots[0].high_y}"
    assert corners[-1] == f"{chart.dots[0].x},{chart.dots[0].low_y}"


@pytest.mark.parametrize(
    ("values", "half"),
    [
        ((0.5,), 0.0),
        ((0.0,), 0.0),
        ((1.0,), 0.0),
        ((0.999, 1.0), 0.0005),
        ((0.1, 0.95), 0.1),
        ((0.5, 0.5), 0.3),
    ],
)
def test_the_axis_has_round_numbers_around_everything(values, half):
    chart = series_of(measured(*values, half=half), [], until=END)
    assert 3 <= len(chart.y_ticks) <= 7
    assert len({tick.text for tick in chart.y_ticks}) == len(chart.y_ticks)
    assert all(0 <= float(tick.text) <= 1 for tick in chart.y_ticks)
    assert all(TOP <= dot.y <= HEIGHT - BOTTOM for dot in chart.dots)


def test_labels_of_marks_that_would_lie_on_one_another_are_left_out():
    moments = [(START + timedelta(days=day), f"v{day}") for day in (1, 2, 40, 90, 91)]
    chart = series_of(measured(0.5, 0.6), moments, until=END)
    assert [mark.label for mark in chart.marks] == ["v1", "", "v40", "v90", ""]
    assert [mark.anchor for mark in chart.marks] == ["start", "start", "start", "end", "end"]


def test_one_measurement_of_this_minute_has_its_place():
    chart = series_of(measured(0.5), [], until=START)
    assert chart.dots[0].x == WIDTH - RIGHT
    assert chart.summary == "0.500 (0.480 to 0.520) on 18 Aug"


def test_rates_are_percent():
    chart = series_of(measured(0.8, 0.9), [], until=END, percent=True)
    assert chart.last == "90.0%"
    assert chart.y_ticks[0].text.endswith("%")


def test_without_an_interval_the_point_stands_alone():
    chart = series_of([Measured(START, 0.5, None, None, "v1")], [], until=END)
    assert chart.dots[0].title == "v1: 0.500"
    assert chart.dots[0].low_y == chart.dots[0].y
