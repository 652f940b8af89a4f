"""Pages of detectors, collections and batches."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from extraction.packages.views import versions_context
from extraction.runs import domain
from extraction.runs.forms import CollectionForm
from extraction.runs.models import Batch, Collection
from extraction.runs.queries import (
    batch_progress,
    batches_of,
    collections_of,
    failed_items,
    progress_of,
    sources_of,
)
from mixcv.kernel.errors import DomainError
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs

SHOWN = 30


@require_http_methods(["GET", "POST"])
def detectors(request: AppRequest) -> HttpResponse:
    """Extractors with their versions, collections, and a form for a new collection."""
    form = CollectionForm(
        request.POST or None, namespace=request.namespace, chosen_bucket=request.GET.get("bucket", "")
    )
    if request.method == "POST" and form.is_valid():
        made = _make_collection(request, form)
        if made:
            return redirect(address(request.namespace, "collection", made.public_id))
    context: dict[str, Any] = {
        "here": "detectors",
        "form": form,
        "collections": list(collections_of(request.namespace)),
        **versions_context(request.namespace),
    }
    return render(request, "extraction/runs/detectors.html", context, status=422 if form.errors else 200)


def _make_collection(request: AppRequest, form: CollectionForm) -> Collection | None:
    if not at_least(request.role, Role.MANAGER):
        form.add_error(None, "Only managers and admins make collections.")
        return None
    data = form.cleaned_data
    try:
        return domain.create_collection(
            namespace=request.namespace,
            name=data["name"],
            version=data["version"],
            buckets=[data["bucket"]],
            by=actor_of(request),
        )
    except DomainError as error:
        form.add_error("name" if error.field == "collection_name" else None, error.message)
        return None


@require_GET
def collection(request: AppRequest, collection: str) -> HttpResponse:
    row = _collection(request, collection)
    latest = list(batches_of(request.namespace).filter(collections=row)[:8])
    progress = progress_of(latest)
    batches = [(one, progress[one.pk]) for one in latest]
    sources = sources_of(row)
    context = {
        "here": "detectors",
        "collection": row,
        "batches": batches,
        "running": any(not one.is_over for one in latest),
        "sources": sources,
        "all_done": bool(sources) and not any(behind for _, behind in sources),
        "queues": row.queues.all(),  # type: ignore[attr-defined,unused-ignore]
    }
    return render(request, "extraction/runs/collection.html", context)


@require_POST
@needs(Role.MANAGER)
def start_batch(request: AppRequest, collection: str) -> HttpResponse:
    """A batch over all of one source bucket."""
    row = _collection(request, collection)
    bucket = get_object_or_404(row.buckets.all(), public_id=request.POST.get("bucket", ""))
    batch = domain.create_batch(
        bucket=bucket,
        collections=[row],
        name=f"{bucket.name} through {row.name}",
        dedup=request.POST.get("dedup", Batch.Dedup.SKIP),
        by=actor_of(request),
    )
    domain.submit_batch(batch=batch, by=actor_of(request))
    return redirect(address(request.namespace, "batch", batch.public_id))


@require_GET
def batches(request: AppRequest) -> HttpResponse:
    page = Paginator(batches_of(request.namespace), SHOWN).get_page(request.GET.get("page"))
    return render(request, "extraction/runs/batches.html", {"here": "batches", "batches": page})


@require_GET
def batch(request: AppRequest, batch: str) -> HttpResponse:
    return render(request, "extraction/runs/batch.html", _batch_context(request, batch))


@require_GET
def batch_live(request: AppRequest, batch: str) -> HttpResponse:
    """The part of the page that changes; asks for itself again until the batch is over."""
    return render(request, "extraction/runs/_batch_live.html", _batch_context(request, batch))


def _batch_context(request: AppRequest, ref: str) -> dict[str, Any]:
    row = _batch(request, ref)
    return {
        "here": "batches",
        "batch": row,
        "progress": batch_progress(row),
        "failed": failed_items(row),
        "collections": list(row.collections.all()),
    }


@require_POST
@needs(Role.MANAGER)
def retry(request: AppRequest, batch: str) -> HttpResponse:
    row = _batch(request, batch)
    number = domain.retry_failed(batch=row, by=actor_of(request))
    messages.success(request, f"{number} failed item{'' if number == 1 else 's'} back to work.")
    return redirect(address(request.namespace, "batch", row.public_id))


@require_POST
@needs(Role.MANAGER)
def cancel(request: AppRequest, batch: str) -> HttpResponse:
    row = _batch(request, batch)
    domain.cancel_batch(batch=row, by=actor_of(request))
    messages.success(request, f"{row} is stopped. What it found stays.")
    return redirect(address(request.namespace, "batch", row.public_id))


def _collection(request: AppRequest, ref: str) -> Collection:
    rows = Collection.objects.select_related("extractor_version__extractor").prefetch_related("buckets")
    return get_object_or_404(rows, namespace=request.namespace, public_id=ref)


def _batch(request: AppRequest, ref: str) -> Batch:
    rows = Batch.objects.select_related("bucket", "job").prefetch_related("collections__queues")
    return get_object_or_404(rows, namespace=request.namespace, public_id=ref)
