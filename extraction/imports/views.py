"""Pages of imports: sending a zip, watching it, and what was wrong in it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from extraction.imports import domain
from extraction.imports.domain.counting import Counts
from extraction.imports.models import ImportFault, TruthImport
from extraction.imports.queries import faults_of, get_import
from extraction.intake.models import Bucket
from extraction.intake.queries import bucket_page
from mixcv.kernel.errors import DomainError, NotFound
from mixcv.tenancy.addresses import address
from mixcv.tenancy.domain import cancel_job
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs

FAULTS_A_PAGE = 50
_SHOWN = {"lost": [ImportFault.Cost.LEFT_OUT, ImportFault.Cost.HIDDEN], "look": [ImportFault.Cost.KEPT]}


@require_POST
@needs(Role.MANAGER)
def start(request: AppRequest, bucket: str) -> HttpResponse:
    """Take a zip and go to the import's page; what is no such zip is said on the bucket's."""
    found = bucket_page(request.namespace, bucket)
    file = request.FILES.get("file")
    if file is None:
        messages.error(request, "Choose a zip with pictures and their labels first.")
        return redirect(address(request.namespace, "bucket", bucket))
    try:
        row = domain.import_zip(
            bucket=found, file=file, by=actor_of(request), format=request.POST.get("format", "auto")
        )
    except DomainError as error:
        messages.error(request, f"{file.name} was not taken. {error.message}")
        return redirect(address(request.namespace, "bucket", bucket))
    return redirect(address(request.namespace, "truth-import", bucket, row.public_id))


@require_safe
def report(request: AppRequest, bucket: str, ref: str) -> HttpResponse:
    """The import's page; for HTMX only what changes while it runs."""
    found, row = _import(request, bucket, ref)
    template = "extraction/imports/report.html"
    if request.htmx and not request.htmx.boosted:
        template += "#live"
    return render(request, template, _context(request, found, row, bucket))


@require_POST
@needs(Role.MANAGER)
def stop(request: AppRequest, bucket: str, ref: str) -> HttpResponse:
    _, row = _import(request, bucket, ref)
    cancel_job(job=row.job, by=actor_of(request))
    messages.success(request, f"{row} is being stopped. What it brought stays.")
    return redirect(address(request.namespace, "truth-import", bucket, row.public_id))


def _import(request: AppRequest, bucket: str, ref: str) -> tuple[Bucket, TruthImport]:
    found = bucket_page(request.namespace, bucket)
    try:
        return found, get_import(found, ref)
    except NotFound as error:
        raise Http404(error.message) from None


def _context(request: AppRequest, found: Bucket, row: TruthImport, slug: str) -> dict[str, Any]:
    show = request.GET.get("show", "")
    faults = faults_of(row)
    if show in _SHOWN:
        faults = faults.filter(cost__in=_SHOWN[show])
    return {
        "here": "images",
        "bucket": found,
        "slug": slug,
        "import": row,
        "job": row.job,
        "counts": Counts.of(row),
        "show": show if show in _SHOWN else "",
        "faults": Paginator(faults, FAULTS_A_PAGE).get_page(request.GET.get("page")),
        "may_add": at_least(request.role, Role.MANAGER),
    }
