"""Pages of training: what ran, a form to start, and one run while it goes on."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mixcv.kernel.errors import DomainError, NotFound
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs
from review.datasets.models import DatasetVersion
from review.training import domain
from review.training.forms import TrainingForm
from review.training.models import TrainingRun
from review.training.page import collection_of, curves_of, lineage_of, samples_of
from review.training.queries import get_run, runs_of
from review.training.settings import read_settings

SHOWN = 30
HERE = "training"


@require_http_methods(["GET", "POST"])
def training(request: AppRequest) -> HttpResponse:
    """The namespace's runs, and a form for a new one. `?dataset=` and `?version=` choose what it trains on."""
    form = TrainingForm(request.POST or None, namespace=request.namespace)
    if request.method == "POST" and form.is_valid() and (run := _start(request, form)):
        return redirect(address(request.namespace, "training-run", run.public_id))
    if request.method == "GET":
        form.initial.update(_asked(request, form))
    context = {
        "here": HERE,
        "form": form,
        "page": Paginator(runs_of(request.namespace), SHOWN).get_page(request.GET.get("page")),
        "may_start": at_least(request.role, Role.MANAGER),
    }
    return render(request, "review/training/training.html", context, status=422 if form.errors else 200)


def _asked(request: AppRequest, form: TrainingForm) -> dict[str, Any]:
    """The dataset version of the address, or the newest, and the base of its extractor that is in production."""
    ref, number = request.GET.get("dataset", ""), request.GET.get("version", "")
    rows = form.versions
    chosen: DatasetVersion | None = next(
        (row for row in rows if row.dataset.public_id == ref and str(row.number) == number),
        rows[0] if rows else None,
    )
    if chosen is None:
        return {}
    bases = [row for row in form.bases if row.extractor_id == chosen.dataset.extractor_id]
    base = next((row for row in bases if row.extractor.production_id == row.pk), bases[0] if bases else None)
    return {"dataset_version": chosen.pk, "base_version": base.pk if base else None}


def _start(request: AppRequest, form: TrainingForm) -> TrainingRun | None:
    if not at_least(request.role, Role.MANAGER):
        form.add_error(None, "Only managers and admins train.")
        return None
    data = form.cleaned_data
    try:
        return domain.start_run(
            namespace=request.namespace,
            dataset_version=data["dataset_version"],
            base_version=data["base_version"],
            base_weights=data["base_weights"],
            settings=read_settings(form.settings()),
            by=actor_of(request),
        )
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return None


@require_GET
def training_run(request: AppRequest, run: str) -> HttpResponse:
    """The run's page; for HTMX only what changes while it runs."""
    row = _run(request, run)
    template = "review/training/run.html"
    if request.htmx and not request.htmx.boosted:
        template += "#live"
    return render(request, template, _context(request, row))


def _context(request: AppRequest, row: TrainingRun) -> dict[str, Any]:
    epochs = list(row.epochs.all())
    return {
        "here": HERE,
        "run": row,
        "job": row.job,
        "epochs": epochs,
        "last": epochs[-1] if epochs else None,
        "charts": curves_of(row, epochs) if epochs else [],
        "samples": samples_of(row),
        "lineage": lineage_of(row),
        "collection": collection_of(row),
        "may_act": at_least(request.role, Role.MANAGER),
    }


@require_POST
@needs(Role.MANAGER)
def collection(request: AppRequest, run: str) -> HttpResponse:
    """Detect the same images with the version that the run made."""
    row = _run(request, run)
    try:
        made, _ = domain.collect_with(run=row, by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(address(request.namespace, "training-run", row.public_id))
    return redirect(address(request.namespace, "collection", made.public_id))


def _run(request: AppRequest, ref: str) -> TrainingRun:
    try:
        return get_run(request.namespace, ref)
    except NotFound as error:
        raise Http404(error.message) from None
