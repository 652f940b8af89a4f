"""What calls about annotations take, and the verdicts that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from extraction.intake.schema import check_json
from extraction.runs.queries import Found
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.serializers import StrictSerializer
from review.verdicts.domain import Verdict
from review.verdicts.domain.payload import read_payload
from review.verdicts.domain.values import LONGEST_REASONING, kind_of

MOST_AT_ONCE = 1000
MOST_LISTED = 500


def _text(longest: int = 200) -> serializers.CharField:
    return serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=longest)


def _number() -> serializers.FloatField:
    return serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)


def _object() -> serializers.DictField:
    return serializers.DictField(required=False, allow_null=True)


class AnnotationBody(StrictSerializer):
    """payload: predicted_class, true_class, bbox {x, y, w, h} (centre, pixels), image_width, image_height."""

    document_id = serializers.CharField(max_length=300)
    collection_id = serializers.CharField(max_length=120, required=False, allow_null=True)
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]
    confidence = _number()
    reasoning = _text(LONGEST_REASONING)
    payload = _object()
    metadata = _object()
    retriever_id = _text()
    execution_id = _text()
    stage_name = _text()


class AnnotationChange(StrictSerializer):
    """What is left out stays; a payload takes the place of the one before as a whole."""

    label = serializers.CharField(max_length=100, required=False, allow_null=True)  # type: ignore[assignment]
    confidence = _number()
    reasoning = _text(LONGEST_REASONING)
    payload = _object()
    metadata = _object()


class BulkChange(AnnotationChange):
    annotation_id = serializers.CharField(max_length=40)


class LabelBody(StrictSerializer):
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]
    description = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=500)


class AnnotationPaging(serializers.Serializer[Any]):
    """`skip` rows are passed over; or `cursor`, an answer's next_cursor, goes on where a page ended."""

    skip = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST_LISTED)
    cursor = serializers.CharField(required=False, max_length=40)


class AnnotationQuery(AnnotationPaging):
    """created_after is inclusive, created_before is not; as_of answers each annotation as it was then."""

    document_id = serializers.CharField(max_length=300, required=False)
    collection_id = serializers.CharField(max_length=120, required=False)
    label = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    actor_id = serializers.CharField(max_length=200, required=False)
    retriever_id = serializers.CharField(max_length=200, required=False)
    as_of = serializers.DateTimeField(required=False)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)


class AnnotationListBody(StrictSerializer):
    """The same as the query's; it wins over that."""

    document_id = serializers.CharField(max_length=300, required=False, allow_null=True)
    collection_id = serializers.CharField(max_length=120, required=False, allow_null=True)
    label = serializers.CharField(max_length=100, required=False, allow_null=True)  # type: ignore[assignment]
    actor_id = serializers.CharField(max_length=200, required=False, allow_null=True)
    retriever_id = serializers.CharField(max_length=200, required=False, allow_null=True)
    as_of = serializers.DateTimeField(required=False, allow_null=True)
    created_after = serializers.DateTimeField(required=False, allow_null=True)
    created_before = serializers.DateTimeField(required=False, allow_null=True)
    skip = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=1_000_000)
    limit = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MOST_LISTED)
    cursor = serializers.CharField(required=False, allow_null=True, max_length=40)


# What most operations of a bulk call are made of: text with its longest length, numbers 0 to 1, objects.
_TEXTS = {
    "document_id": 300,
    "collection_id": 120,
    "label": 100,
    "reasoning": LONGEST_REASONING,
    "retriever_id": 200,
    "execution_id": 200,
    "stage_name": 200,
}


def plain_creation(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """The item's values where nothing about them is in question; None leaves it to `AnnotationBody`.

    That form takes as long for a thousand items as writing a thousand rows does.
    """
    if "document_id" not in item or "label" not in item:
        return None
    for name, value in item.items():
        if name in _TEXTS:
            good = (
                isinstance(value, str)
                and 0 < len(value) <= _TEXTS[name]
                and value.isascii()
                and "\x00" not in value
                and value == value.strip()
            )
        elif name == "confidence":
            good = type(value) is float and 0 <= value <= 1
        else:
            good = name in {"payload", "metadata"} and type(value) is dict
        if not good:
            return None
    return dict(item)


def check_objects(data: Mapping[str, Any]) -> None:
    """Refuse what the columns of payload and metadata cannot hold."""
    for name in ("payload", "metadata"):
        if data.get(name):
            check_json(data[name], field=name)


def verdict_of(found: Found, data: Mapping[str, Any]) -> Verdict:
    """The verdict that a request body about `found` stands for. Raises InvalidInput naming the field."""
    check_objects(data)
    label, payload = data["label"], data.get("payload") or {}
    class_name, box = read_payload(label, payload)
    detection = found.detection
    if detection is None and kind_of(label) == "verdict":
        ref = data["document_id"]
        raise InvalidInput(
            f"{ref} is an image. {label} is about one detection: {ref}_det_0 and so on.", field="document_id"
        )
    return Verdict(
        label=label,
        detection_id=detection.pk if detection else None,
        image_id=found.document.image_id,
        class_name=class_name,
        box=box,
        confidence=data.get("confidence"),
        reasoning=data.get("reasoning") or "",
        payload=payload,
        metadata=data.get("metadata") or {},
        retriever_ref=data.get("retriever_id") or "",
        execution_ref=data.get("execution_id") or "",
        stage_name=data.get("stage_name") or "",
        collection_id=found.document.collection_id,
        document_id=found.document.pk,
    )


def changes_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a change asks for, as `Revision` takes it. A label of null changes nothing; other nulls clear."""
    check_objects(data)
    changes = {name: value for name, value in data.items() if name != "annotation_id"}
    if changes.get("label", "") is None:
        del changes["label"]
    return changes
