"""Where the curves of a run lie. Pure functions over values; units of the SVG's viewBox."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 26
MOST_TICKS = 8


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Curve:
    """`key` is its class in the stylesheet. `parts`: attributes of SVG polylines; a gap parts them."""

    key: str
    name: str
    parts: list[str]
    last: Dot | None


@dataclass(frozen=True)
class Chart:
    """`rows`: the same numbers as a table, by epoch. `mark`: where the best epoch stands, or None."""

    title: str
    curves: list[Curve]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    mark: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    label_x: int = LEFT - 6


def chart_of(
    title: str,
    series: Mapping[str, tuple[str, Sequence[float | None]]],
    *,
    epochs: int,
    best: int | None = None,
    top: float | None = None,
) -> Chart:
    """`series`: by key a name and a value for each epoch from the first. The axis runs to `epochs`, so that the curves
    grow into it; `top`: where the scale ends, else a round number above all values."""
    values = [one for _, found in series.values() for one in found if one is not None]
    high = top or nice_top(calm_top(values))
    span = max(1, epochs - 1)

    def x(number: int) -> float:
        return round(LEFT + 6 + (WIDTH - RIGHT - LEFT - 12) * (number - 1) / span, 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value, high) / high, 1)

    curves = []
    for key, (name, found) in series.items():
        dots = [
            None if value is None else Dot(x(n), y(value), f"{name}, epoch {n}: {value:.3f}")
            for n, value in enumerate(found, 1)
        ]
        last = next((dot for dot in reversed(dots) if dot), None)
        curves.append(Curve(key, name, _parts(dots), last))
    step = max(1, -(-epochs // MOST_TICKS))
    return Chart(
        title,
        curves,
        [Tick(x(n), str(n)) for n in range(1, epochs + 1) if n == 1 or n % step == 0],
        [Tick(y(high * part / 4), f"{high * part / 4:.3g}") for part in range(5)],
        x(best) if best else None,
    )


def _parts(dots: Sequence[Dot | None]) -> list[str]:
    parts: list[list[str]] = [[]]
    for dot in dots:
        if dot is None:
            parts.append([])
        else:
            parts[-1].append(f"{dot.x},{dot.y}")
    return [" ".join(part) for part in parts if part]


def calm_top(values: Sequence[float]) -> float:
    """The largest value but for spikes: at most four times the upper quartile. One of the first epochs would else press
    all that comes after it to the axis; its dot's title still says its number."""
    if not values:
        return 1.0
    quartile = sorted(values)[(3 * len(values)) // 4 if len(values) > 1 else 0]
    return min(max(values), 4 * quartile) if quartile > 0 else max(values)


def nice_top(value: float) -> float:
    """1, 2, 4 or 8 times a power of ten at or above a value."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value * 0.999)
