"""What a reviewer who knows the truth decides about one image, and what that costs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.flywheel.truths import Thing
from mixcv.kernel.geometry import Box, iou

SAME_OBJECT = 0.5  # IoU from which a box is meant for an object
WELL_PLACED = 0.75  # IoU from which a reviewer lets it stand

# Seconds of a reviewer; where they come from stands in docs/flywheel.md.
LOOK = 2.0  # at one box that is shown, with one key
DRAW = 7.0  # a box by its extreme points
NAME = 1.6  # choosing another class: one thought and one key
WHOLE = 7.8  # looking an image over for what is missing


@dataclass(frozen=True)
class Seen:
    """A detection as the API shows it."""

    document_id: str
    class_name: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Decision:
    """One verdict. Without a detection it is about the image: `missed`."""

    label: str
    seconds: float
    detection_id: str = ""
    thing: Thing | None = None


def judge(seen: Sequence[Seen], things: Sequence[Thing]) -> list[Decision]:
    """A verdict on every detection, then one for every object that none was meant for.

    A detection belongs to the object that it covers by half or more, each to one: of its own class first, then the
    best covered.
    """
    partner = _paired(seen, things)
    decisions = [
        _verdict(one, things[partner[place]] if place in partner else None) for place, one in enumerate(seen)
    ]
    found = set(partner.values())
    left = [thing for place, thing in enumerate(things) if place not in found]
    return decisions + [Decision("missed", DRAW + NAME, thing=thing) for thing in left]


def _paired(seen: Sequence[Seen], things: Sequence[Thing]) -> dict[int, int]:
    fits = sorted(
        (
            (one.class_name != thing.class_name, -covered, place, of)
            for place, one in enumerate(seen)
            for of, thing in enumerate(things)
            if (covered := iou(one.box, thing.box)) >= SAME_OBJECT
        ),
    )
    partner: dict[int, int] = {}
    for _, _, place, of in fits:
        if place not in partner and of not in partner.values():
            partner[place] = of
    return partner


def _verdict(one: Seen, thing: Thing | None) -> Decision:
    if thing is None:
        return Decision("false_positive", LOOK, one.document_id)
    placed = iou(one.box, thing.box) >= WELL_PLACED
    named = one.class_name == thing.class_name
    if placed and named:
        return Decision("confirmed", LOOK, one.document_id)
    seconds = LOOK + (0 if placed else DRAW) + (0 if named else NAME)
    return Decision("corrected", seconds, one.document_id, thing)


def cost(decisions: Iterable[Decision]) -> tuple[int, float]:
    """How many decisions an image took, the one that nothing is missing among them, and their seconds."""
    made = list(decisions)
    return len(made) + 1, sum(one.seconds for one in made) + WHOLE


def as_annotation(decision: Decision, document_id: str, collection_id: str) -> dict[str, Any]:
    """The decision as the API takes it."""
    body: dict[str, Any] = {
        "document_id": decision.detection_id or document_id,
        "collection_id": collection_id,
        "label": decision.label,
    }
    if decision.thing is not None:
        body["payload"] = {
            "true_class": decision.thing.class_name,
            "bbox": decision.thing.box.as_bbox(),
        }
    return body


def in_our_order(doubtful: Sequence[str], empty: Sequence[str], others: Sequence[str]) -> list[str]:
    """Documents in the order in which they are reviewed: those with the least sure boxes, then those on which nothing
    was found, then those whose boxes are all sure. Each once."""
    return list(dict.fromkeys([*doubtful, *empty, *others]))
