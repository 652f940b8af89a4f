"""Where intervals, bars and curves of a comparison lie. Pure functions over values; units of the SVG's viewBox."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INTERVAL_WIDTH = 190
_EDGE = 6
LEAST_SIDE = 0.27  # of the width: so that "worse" and "better" have room

LABEL_COLUMNS = 15
MOST_LINKS = 21


def signed(value: float, digits: int = 3) -> str:
    """+0.031, −0.010 with a real minus sign, 0.000."""
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def confidence_text(value: float) -> str:
    """0.45; of small ones three digits that count, 0.00123, so that none reads as 0.00."""
    if value >= 0.1 or value <= 0:
        return f"{value:.2f}"
    text = f"{value:.{2 - math.floor(math.log10(value))}f}"
    return text[:4] + text[4:].rstrip("0")


def interval_text(low: float, high: float, digits: int = 3) -> str:
    return f"{signed(low, digits)} to {signed(high, digits)}"


def direction(low: float | None, high: float | None) -> str:
    """ "good" or "poor" only where the interval leaves out zero, else "even"."""
    if low is None or high is None:
        return "even"
    return "good" if low > 0 else "poor" if high < 0 else "even"


@dataclass(frozen=True)
class Interval:
    """A line from `low` to `high` with a dot at `at`; `tone` is its class."""

    low: float
    high: float
    at: float
    tone: str


@dataclass(frozen=True)
class Intervals:
    """Lines on one scale; `zero` is where no difference lies. None for a row without an interval."""

    zero: float
    lines: list[Interval | None]
    width: int = INTERVAL_WIDTH

    @property
    def worse_x(self) -> float:
        return round(self.zero - 8, 1)

    @property
    def better_x(self) -> float:
        return round(self.zero + 8, 1)


def intervals_of(rows: Sequence[Mapping[str, float | None]]) -> Intervals:
    """`rows` have difference, low and high, or null."""
    known = [one for one in rows if one["low"] is not None and one["high"] is not None]
    low = min([0.0, *(float(one["low"] or 0) for one in known)])
    high = max([0.0, *(float(one["high"] or 0) for one in known)])
    span = (high - low) or 1.0
    low, high = min(low, -LEAST_SIDE * span), max(high, LEAST_SIDE * span)

    def x(value: float) -> float:
        return round(_EDGE + (INTERVAL_WIDTH - 2 * _EDGE) * (value - low) / (high - low), 1)

    lines: list[Interval | None] = []
    for one in rows:
        ends = one["low"], one["high"]
        if ends[0] is None or ends[1] is None or one["difference"] is None:
            lines.append(None)
        else:
            lines.append(Interval(x(ends[0]), x(ends[1]), x(one["difference"]), direction(*ends)))
    return Intervals(x(0.0), lines)


@dataclass(frozen=True)
class Bar:
    """A class: widths of its bars, None where it has none; texts at the baseline `text_y`."""

    label: str
    name: str
    href: str
    y: int
    old: float | None
    new: float | None
    value: str
    difference: str
    tone: str
    title: str

    @property
    def text_y(self) -> int:
        return self.y + 18

    @property
    def old_y(self) -> int:
        return self.y + 4

    @property
    def new_y(self) -> int:
        return self.y + (15 if self.old is not None else 9)


@dataclass(frozen=True)
class Bars:
    """Average precision by class. `ticks`: (x, text) of the axis."""

    bars: list[Bar]
    ticks: list[tuple[float, str]]
    height: int
    left: int = 118
    label_x: int = 108
    width: int = 424
    value_x: int = 376
    end_x: int = 424

    @property
    def axis_end(self) -> int:
        return self.height - 16

    @property
    def tick_y(self) -> int:
        return self.height - 2


_BAR_LEFT, _BAR_LENGTH, _BAR_STEP = 118, 214, 38


def bars_of(rows: Sequence[Mapping[str, Any]], href: Callable[[int], str], *, paired: bool) -> Bars:
    """`rows`: name, class_id, boxes, old, new, difference, low, high; those without any value are left out."""
    known = [one for one in rows if one["new"] is not None or one["old"] is not None]
    bars = [_bar(one, place * _BAR_STEP, href(one["class_id"]), paired) for place, one in enumerate(known)]
    ticks = [(_BAR_LEFT + _BAR_LENGTH * part / 4, f"{part / 4:g}") for part in range(5)]
    return Bars(bars, ticks, len(bars) * _BAR_STEP + 18)


def _bar(one: Mapping[str, Any], y: int, href: str, paired: bool) -> Bar:
    def width(value: float | None) -> float | None:
        return None if value is None else round(_BAR_LENGTH * min(1.0, max(0.0, value)), 1)

    boxes = f"{one['boxes']:,} true box{'es' if one['boxes'] != 1 else ''}"
    proven = one["low"] is not None and one["high"] is not None
    interval = f", 95% interval {interval_text(one['low'], one['high'], 2)}" if proven and paired else ""
    if proven and not paired:
        interval = f", 95% interval {one['low']:.2f} to {one['high']:.2f}"
    return Bar(
        label=shortened(one["name"]),
        name=one["name"],
        href=href,
        y=y,
        old=width(one["old"]) if paired else None,
        new=width(one["new"]),
        value="–" if one["new"] is None else f"{one['new']:.2f}",
        difference=signed(one["difference"], 2) if paired and one["difference"] is not None else "",
        tone=direction(one["low"], one["high"]) if paired else "even",
        title=f"{one['name']}, {boxes}{interval}",
    )


def shortened(name: str, columns: int = LABEL_COLUMNS) -> str:
    """A name that fits beside the bars; wide letters count twice."""
    name = " ".join(name.split())
    wide = [2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in name]
    if sum(wide) <= columns:
        return name
    kept, room = "", columns - 1
    for letter, width in zip(name, wide, strict=True):
        room -= width
        if room < 0:
            break
        kept += letter
    return f"{kept.rstrip()}…"


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    href: str
    title: str


@dataclass(frozen=True)
class Curve:
    """`points`: an SVG polyline's attribute; `links`: at most 21 of them; `key` "old" or "new"."""

    key: str
    name: str
    points: str
    links: list[Point]


@dataclass(frozen=True)
class Curves:
    """Precision over recall. Ticks are (place, text)."""

    curves: list[Curve]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int = 424
    height: int = 372
    left: int = 34
    right: int = 412
    top: int = 10
    bottom: int = 334


_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 412, 10, 334


def curves_of(series: Sequence[tuple[str, str, Sequence[Sequence[float]], Callable[[float], str]]]) -> Curves:
    """`series`: key, name, points [recall, precision, threshold], and a threshold's address."""
    quarters = [part / 4 for part in range(5)]
    return Curves(
        [_curve(*one) for one in series],
        [(_x(value), f"{value:g}") for value in quarters],
        [(_y(value), f"{value:g}") for value in quarters],
    )


def _x(recall: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * recall, 1)


def _y(precision: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * precision, 1)


def _curve(key: str, name: str, points: Sequence[Sequence[float]], href: Callable[[float], str]) -> Curve:
    links = [
        Point(
            _x(recall),
            _y(precision),
            href(threshold),
            f"{name}: precision {precision:.2f}, recall {recall:.2f} from confidence {confidence_text(threshold)}",
        )
        for recall, precision, threshold in spread(points, MOST_LINKS)
    ]
    return Curve(key, name, " ".join(f"{_x(one[0])},{_y(one[1])}" for one in points), links)


def spread(points: Sequence[Sequence[float]], most: int) -> list[Sequence[float]]:
    """At most so many of the points, evenly, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]
