"""What searches can filter, sort and group by: the fields of a document and of its detections, as columns.

`detections.0.confidence` is the surest detection's, `detections.*.confidence` any one's of the current generation.
Where single detections are searched, `detections.*.f` and `f` are that detection's own. Whatever else is named is a
field of the document's metadata.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat

from extraction.runs.models import Detection
from extraction.search.models import Unit
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.filters import Column, Kind, Resolve

_OF_DOCUMENT: dict[str, tuple[str, Kind]] = {
    "collection_id": ("collection__public_id", Kind.TEXT),
    "root_object_id": ("object__public_id", Kind.TEXT),
    "source_object_id": ("object__public_id", Kind.TEXT),
    "root_bucket_id": ("object__bucket__public_id", Kind.TEXT),
    "image_width": ("image__width", Kind.NUMBER),
    "image_height": ("image__height", Kind.NUMBER),
    "generation": ("generation", Kind.NUMBER),
    "detection_count": ("detection_count", Kind.NUMBER),
    "top_confidence": ("top_confidence", Kind.NUMBER),
    "created_at": ("created_at", Kind.DATETIME),
    "updated_at": ("updated_at", Kind.DATETIME),
}
_OF_DETECTION: dict[str, tuple[str, Kind]] = {
    "class": ("object_class__name", Kind.TEXT),
    "confidence": ("confidence", Kind.NUMBER),
    "rank": ("rank", Kind.NUMBER),
    "bbox.x": ("cx", Kind.NUMBER),
    "bbox.y": ("cy", Kind.NUMBER),
    "bbox.w": ("w", Kind.NUMBER),
    "bbox.h": ("h", Kind.NUMBER),
    "decided_label": ("decided_label", Kind.TEXT),
    "decided_class": ("decided_class__name", Kind.TEXT),
    "revision": ("revision", Kind.NUMBER),
    "extractor_version": ("extractor_version__version", Kind.TEXT),
}
_FREE_OF_DETECTION = ("class_scores", "extra", "enrichment")
LARGEST_RANK = 10_000


def document_id(prefix: str = "") -> Any:
    """A document's public id, as an expression."""
    return Concat(Value("doc_"), F(f"{prefix}slug"), output_field=TextField())


def detection_id() -> Any:
    """A detection's public id, as an expression."""
    ordinal = Cast("ordinal", TextField())
    return Concat(Value("doc_"), F("document__slug"), Value("_det_"), ordinal, output_field=TextField())


def resolver(unit: str) -> Resolve:
    """Where each field stands in a query of documents, or of detections. Raises InvalidInput for a wrong name."""

    def resolve(field: str) -> Column:
        head, _, rest = field.partition(".")
        if head == "detections":
            which, inner = _which(field, rest)
            return _of_detections(unit, which, inner)
        own = _own(field) if unit == Unit.DETECTION else None
        return own or _of_document(unit, field)

    return resolve


def value_of(unit: str, field: str) -> Any:
    """A field's one value as an expression, to sort and to group by.

    Raises InvalidInput for `detections.*.…` of documents, which has many.
    """
    head, _, rest = field.partition(".")
    if head != "detections":
        return resolver(unit)(field).value
    which, inner = _which(field, rest)
    if which is None and unit == Unit.DETECTION:
        return _detection_column(inner).value
    if which is None:
        raise InvalidInput(
            f"{field} has many values. Name one detection, as in detections.0.{inner}, or search with unit detection.",
            field=field,
        )
    return Subquery(_ranked(unit, which).values(one=_detection_column(inner).value)[:1])


def _which(field: str, rest: str) -> tuple[int | None, str]:
    """The rank that a name speaks of, None for any, and the detection's field."""
    place, _, inner = rest.partition(".")
    if (
        place != "*" and not (place.isascii() and place.isdecimal() and int(place) <= LARGEST_RANK)
    ) or not inner:
        raise InvalidInput(
            f"{field!r} names no field of a detection. Write detections.0.confidence for the surest, or "
            "detections.*.confidence for any.",
            field=field,
        )
    return (None if place == "*" else int(place)), inner


def _of_detections(unit: str, which: int | None, inner: str) -> Column:
    column = _detection_column(inner)
    if which is None and unit == Unit.DETECTION:
        return column
    if which == 0 and inner == "confidence":
        # Kept on the document: no look at its detections.
        return _of_document(unit, "top_confidence")

    def within(condition: Q) -> Q:
        if which is None:
            rows = Detection.objects.filter(document=OuterRef("pk"), current=True)
        else:
            rows = _ranked(unit, which)
        return Q(Exists(rows.filter(condition)))

    return Column(column.path, column.kind, column.keys, within, column.blank)


def _ranked(unit: str, rank: int) -> Any:
    document = "document_id" if unit == Unit.DETECTION else "pk"
    return Detection.objects.filter(document=OuterRef(document), current=True, rank=rank)


def _detection_column(field: str) -> Column:
    found = _own(field)
    if found is None:
        raise InvalidInput(
            f"A detection has no field {field!r}. It has {', '.join(sorted(_OF_DETECTION))}, document_id, "
            f"{', '.join(f'{name}.…' for name in _FREE_OF_DETECTION)}.",
            field=field,
        )
    return found


def _own(field: str) -> Column | None:
    """A detection's own field, in a query of detections."""
    if field in _OF_DETECTION:
        path, kind = _OF_DETECTION[field]
        return Column(path, kind, blank=field == "decided_label")
    if field == "document_id":
        return Column(detection_id(), Kind.TEXT)
    head, _, rest = field.partition(".")
    if head in _FREE_OF_DETECTION and rest:
        return Column(head, Kind.JSON, tuple(rest.split(".")))
    return None


def _of_document(unit: str, field: str) -> Column:
    prefix = "document__" if unit == Unit.DETECTION else ""
    if field in _OF_DOCUMENT:
        path, kind = _OF_DOCUMENT[field]
        return Column(prefix + path, kind)
    if field in {"document_id", "parent_document_id"}:
        return Column(document_id(prefix), Kind.TEXT)
    return Column(f"{prefix}metadata", Kind.JSON, tuple(field.removeprefix("metadata.").split(".")))
