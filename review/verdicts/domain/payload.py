"""What a payload says of class and box, and where it differs from what the server knows. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from extraction.classes.domain import LONGEST_NAME
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box, parse_bbox
from review.verdicts.models import Label

SIZES = (("image_width", "width"), ("image_height", "height"))


def read_payload(label: str, payload: Mapping[str, Any]) -> tuple[str | None, Box | None]:
    """The class and the box (centre, width, height in pixels) that a payload gives for one of the four verdicts.

    A missed object's class may stand in `predicted_class` too. A label of the vocabulary has neither: its payload is
    kept and not read. Raises InvalidInput naming the key that is of a wrong kind.
    """
    if label not in Label.values:
        return None, None
    true_class, predicted = (_name(payload, key) for key in ("true_class", "predicted_class"))
    for key, _ in SIZES:
        size = payload.get(key)
        if size is None:
            continue
        if isinstance(size, bool) or not isinstance(size, int | float) or not size > 0:
            raise InvalidInput(
                f"{key} is {_short(size)}; it must be a number of pixels above 0.", field=f"payload.{key}"
            )
    box = parse_bbox(payload["bbox"], field="payload.bbox") if payload.get("bbox") is not None else None
    if label == Label.FALSE_POSITIVE:
        return None, box
    return true_class or (predicted if label == Label.MISSED else None), box


def _name(payload: Mapping[str, Any], key: str) -> str | None:
    value = payload.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST_NAME:
        raise InvalidInput(
            f"{key} is {_short(value)}; it must be a class's name of 1 to {LONGEST_NAME} characters.",
            field=f"payload.{key}",
        )
    return value.strip()


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def warnings_of(
    label: str, payload: Mapping[str, Any], *, predicted_class: str | None, width: int, height: int
) -> list[str]:
    """Where a payload differs from the server's own values; those hold beside it. Not for labels of the vocabulary."""
    if label not in Label.values:
        return []
    found = []
    claimed = payload.get("predicted_class")
    if isinstance(claimed, str) and predicted_class and claimed.strip() != predicted_class:
        found.append(
            f"predicted_class is {_short(claimed)}; the detector called this box {predicted_class!r}."
        )
    true_class = payload.get("true_class")
    if (
        label == Label.CONFIRMED
        and isinstance(true_class, str)
        and predicted_class
        and true_class.strip() != predicted_class
    ):
        found.append(
            f"true_class is {_short(true_class)} and the detector called this box {predicted_class!r}: the truth is"
            " true_class. Where the class was wrong, the label is corrected."
        )
    known = {"image_width": width, "image_height": height}
    for key, word in SIZES:
        size = payload.get(key)
        if isinstance(size, int | float) and not isinstance(size, bool) and size != known[key]:
            found.append(
                f"{key} is {_short(size)}; the upright image has a {word} of {known[key]} pixels. Boxes count in those."
            )
    return found
