"""How one image's boxes fit its truth at the working threshold: what is found, wrong, missed, false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from review.evaluation.metrics.arrays import Floats, Ints
from review.evaluation.metrics.matching import greedy, overlaps

IOU = 0.5
NEVER_FOUND, NO_FALSE_ALARM = 0.0, -1.0


@dataclass(frozen=True)
class Outcome:
    """As `ImagePrediction.outcome`, `cells` and `marks`."""

    found: list[tuple[int, int]] = field(default_factory=list)
    wrong: list[tuple[int, int]] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    marks: dict[str, list[float]] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        return len(self.wrong) + len(self.missed) + len(self.false)

    def as_json(self) -> dict[str, Any]:
        return {"found": self.found, "wrong": self.wrong, "missed": self.missed, "false": self.false}


def judge(truth: Sequence[Sequence[Any]], boxes: Sequence[Sequence[Any]], threshold: float) -> Outcome:
    """Match one image's boxes with its truth, `[class id, confidence, cx, cy, w, h]` each, boxes by falling confidence.

    By falling confidence each box at or above the threshold takes the free true box that it covers best, of whatever
    class, at IoU 0.5 or more.
    """
    true = np.array([row[0] for row in truth], dtype=np.int64)
    kind = np.array([row[0] for row in boxes], dtype=np.int64)
    confidence = np.array([row[1] for row in boxes], dtype=np.float64)
    ious = overlaps(_corners(boxes), _corners(truth))
    counted = int((confidence >= threshold).sum())
    taken = greedy(ious[:counted], np.array([IOU]))[0]
    pairs = [(int(taken[place]), place) for place in range(counted) if taken[place] >= 0]
    hit = {one for one, _ in pairs}
    missed = [place for place in range(len(true)) if place not in hit]
    false = [place for place in range(counted) if taken[place] < 0]
    cells = {f"{true[one]}>{kind[box]}" for one, box in pairs}
    cells |= {f"{true[one]}>0" for one in missed} | {f"0>{kind[box]}" for box in false}
    return Outcome(
        found=[(one, box) for one, box in pairs if true[one] == kind[box]],
        wrong=[(one, box) for one, box in pairs if true[one] != kind[box]],
        missed=missed,
        false=false,
        cells=sorted(cells),
        marks=_marks(true, kind, confidence, ious),
    )


def _corners(rows: Sequence[Sequence[Any]]) -> Floats:
    return np.array([row[2:6] for row in rows], dtype=np.float64).reshape(-1, 4)


def _marks(true: Ints, kind: Ints, confidence: Floats, ious: Floats) -> dict[str, list[float]]:
    """By class, matched within it: the confidence at which its last object is found, and its surest false alarm's."""
    marks: dict[str, list[float]] = {}
    for key in sorted({*true.tolist(), *kind.tolist()}):
        mine, objects = np.flatnonzero(kind == key), np.flatnonzero(true == key)
        taken = greedy(ious[np.ix_(mine, objects)], np.array([IOU]))[0]
        sure = np.full(len(objects), NEVER_FOUND)
        sure[taken[taken >= 0]] = confidence[mine[taken >= 0]]
        false = confidence[mine[taken < 0]]
        marks[str(key)] = [
            float(sure.min()) if len(objects) else 1.0,
            float(false.max()) if len(false) else NO_FALSE_ALARM,
        ]
    marks["all"] = [
        min((least for least, _ in marks.values()), default=1.0),
        max((most for _, most in marks.values()), default=NO_FALSE_ALARM),
    ]
    return marks
