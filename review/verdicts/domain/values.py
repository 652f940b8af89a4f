"""A verdict on its way in, checked without the database, and what became of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mixcv.kernel.errors import Conflict, DomainError, InvalidInput
from mixcv.kernel.geometry import Box
from review.verdicts.models import VERDICTS, Annotation, Label

LONGEST_REASONING = 5000


class StaleVerdict(Conflict):
    """Somebody decided the box since the page was loaded; the details say who, what and when."""

    code = "stale_verdict"


class UnknownLabel(InvalidInput):
    """The label is not in the namespace's vocabulary."""

    code = "unknown_label"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision. Of a detection (`detection_id`), or of an image (`image_id`): missed, or a label of the vocabulary.

    `box`: centre, width and height in pixels of the upright image; None takes the detection's. `revision`: what the
    detection's was when it was shown; None decides in any case. `seconds`: from being shown to being decided.
    """

    label: str
    detection_id: int | None = None
    image_id: int | None = None
    class_name: str | None = None
    box: Box | None = None
    revision: int | None = None
    confidence: float | None = None
    reasoning: str = ""
    payload: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    retriever_ref: str = ""
    execution_ref: str = ""
    stage_name: str = ""
    seconds: float | None = None
    collection_id: int | None = None
    document_id: int | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """What to change of an annotation: any of label, confidence, reasoning, payload (whole), metadata."""

    annotation_id: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a verdict: its annotation, or the error for which nothing was written of it."""

    annotation: Annotation | None
    created: bool = False
    error: DomainError | None = None


def kind_of(label: str) -> str:
    """`verdict` on a detection, `missed`, or `word` (of the vocabulary): an annotation stays of its kind."""
    if label in VERDICTS:
        return "verdict"
    return "missed" if label == Label.MISSED else "word"


def unknown_label(label: str, own: Iterable[str]) -> UnknownLabel:
    """The refusal of a label, with the nearest of those that are known."""
    allowed = [*Label.values, *sorted(own)]
    lowered = {name.lower(): name for name in allowed}
    nearest = lowered[difflib.get_close_matches(label.lower(), lowered, n=1, cutoff=0)[0]]
    return UnknownLabel(
        f"The label {label[:100]!r} is not known. The nearest is {nearest!r}. Allowed: {', '.join(allowed)}. "
        "A label of your own is added to the vocabulary first.",
        field="label",
        details={"nearest": nearest, "allowed": allowed},
    )


def check(verdict: Verdict, own: Iterable[str] = ()) -> DomainError | None:
    """What is wrong with a verdict by itself; None where nothing is. `own`: the namespace's own labels."""
    if verdict.label not in Label.values and verdict.label not in own:
        return unknown_label(verdict.label, own)
    if error := check_values(verdict):
        return error
    if verdict.label == Label.MISSED:
        if verdict.class_name is None or verdict.box is None:
            return InvalidInput(
                "A missed object needs its class and its box: payload.true_class and payload.bbox.",
                field="payload",
            )
        if verdict.image_id is None and verdict.detection_id is None:
            return InvalidInput("A missed object needs the image that it is on.", field="document_id")
        return None
    if verdict.detection_id is None and kind_of(verdict.label) == "verdict":
        return InvalidInput(
            f"{verdict.label} is about a detection; name one such as doc_frame_001_det_0.",
            field="document_id",
        )
    if verdict.label == Label.CORRECTED and verdict.class_name is None and verdict.box is None:
        return InvalidInput(
            "A correction needs what is right: payload.true_class, payload.bbox or both.", field="payload"
        )
    return None


def check_values(verdict: Verdict) -> DomainError | None:
    """What is wrong with a verdict's confidence or reasoning."""
    if verdict.confidence is not None and not 0 <= verdict.confidence <= 1:
        return InvalidInput(f"confidence is {verdict.confidence}; it must be 0 to 1.", field="confidence")
    if len(verdict.reasoning) > LONGEST_REASONING:
        return InvalidInput(f"reasoning has at most {LONGEST_REASONING} characters.", field="reasoning")
    return None
