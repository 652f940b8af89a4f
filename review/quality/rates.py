"""Rates of verdicts with their intervals, and what they say of a detector. Pure functions over counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from review.verdicts.models import Label

METRICS = [label.value for label in Label]
Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `of` verdicts; `value`, `low`, `high` (95 % interval) are 0 to 1, None where there is no verdict."""

    count: int
    of: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def text(self) -> str:
        """0.6832 → 68.3%."""
        return "–" if self.value is None else f"{self.value * 100:.1f}%"

    @property
    def interval(self) -> str:
        return (
            "–"
            if self.low is None or self.high is None
            else f"{self.low * 100:.1f} to {self.high * 100:.1f}%"
        )


def wilson(count: int, of: int, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval of a share: sound for few verdicts and near 0 and 1 (Wilson 1927).

    `of` is above 0, `count` 0 to `of`.
    """
    share = count / of
    scale = 1 + z * z / of
    middle = (share + z * z / (2 * of)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    # At the ends the formula gives 0 and 1 up to rounding.
    return (0.0 if count == 0 else max(0.0, middle - half)), (1.0 if count == of else min(1.0, middle + half))


def rate(count: int, of: int) -> Rate:
    if of <= 0:
        return Rate(count, of, None, None, None)
    return Rate(count, of, count / of, *wilson(count, of))


def verdicts_in(by_label: Mapping[str, int]) -> int:
    """How many are one of the four verdicts; labels of the vocabulary say nothing of a detector."""
    return sum(by_label.get(name, 0) for name in METRICS)


def rates_of(by_label: Mapping[str, int]) -> dict[str, Rate]:
    """The share of each of the four verdicts among them."""
    of = verdicts_in(by_label)
    return {name: rate(by_label.get(name, 0), of) for name in METRICS}


def approved_in(by_label: Mapping[str, int]) -> int:
    """Boxes that stood as they were shown."""
    return by_label.get(Label.CONFIRMED, 0)


def rejected_in(by_label: Mapping[str, int]) -> int:
    """Boxes that did not: another class or place, or no object. A missed object was no box that was shown."""
    return by_label.get(Label.CORRECTED, 0) + by_label.get(Label.FALSE_POSITIVE, 0)


@dataclass(frozen=True, slots=True)
class Band:
    """Where a rate is healthy: above its threshold, or below. `well` and `act` say what to do."""

    metric: str
    threshold: float
    healthy_above: bool
    well: str
    act: str


BANDS = (
    Band(
        Label.CONFIRMED,
        0.80,
        True,
        "The detector does well. Keep an audit sample going, so that a change is seen early.",
        "Too few boxes stand as they were found. The rates below say why; train the next version on what they show.",
    ),
    Band(
        Label.CORRECTED,
        0.15,
        False,
        "Classes and boxes are mostly right.",
        "Classes or boxes are mixed up. Train the next version with the corrected boxes; by class one sees which.",
    ),
    Band(
        Label.FALSE_POSITIVE,
        0.10,
        False,
        "It seldom reports what is not there.",
        "It reports what is not there. Raise the confidence threshold, or train with the rejected boxes as hard"
        " negatives.",
    ),
    Band(
        Label.MISSED,
        0.05,
        False,
        "It seldom overlooks an object.",
        "It overlooks objects. Train with the boxes that people drew, or lower the confidence threshold.",
    ),
)


@dataclass(frozen=True, slots=True)
class Health:
    """A rate against its band. `margin`: how far inside the healthy side, negative outside (0.03 is 3 points).

    `certain`: the whole interval lies on that side.
    """

    band: Band
    rate: Rate
    status: str
    margin: float | None
    certain: bool
    advice: str


def health_of(by_label: Mapping[str, int]) -> list[Health]:
    """healthy, action_needed or no_data for each of the four rates."""
    rates = rates_of(by_label)
    found = []
    for band in BANDS:
        one = rates[band.metric]
        if one.value is None or one.low is None or one.high is None:
            found.append(
                Health(band, one, "no_data", None, False, "No verdict yet. Review some boxes first.")
            )
            continue
        sign = 1 if band.healthy_above else -1
        margin = sign * (one.value - band.threshold)
        good = margin > 0 if band.healthy_above else margin >= 0
        surest = (one.low if good else one.high) if band.healthy_above else (one.high if good else one.low)
        certain = sign * (surest - band.threshold) > 0 if good else sign * (surest - band.threshold) < 0
        found.append(
            Health(
                band,
                one,
                "healthy" if good else "action_needed",
                margin,
                certain,
                band.well if good else band.act,
            )
        )
    return found
