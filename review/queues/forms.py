"""What focus mode sends, read strictly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from extraction.intake.schema import check_json
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box
from mixcv.kernel.json_body import parse_json
from review.verdicts.domain import Verdict
from review.verdicts.models import Label

LONGEST_KEY = 64
LONGEST_SECONDS = 1e9


@dataclass(frozen=True)
class Sent:
    """A verdict and the key by which a repeat of the same call is known."""

    verdict: Verdict
    key: str


def read_body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of a request. Raises InvalidInput for anything else, and for what no column can hold."""
    try:
        body = parse_json(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise InvalidInput("The body must be a JSON object.")
    check_json(body, field="body")
    return body


def read_verdict(
    body: dict[str, Any],
    *,
    retriever_ref: str,
    stage_name: str,
    collection_id: int,
    document_id: int | None,
) -> Sent:
    """The verdict in a call's body. Raises InvalidInput naming the field that is missing or of a wrong kind."""
    label = body.get("label")
    if label not in Label.values:
        raise InvalidInput(f"label is {label!r}; it must be one of {', '.join(Label.values)}.", field="label")
    seconds = body.get("seconds")
    key = _text(body, "key", LONGEST_KEY)
    missed = label == Label.MISSED
    verdict = Verdict(
        label=label,
        detection_id=None if missed else _key(body, "detection_id"),
        image_id=_key(body, "image_id") if missed else None,
        class_name=_text(body, "class_name", 200) or None,
        box=_box(body.get("box")),
        revision=None if missed or body.get("revision") is None else _key(body, "revision"),
        metadata={"key": key} if key else None,
        retriever_ref=retriever_ref,
        execution_ref=_text(body, "execution", 200),
        stage_name=stage_name,
        seconds=_seconds(seconds),
        collection_id=collection_id,
        document_id=document_id if missed else None,
    )
    return Sent(verdict, key)


def read_keys(text: str, *, limit: int = 200) -> list[int]:
    """`3,5,8` as numbers; what is none is left out."""
    return [
        int(part) for part in text.split(",")[:limit] if part.isascii() and part.isdigit() and len(part) < 19
    ]


def image_key(body: dict[str, Any]) -> int:
    return _key(body, "image_id")


def _key(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise InvalidInput(f"{name} is {value!r}; it must be a whole number.", field=name)
    return value


def _text(body: dict[str, Any], name: str, longest: int) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest:
        raise InvalidInput(f"{name} must be a text of at most {longest} characters.", field=name)
    return value


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_SECONDS:
        return None
    return float(value)


def _box(value: Any) -> Box | None:
    """`[cx, cy, w, h]` in pixels of the upright image."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise InvalidInput("box is [cx, cy, w, h]: centre and size in pixels.", field="box")
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value):
        raise InvalidInput("Each of box's four must be a number of pixels.", field="box")
    try:
        return Box(*(float(number) for number in value))
    except OverflowError:
        raise InvalidInput("One of box's four is too large for a number of pixels.", field="box") from None
