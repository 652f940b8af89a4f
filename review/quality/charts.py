"""Where the lines, bands and marks of a chart of rates lie. Pure functions over values; units of the SVG's viewBox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from review.quality.rates import Band, Rate

WIDTH, HEIGHT = 560, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 26
MOST_TICKS = 6
SCALES = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Point:
    """`low_y` and `high_y`: the ends of the interval. `title` says the numbers."""

    x: float
    y: float
    low_y: float
    high_y: float
    title: str


@dataclass(frozen=True)
class Line:
    """One source's rates over time; `points` is also the attribute of an SVG polyline."""

    key: str
    name: str
    marks: list[Point]

    @property
    def points(self) -> str:
        return " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in self.marks)


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    band: Band
    title: str
    lines: list[Line]
    band_y: float
    band_height: float
    threshold_y: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM
    plot_width: int = WIDTH - RIGHT - LEFT
    label_x: int = LEFT - 6
    rows: list[tuple[str, list[Rate | None]]] = field(default_factory=list)


def day_text(moment: datetime) -> str:
    return f"{moment.day} {moment:%b}"


def starts_of(first: datetime, last: datetime, interval: str) -> list[datetime]:
    """The starts of all days, or of all weeks (Mondays), from the one with `first` to the one with `last`."""
    step = timedelta(days=7 if interval == "week" else 1)
    start = first - timedelta(days=first.weekday()) if interval == "week" else first
    found = []
    while start <= last:
        found.append(start)
        start += step
    return found


def chart_of(
    band: Band,
    title: str,
    series: Mapping[str, Mapping[datetime, Rate]],
    names: Mapping[str, str],
    starts: Sequence[datetime],
) -> Chart:
    """`series`: a source's rates by the start of their time; `names`: how sources are called, in their order.

    The scale of small rates ends a bit above what is drawn, that of the confirmed rate is 0 to 100 %.
    """
    values = [one.value for rates in series.values() for one in rates.values() if one.value is not None]
    top = (
        1.0 if band.healthy_above else min(1.0, max([2 * band.threshold, *(1.1 * value for value in values)]))
    )
    span = max(1, len(starts) - 1)
    places = {start: LEFT + 8 + (WIDTH - RIGHT - LEFT - 16) * n / span for n, start in enumerate(starts)}

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value, top) / top, 1)

    lines = [
        Line(key, name, marks)
        for key, name in names.items()
        if (marks := _marks(name, series.get(key, {}), places, y))
    ]
    edge = y(band.threshold)
    upper, lower = (y(top), edge) if band.healthy_above else (edge, y(0))
    every = -(-len(starts) // MOST_TICKS)
    shown = [name for name in names if any(line.key == name for line in lines)]
    return Chart(
        band,
        title,
        lines,
        upper,
        round(lower - upper, 1),
        edge,
        [Tick(round(places[start], 1), day_text(start)) for start in starts[::every]],
        [Tick(y(top * part / 4), f"{top * part / 4 * 100:.3g}%") for part in range(5)],
        rows=[
            (day_text(start), [series.get(key, {}).get(start) for key in shown])
            for start in starts
            if any(start in series.get(key, {}) for key in shown)
        ],
    )


def _marks(
    name: str, rates: Mapping[datetime, Rate], places: Mapping[datetime, float], y: Callable[[float], float]
) -> list[Point]:
    return [
        Point(
            round(places[start], 1),
            y(one.value),
            y(one.low or 0),
            y(one.high or 0),
            f"{name}, {day_text(start)}: {one.text} of {one.of:,} ({one.interval})",
        )
        for start, one in sorted(rates.items())
        if one.value is not None and start in places
    ]
