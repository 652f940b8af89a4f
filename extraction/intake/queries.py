"""Reads of intake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef, Q, QuerySet, Sum
from django.http import Http404

from extraction.intake.models import Bucket, Object
from mixcv.kernel.errors import NotFound
from mixcv.tenancy.models import Namespace

_PANEL_IMAGES = 6


def get_bucket(namespace: Namespace, ref: str) -> Bucket:
    """A bucket by id or name. Raises NotFound, with the names that there are."""
    # NUL is in no name, and PostgreSQL refuses it.
    ref = ref.replace("\x00", "?")
    found = list(
        Bucket.objects.filter(Q(public_id=ref) | Q(name=ref), namespace=namespace).select_related(
            "namespace"
        )[:2]
    )
    if not found:
        raise NotFound(f"There is no bucket {ref[:200]!r} in {namespace.name}.", field="bucket_id")
    # An id names one bucket; a name that is another's id does not win over it.
    return next((bucket for bucket in found if bucket.public_id == ref), found[0])


def bucket_page(namespace: Namespace, slug: str) -> Bucket:
    """A bucket by the last part of its page's address. Raises Http404."""
    found = (
        Bucket.objects.filter(namespace=namespace, public_id=f"bkt_{slug}")
        .select_related("namespace")
        .first()
    )
    if found is None:
        raise Http404(f"There is no bucket {slug!r} in {namespace.name}.")
    return found


def objects_of(bucket: Bucket, search: str = "") -> QuerySet[Object]:
    """A bucket's objects, newest first, with what a list of them shows."""
    rows = Object.objects.filter(bucket=bucket).select_related("image__original").order_by("-id")
    # NUL is in no name, and PostgreSQL refuses it.
    return rows.none() if "\x00" in search else rows.filter(key__icontains=search) if search else rows


def buckets_of(namespace: Namespace, search: str = "") -> QuerySet[Bucket]:
    rows = Bucket.objects.filter(namespace=namespace).order_by("name", "id")
    if "\x00" in search:
        return rows.none()
    if search:
        rows = rows.filter(
            Q(name__icontains=search) | Q(public_id__icontains=search) | Q(description__icontains=search)
        )
    return rows


@dataclass(frozen=True)
class Mark:
    """What is known about an object: `kind` is detected, pending, failed or new; of its truth whole or partial."""

    kind: str
    text: str


def under_way(bucket: Bucket) -> bool:
    """Whether something in the bucket is fetched or detected now, or waits for it."""
    # Batches and collections belong to a later room; the rows are reached from the bucket.
    return (
        bucket.batches.filter(state__in=["OPEN", "PROCESSING"]).exists()
        or bucket.contents.filter(state=Object.State.PENDING).exists()
    )


def watching_names(bucket: Bucket) -> list[str]:
    """The names of the collections that detect what comes into the bucket."""
    return list(bucket.collections.filter(enabled=True).order_by("name").values_list("name", flat=True))


def collections_watching(bucket: Bucket) -> list[Any]:
    """Those collections, each with `behind`: how many of the bucket's images it has not detected."""
    ready = bucket.contents.filter(state=Object.State.READY).count()
    seen = Count("documents", filter=Q(documents__object__bucket=bucket))
    rows = bucket.collections.filter(enabled=True).order_by("name")
    return list(rows.annotate(behind=ready - seen))


def newest_images(rows: Sequence[Bucket]) -> dict[int, list[int]]:
    """The keys of each bucket's newest images, in one query."""
    newest = (
        Object.objects.filter(bucket=OuterRef("pk"), image__isnull=False).order_by("-id").values("image_id")
    )
    found = Bucket.objects.filter(pk__in=[row.pk for row in rows]).annotate(
        newest=ArraySubquery(newest[:_PANEL_IMAGES])
    )
    return dict(found.values_list("pk", "newest"))


def marks_of(rows: Sequence[Object]) -> dict[int, Mark]:
    """A mark for each object, in two queries whatever their number."""
    keys = [row.pk for row in rows]
    documents = Object.objects.filter(pk__in=keys, documents__isnull=False).values_list("pk")
    boxes = dict(documents.annotate(boxes=Sum("documents__detection_count")))
    live = Object.objects.filter(pk__in=keys, items__state__in=["PENDING", "RUNNING", "FAILED"])
    work: dict[int, dict[str, str]] = {}
    for key, state, reason in live.values_list("pk", "items__state", "items__reason"):
        work.setdefault(key, {})[state] = reason
    return {row.pk: _mark(row, boxes.get(row.pk), work.get(row.pk, {})) for row in rows}


def truth_of(rows: Sequence[Object]) -> dict[int, Mark]:
    """What is known to be on the objects' images, in one query: `whole` or `partial`; nothing without truth."""
    known = Object.objects.filter(pk__in=[row.pk for row in rows], image__review__isnull=False)
    counted = known.annotate(
        boxes=Count("image__truth", filter=~Q(image__truth__state="removed") & Q(image__truth__isnull=False))
    )
    words = {"complete": "complete", "verified_empty": "verified empty", "partial": "not complete"}
    found = {}
    for key, state, boxes in counted.values_list("pk", "image__review__completeness", "boxes"):
        if state == "verified_empty" or boxes:
            number = f"{boxes:,} true box{'' if boxes == 1 else 'es'}, " if boxes else ""
            kind = "whole" if state in {"complete", "verified_empty"} else "partial"
            found[key] = Mark(kind, f"{number}{words.get(state, 'not complete')}")
    return found


def _mark(row: Object, boxes: int | None, work: dict[str, str]) -> Mark:
    if row.state == Object.State.FAILED:
        return Mark("failed", row.error)
    if row.state == Object.State.PENDING:
        return Mark("pending", "Being fetched")
    if "PENDING" in work or "RUNNING" in work:
        return Mark("pending", "Waits to be detected")
    if boxes is not None:
        return Mark("detected", f"{boxes} box" if boxes == 1 else f"{boxes} boxes")
    if "FAILED" in work:
        return Mark("failed", work["FAILED"])
    return Mark("new", "Not detected yet")
