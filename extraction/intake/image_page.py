"""One picture with its boxes: what each collection found on it, what is known to be there, what waits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from extraction.intake.domain import refetch
from extraction.intake.hooks import image_panels
from extraction.intake.models import Image, Object
from extraction.intake.queries import bucket_page, marks_of
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, needs

TRUTH = "truth"
_LABELLED = 60
# About what the picture gets on a page of 1440 × 900; a label is then as large as the page's own text.
_SHOWN_WIDTH, _SHOWN_HEIGHT, _LABEL_HEIGHT = 960, 660, 13


@dataclass(frozen=True)
class DrawnBox:
    """A box as the picture shows it; `was` is the detector's class where a person says another."""

    key: str
    left: float
    top: float
    width: float
    height: float
    name: str
    colour: int
    confidence: float | None = None
    verdict: str = ""
    was: str = ""
    label_at: float = 0.0


@require_safe
def image_page(request: AppRequest, bucket: str, object: str) -> HttpResponse:
    """The picture, its boxes by collection or the ground truth, and all that is known about it."""
    row = _object(request, bucket, object)
    template = "extraction/intake/image.html" + ("#live" if request.htmx and not request.htmx.boosted else "")
    return render(request, template, _context(request, row))


@require_safe
def image_of(request: AppRequest, pk: int) -> HttpResponse:
    """To the page of an image whose object is not at hand: the newest object that it is."""
    row = (
        Object.objects.filter(bucket__namespace=request.namespace, image=pk)
        .select_related("bucket")
        .order_by("-pk")
        .first()
    )
    if row is None:
        raise Http404(f"There is no image {pk} in {request.namespace.name}.")
    query = request.GET.urlencode()
    return redirect(page_of(request, row) + (f"?{query}" if query else ""))


@require_POST
@needs(Role.MANAGER)
def fetch_again(request: AppRequest, bucket: str, object: str) -> HttpResponse:
    """Fetch an object anew whose address did not give a picture."""
    row = _object(request, bucket, object)
    if row.state == Object.State.FAILED and row.source_url:
        refetch(keys=[row.pk])
        messages.success(request, f"{row.key} is fetched again.")
    else:
        messages.error(request, f"{row.key} has nothing to fetch again.")
    return redirect(page_of(request, row))


def page_of(request: AppRequest, row: Object) -> str:
    return address(request.namespace, "image-page", row.bucket.public_id.removeprefix("bkt_"), row.public_id)


def _object(request: AppRequest, bucket: str, ref: str) -> Object:
    found = bucket_page(request.namespace, bucket)
    row = (
        Object.objects.filter(bucket=found, public_id=ref)
        .select_related("image__original", "image__review")
        .first()
    )
    if row is None:
        raise Http404(f"There is no object {ref!r} in {found.name}.")
    row.bucket = found
    return row


def _context(request: AppRequest, row: Object) -> dict[str, Any]:
    # Documents, detections, truth and queues belong to later rooms; the rows are reached from the object.
    documents = list(
        row.documents.select_related("collection__extractor_version__extractor").order_by("collection__name")
    )
    image = row.image
    truth = _truth(image) if image else []
    shown, boxes = _shown(request.GET.get("show", ""), documents, truth)
    newer, older = _beside(row)
    context: dict[str, Any] = {
        "here": "images",
        "object": row,
        "bucket": row.bucket,
        "slug": row.bucket.public_id.removeprefix("bkt_"),
        "image": image,
        "mark": marks_of([row])[row.pk],
        "documents": documents,
        "truth_count": len(truth),
        "shown": shown,
        "boxes": boxes,
        "labelled": len(boxes) <= _LABELLED,
        "queues": _waiting(image) if image else [],
        "panels": [found for panel in image_panels if (found := panel(request, image))] if image else [],
        "newer": newer,
        "older": older,
        "may_fetch": at_least(request.role, Role.MANAGER)
        and row.state == Object.State.FAILED
        and bool(row.source_url),
    }
    if image:
        unit = max(image.width / _SHOWN_WIDTH, image.height / _SHOWN_HEIGHT)
        letters = round(_LABEL_HEIGHT * unit, 3)
        context |= {"letters": letters, "boxes": [_with_label(box, letters, image.height) for box in boxes]}
    return context


def _with_label(box: DrawnBox, letters: float, height: int) -> DrawnBox:
    """The label stands over the box, under it where there is no room, else inside."""
    above, below = box.top - letters * 0.3, box.top + box.height + letters
    at = above if box.top > letters * 1.3 else below if below < height else box.top + letters
    return replace(box, label_at=round(at, 2))


def _shown(wanted: str, documents: list[Any], truth: list[DrawnBox]) -> tuple[str, list[DrawnBox]]:
    """What is drawn: what was asked for, else the first collection that has boxes, else what there is."""
    by_id = {document.collection.public_id: document for document in documents}
    if wanted not in by_id and (wanted != TRUTH or not truth):
        first = next((document for document in documents if document.detection_count), None)
        first = first or next(iter(documents), None)
        wanted = first.collection.public_id if first and (first.detection_count or not truth) else TRUTH
    return wanted, _detected(by_id[wanted]) if wanted in by_id else truth


def _detected(document: Any) -> list[DrawnBox]:
    rows = document.detections.filter(current=True).select_related("object_class", "decided_class")
    return [
        DrawnBox(
            key=f"det-{row.ordinal}",
            left=row.cx - row.w / 2,
            top=row.cy - row.h / 2,
            width=row.w,
            height=row.h,
            name=(row.decided_class or row.object_class).name,
            colour=(row.decided_class or row.object_class).colour,
            confidence=row.confidence,
            verdict=row.decided_label,
            was=row.object_class.name if row.decided_class not in (None, row.object_class) else "",
        )
        for row in rows.order_by("rank", "pk")
    ]


def _truth(image: Image) -> list[DrawnBox]:
    rows = image.truth.exclude(state="removed").select_related("object_class").order_by("pk")
    return [
        DrawnBox(
            key=f"truth-{row.pk}",
            left=row.cx - row.w / 2,
            top=row.cy - row.h / 2,
            width=row.w,
            height=row.h,
            name=row.object_class.name,
            colour=row.object_class.colour,
            verdict="disputed" if row.state == "disputed" else "",
        )
        for row in rows
    ]


def _waiting(image: Image) -> list[dict[str, Any]]:
    """The queues in which boxes of the image wait, with their number."""
    rows = image.queue_items.filter(state="waiting")
    counted = rows.values("queue__public_id", "queue__name", "queue__collection__name").annotate(
        number=Count("pk")
    )
    return [dict(row) for row in counted.order_by("-number", "queue__name")]


def _beside(row: Object) -> tuple[Object | None, Object | None]:
    """The object that came after and the one that came before, as the bucket's wall has them."""
    rows = Object.objects.filter(bucket=row.bucket_id).only("public_id")
    return rows.filter(pk__gt=row.pk).order_by("pk").first(), rows.filter(pk__lt=row.pk).order_by(
        "-pk"
    ).first()
