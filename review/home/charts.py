"""Where the line, band and marks of quality over time lie. Pure functions over values; units of the SVG's viewBox."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from review.quality.charts import Point, Tick, day_text

WIDTH, HEIGHT = 820, 232
LEFT, RIGHT, TOP, BOTTOM = 40, 58, 10, 24
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25)
LEAST_SPAN, LEAST_SPAN_OF_RATES = timedelta(hours=1), timedelta(days=7)
X_TICKS = 5
LABEL_WIDTH = 110


@dataclass(frozen=True)
class Measured:
    """A value, 0 to 1, at a time, with the ends of its 95 % interval where they are known."""

    at: datetime
    value: float
    low: float | None
    high: float | None
    title: str


@dataclass(frozen=True)
class Mark:
    """Something that happened. `label` stands right of it, or left at the end of the chart; empty where there is no
    room beside the one before."""

    x: float
    label: str
    anchor: str = "start"

    @property
    def label_dx(self) -> int:
        return 6 if self.anchor == "start" else -6


@dataclass(frozen=True)
class Series:
    """`band` and `points` are attributes of an SVG polygon and polyline; `last` is written beside the end."""

    points: str
    band: str
    dots: list[Point]
    marks: list[Mark]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    last: str
    summary: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    label_x: int = LEFT - 8


def series_of(
    measured: Sequence[Measured],
    happened: Sequence[tuple[datetime, str]],
    *,
    until: datetime,
    percent: bool = False,
) -> Series:
    """`measured`, at least one, rising in time; `happened`: marks with their labels; the axis ends at `until`."""
    first, span = _span(measured, happened, until, LEAST_SPAN_OF_RATES if percent else LEAST_SPAN)
    bottom, top, step = _scale(measured)

    def x(at: datetime) -> float:
        share = min(1.0, max(0.0, (at - first) / span))
        return round(LEFT + (WIDTH - RIGHT - LEFT) * share, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - bottom) / (top - bottom), 1)

    dots = [
        Point(x(one.at), y(one.value), y(_low(one)), y(_high(one)), f"{one.title}: {_text(one, percent)}")
        for one in measured
    ]
    upper = [f"{dot.x},{dot.high_y}" for dot in dots]
    lower = [f"{dot.x},{dot.low_y}" for dot in reversed(dots)]
    count = round((top - bottom) / step)
    values = [bottom + n * step for n in range(count + 1)]
    moments = [first + span * n / (X_TICKS - 1) for n in range(X_TICKS)]
    return Series(
        " ".join(f"{dot.x},{dot.y}" for dot in dots),
        " ".join([*upper, *lower]),
        dots,
        _marks([(x(at), label) for at, label in sorted(happened) if at >= first]),
        [Tick(x(at), _moment(at, span)) for at in moments],
        [Tick(y(value), f"{value:.0%}" if percent else _short(value, step)) for value in values],
        _number(measured[-1].value, percent),
        _summary(measured, percent),
    )


def _span(
    measured: Sequence[Measured], happened: Sequence[tuple[datetime, str]], until: datetime, least: timedelta
) -> tuple[datetime, timedelta]:
    """From the first measurement, or from what happened shortly before it, to the end; at least so long."""
    first = measured[0].at
    early = [at for at, _ in happened if at < first]
    if early and first - max(early) < (until - first):
        first = max(early)
    first = min(first, until - least)
    return first, until - first


def _scale(measured: Sequence[Measured]) -> tuple[float, float, float]:
    """Bottom, top and step of the axis: round numbers around all intervals, three to six lines."""
    low, high = min(_low(one) for one in measured), max(_high(one) for one in measured)
    step = next((one for one in STEPS if (high - low) / one <= 4), STEPS[-1])
    bottom = max(0.0, math.floor(low / step + 1e-9) * step)
    top = min(1.0, math.ceil(high / step - 1e-9) * step)
    while top - bottom < 2 * step - 1e-9:
        bottom, top = max(0.0, bottom - step), min(1.0, top + step)
    return bottom, top, step


def _low(one: Measured) -> float:
    return one.value if one.low is None else min(one.low, one.value)


def _high(one: Measured) -> float:
    return one.value if one.high is None else max(one.high, one.value)


def _number(value: float, percent: bool) -> str:
    return f"{value:.1%}" if percent else f"{value:.3f}"


def _short(value: float, step: float) -> str:
    return f"{value:.3f}" if step < 0.01 else f"{value:.2f}"


def _text(one: Measured, percent: bool) -> str:
    number = _number(one.value, percent)
    if one.low is None or one.high is None:
        return number
    return f"{number} ({_number(one.low, percent)} to {_number(one.high, percent)})"


def _moment(at: datetime, span: timedelta) -> str:
    if span >= timedelta(days=X_TICKS - 1):
        return day_text(at)
    return f"{at:%H:%M}" if span < timedelta(days=1) else f"{at:%a %H:%M}"


def _marks(places: Sequence[tuple[float, str]]) -> list[Mark]:
    found: list[Mark] = []
    free = 0.0
    for x, label in places:
        at_end = x + LABEL_WIDTH > WIDTH
        room = x - LABEL_WIDTH >= free if at_end else x >= free
        found.append(Mark(x, label if room else "", "end" if at_end else "start"))
        if room:
            free = x if at_end else x + LABEL_WIDTH
    return found


def _summary(measured: Sequence[Measured], percent: bool) -> str:
    first, last = measured[0], measured[-1]
    if len(measured) == 1:
        return f"{_text(last, percent)} on {day_text(last.at)}"
    word = "rose" if last.value > first.value else "fell" if last.value < first.value else "stayed"
    return (
        f"{word} from {_number(first.value, percent)} on {day_text(first.at)} to "
        f"{_number(last.value, percent)} on {day_text(last.at)}"
    )
