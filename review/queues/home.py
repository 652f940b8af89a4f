"""The first page of a namespace: what to do next, and what runs."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from extraction.intake.models import Image, Object
from extraction.packages.models import ExtractorVersion
from extraction.runs.models import Batch, Collection, Detection
from extraction.runs.queries import batches_of, progress_of
from mixcv.tenancy.addresses import address, address_if_there
from mixcv.tenancy.models import Namespace
from mixcv.tenancy.request import AppRequest
from review.queues.queries import QueueCard, waiting_queues, waiting_total
from review.verdicts.models import Annotation

LIVE = [Batch.State.OPEN, Batch.State.PROCESSING]


@dataclass(frozen=True)
class Step:
    """The one thing to do next, and why."""

    title: str
    reason: str
    href: str
    action: str
    card: QueueCard | None = None


@require_GET
def home(request: AppRequest) -> HttpResponse:
    namespace = request.namespace
    request.session["namespace"] = namespace.pk
    cards = waiting_queues(namespace)
    totals = _totals(namespace)
    live = _live(namespace)
    context = {
        "here": "home",
        "totals": totals,
        "cards": cards,
        "step": next_step(namespace, cards, totals, bool(live)),
        "live": live,
        "latest": list(batches_of(namespace).exclude(state__in=LIVE)[:5]),
    }
    return render(request, "review/queues/home.html", context)


@require_GET
def running(request: AppRequest) -> HttpResponse:
    """The list of running batches alone; asks for itself again while one runs."""
    return render(request, "review/queues/_running.html", {"live": _live(request.namespace)})


def _live(namespace: Namespace) -> list[tuple[Batch, dict[str, object]]]:
    rows = list(batches_of(namespace).filter(state__in=LIVE)[:5])
    progress = progress_of(rows)
    return [(batch, progress[batch.pk]) for batch in rows]


def _totals(namespace: Namespace) -> dict[str, int]:
    """Counts from stored columns where there are some: this page stays quick at a million detections."""
    sums = Collection.objects.filter(namespace=namespace).aggregate(found=Sum("detection_count"))
    return {
        "images": Image.objects.filter(namespace=namespace).count(),
        "detections": sums["found"] or 0,
        "waiting": waiting_total(namespace.pk)["review"],
        "decided": Annotation.objects.filter(namespace=namespace, deleted_at=None).count(),
        "unread": Object.objects.filter(bucket__namespace=namespace, state=Object.State.FAILED).count(),
    }


def next_step(namespace: Namespace, cards: list[QueueCard], totals: dict[str, int], busy: bool) -> Step:
    """Review what waits; else let detection run; else a detector, images or a collection, whichever is missing."""
    detectors = address(namespace, "detectors")
    if cards and cards[0].waiting:
        card = cards[0]
        what = "doubtful box" if card.queue.doubtful_below else "box"
        boxes = f"1 {what}" if card.waiting == 1 else f"{card.waiting:,} {what}es"
        title = f"Review {boxes} of {card.queue.collection.name}"
        reason = f"The detector gave them less than {card.queue.doubtful_below:.2f}. Least sure first."
        if not card.queue.doubtful_below:
            reason = f"The retriever {card.queue.retriever.name} found them."
        return Step(title, reason, address(namespace, "focus", card.queue.public_id), "Start reviewing", card)
    versions = ExtractorVersion.objects.filter(extractor__namespace=namespace)
    if not versions.filter(state=ExtractorVersion.State.READY).exists():
        failed = versions.filter(state=ExtractorVersion.State.FAILED).first()
        if failed:
            return Step(f"{failed} does not start", failed.error, detectors, "See what to do")
        reason = "No detector is ready yet; nothing is found without one."
        return Step("Deploy a detector", reason, detectors, "See the detectors")
    if busy:
        reason = "Doubtful boxes come here as they are found."
        return Step("Detection is running", reason, address(namespace, "batches"), "Watch it")
    images = address_if_there(namespace, "images") or detectors
    if not totals["images"]:
        return Step(
            "Add the first images", "Put in pictures; each is detected as it comes.", images, "Add images"
        )
    if not Collection.objects.filter(namespace=namespace).exists():
        reason = "A collection runs one detector over a bucket."
        return Step("Make a collection", reason, detectors, "Make a collection")
    if not Detection.objects.filter(collection__namespace=namespace).exists():
        return Step(
            "Run a detector over the images", "None of them is detected yet.", detectors, "Start a batch"
        )
    return Step("All is decided", "No box is in doubt. Add images to find more.", images, "Add images")
