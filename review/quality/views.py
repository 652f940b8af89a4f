"""The quality page: how boxes were judged, what that says of the detector, and the vocabulary of labels."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from extraction.runs.models import Collection
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.request import AppRequest, actor_of, needs
from review.quality.page import BY_WEEK_FROM, DEFAULT_WINDOW, WINDOWS, Asking, quality_of
from review.verdicts.domain import define_label, own_labels, remove_label
from review.verdicts.models import Annotation


@require_GET
def quality(request: AppRequest) -> HttpResponse:
    """`?days=`, `?by=day|week`, `?collection=`; what is none of the choices is the usual one."""
    collections = list(Collection.objects.filter(namespace=request.namespace).order_by("name"))
    asking = _asking(request, collections)
    shown = quality_of(request.namespace, asking)
    context = {
        "here": "quality",
        "quality": shown,
        "asking": asking,
        "windows": WINDOWS,
        "collections": collections,
        "labels": list(own_labels(request.namespace)),
        "older": not shown.total
        and Annotation.objects.filter(namespace=request.namespace, deleted_at=None).exists(),
    }
    return render(request, "review/quality/quality.html", context)


def _asking(request: AppRequest, collections: list[Collection]) -> Asking:
    text = request.GET.get("days", "")
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else DEFAULT_WINDOW
    days = days if days in WINDOWS else DEFAULT_WINDOW
    by = request.GET.get("by", "")
    if by not in {"day", "week"}:
        by = "week" if days >= BY_WEEK_FROM else "day"
    ref = request.GET.get("collection", "")
    chosen = next((one for one in collections if ref in {one.public_id, one.name}), None)
    return Asking(days, by, chosen)


@require_POST
@needs(Role.MANAGER)
def add_label(request: AppRequest) -> HttpResponse:
    define_label(
        namespace=request.namespace,
        name=request.POST.get("label", ""),
        description=request.POST.get("description", "")[:500],
        by=actor_of(request),
    )
    return redirect(f"{address(request.namespace, 'quality')}#labels")


@require_POST
@needs(Role.MANAGER)
def drop_label(request: AppRequest) -> HttpResponse:
    remove_label(namespace=request.namespace, name=request.POST.get("label", ""), by=actor_of(request))
    return redirect(f"{address(request.namespace, 'quality')}#labels")
