"""The images pages: buckets, what is in one, and putting more in."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from extraction.intake.domain import Outcome, create_bucket
from extraction.intake.forms import BucketForm
from extraction.intake.models import Bucket, Object
from extraction.intake.queries import (
    bucket_page,
    buckets_of,
    collections_watching,
    marks_of,
    newest_images,
    objects_of,
    truth_of,
    under_way,
    watching_names,
)
from extraction.intake.uploads import add_files
from mixcv.kernel.errors import DomainError, Forbidden
from mixcv.tenancy.addresses import address, address_if_there
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs

_BUCKETS_A_PAGE = 24
_IMAGES_A_PAGE = 60
_STATES = {"waiting": Object.State.PENDING, "failed": Object.State.FAILED}


@require_http_methods(["GET", "HEAD", "POST"])
def images(request: AppRequest) -> HttpResponse:
    """All buckets; POST makes one."""
    may_add = at_least(request.role, Role.MANAGER)
    form = BucketForm(request.POST or None)
    if request.method == "POST":
        if not may_add:
            raise Forbidden("Making a bucket needs the role Manager.")
        if form.is_valid():
            try:
                made = create_bucket(namespace=request.namespace, by=actor_of(request), **form.cleaned_data)
                return redirect(address(request.namespace, "bucket", slug_of(made)))
            except DomainError as error:
                form.add_error("split_key" if error.field == "split_key" else "name", error.message)
    page = Paginator(buckets_of(request.namespace).order_by("-updated_at", "id"), _BUCKETS_A_PAGE).get_page(
        request.GET.get("page")
    )
    newest = newest_images(list(page))
    panels = [{"bucket": row, "slug": slug_of(row), "newest": newest[row.pk]} for row in page]
    context = {"here": "images", "page": page, "panels": panels, "form": form, "may_add": may_add}
    return render(request, "extraction/intake/images.html", context, status=422 if form.errors else 200)


@require_safe
def bucket(request: AppRequest, bucket: str) -> HttpResponse:
    """The wall of a bucket's images; for HTMX only the wall."""
    found = bucket_page(request.namespace, bucket)
    context = _wall(request, found)
    if request.htmx and not request.htmx.boosted:
        # A wall that asks whether anything is new is left alone where nothing is.
        if request.GET.get("seen") == context["stamp"]:
            return HttpResponse(status=204)
        return render(request, "extraction/intake/bucket.html#wall", context)
    return render(
        request, "extraction/intake/bucket.html", context | _watchers(request, found, context["under_way"])
    )


@require_POST
@needs(Role.MANAGER)
def upload(request: AppRequest, bucket: str) -> HttpResponse:
    """Take files in. Scripts, which ask for JSON, get each file's outcome; a form gets the page with them."""
    found = bucket_page(request.namespace, bucket)
    files = request.FILES.getlist("files")
    outcomes = add_files(
        bucket=found,
        files=files,
        names=request.POST.getlist("names"),
        by=actor_of(request),
        skip_duplicates=True,
    )
    report = _report(request, found, outcomes)
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse(report)
    if files and not report["errors"]:
        messages.success(request, _summary(report))
        return redirect(address(request.namespace, "bucket", slug_of(found)))
    if not files:
        report["errors"] = [{"name": "No file", "message": "Choose one or more images, then press Upload."}]
    found = bucket_page(request.namespace, bucket)
    context = _wall(request, found)
    context |= _watchers(request, found, context["under_way"])
    context |= {"report": report, "summary": _summary(report)}
    return render(request, "extraction/intake/bucket.html", context, status=200 if report["created"] else 422)


def slug_of(row: Bucket) -> str:
    """What stands for the bucket in its page's address."""
    return row.public_id.removeprefix("bkt_")


def _wall(request: AppRequest, found: Bucket) -> dict[str, Any]:
    search = request.GET.get("search", "").strip()[:200]
    state = request.GET.get("state", "")
    rows = objects_of(found, search)
    if state in _STATES:
        rows = rows.filter(state=_STATES[state])
    number = _page_number(request)
    start = (number - 1) * _IMAGES_A_PAGE
    shown = list(rows[start : start + _IMAGES_A_PAGE + 1])
    more, shown = len(shown) > _IMAGES_A_PAGE, shown[:_IMAGES_A_PAGE]
    marks, truth = marks_of(shown), truth_of(shown)
    waits = under_way(found)
    seen = [(row.pk, row.image_id, marks[row.pk].text, truth.get(row.pk)) for row in shown]
    stamp = _stamp(found, seen, waits)
    query = {"search": search, "state": state, "page": str(number), "seen": stamp}
    return {
        "here": "images",
        "bucket": found,
        "slug": slug_of(found),
        "tiles": [{"object": row, "mark": marks[row.pk], "truth": truth.get(row.pk)} for row in shown],
        "search": search,
        "state": state if state in _STATES else "",
        "number": number,
        "first": start + 1,
        "last": start + len(shown),
        "previous": number - 1,
        "next": number + 1 if more else 0,
        "filtered": bool(search) or state in _STATES,
        "under_way": waits,
        "stamp": stamp,
        "again": f"?{urlencode(query)}",
        "may_add": at_least(request.role, Role.MANAGER),
        # Imports belong to a later room, as collections do.
        "last_import": found.truth_imports.order_by("-pk").first(),
    }


def _stamp(found: Bucket, shown: list[tuple[Any, ...]], waits: bool) -> str:
    """Changes whenever a wall or its head would look different."""
    seen = repr((found.object_count, found.total_bytes, shown, waits))
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _watchers(request: AppRequest, found: Bucket, waits: bool) -> dict[str, Any]:
    """Which collections detect what comes in, which of them have not seen all that is there, and how to make one."""
    watching = collections_watching(found)
    # While a batch runs over the bucket, or opens, its images are on their way.
    behind = [] if waits else [one for one in watching if one.behind > 0]
    return {"watching": watching, "behind": behind, "make": _make_address(request, found)}


def _make_address(request: AppRequest, found: Bucket) -> str:
    """Where a collection over the bucket is made."""
    page = address_if_there(request.namespace, "detectors")
    return f"{page}?{urlencode({'bucket': found.public_id})}#collections"


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _report(request: AppRequest, found: Bucket, outcomes: list[Outcome]) -> dict[str, Any]:
    report: dict[str, Any] = {
        "created": sum(outcome.status == "created" for outcome in outcomes),
        "duplicates": sum(outcome.status == "duplicate" for outcome in outcomes),
        "errors": [{"name": one.name, "message": one.error.message} for one in outcomes if one.error],
        "detects": "",
        "batch": "",
        "make": "",
    }
    if report["created"]:
        watching = watching_names(found)
        report["detects"] = (
            f"{' and '.join(watching)} will detect the new images."
            if watching
            else "No collection watches this bucket yet, so nothing detects them."
        )
        if not watching:
            report["make"] = _make_address(request, found)
        batch = found.batches.filter(automatic=True).order_by("-pk").first() if watching else None
        if batch:
            report["batch"] = address_if_there(request.namespace, "batch", batch.public_id)
    return report


def _summary(report: dict[str, Any]) -> str:
    words = [f"{report['created']:,} added"]
    if report["duplicates"]:
        words.append(f"{report['duplicates']:,} were there already")
    if report["errors"]:
        words.append(f"{len(report['errors']):,} refused")
    return f"{', '.join(words)}. {report['detects']}".strip()
