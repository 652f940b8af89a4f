"""Pages of datasets: what there is, what a version would take and leave, building and downloading."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mixcv.kernel.errors import Conflict, DomainError, NotFound
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs
from review.datasets import domain
from review.datasets.export import FORMATS
from review.datasets.forms import DatasetForm, PolicyForm, shown
from review.datasets.models import Dataset, DatasetInclude
from review.datasets.policy import Policy
from review.datasets.queries import (
    TITLES,
    WHY,
    Plan,
    datasets_of,
    get_dataset,
    get_extractor,
    get_version,
    holdout_to_complete,
    left_out,
    plan_of,
    versions_of,
)
from review.datasets.responses import zip_response

SHOWN = 30
WALL = 48
HERE = "datasets"


@require_http_methods(["GET", "POST"])
def datasets(request: AppRequest) -> HttpResponse:
    """The namespace's datasets, and a form for a new one."""
    form = DatasetForm(request.POST or None, namespace=request.namespace, initial=shown(Policy().as_json()))
    if request.method == "POST" and form.is_valid() and (made := _make(request, form)):
        return redirect(address(request.namespace, "dataset", made.public_id))
    rows = datasets_of(request.namespace).order_by("name", "pk")
    page = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    context = {"here": HERE, "form": form, "page": page}
    return render(request, "review/datasets/datasets.html", context, status=422 if form.errors else 200)


def _make(request: AppRequest, form: DatasetForm) -> Dataset | None:
    if not at_least(request.role, Role.MANAGER):
        form.add_error(None, "Only managers and admins make datasets.")
        return None
    try:
        return domain.create_dataset(
            namespace=request.namespace,
            extractor=get_extractor(request.namespace, form.cleaned_data["extractor"].name),
            name=form.cleaned_data["name"],
            policy=form.policy(),
            by=actor_of(request),
        )
    except DomainError as error:
        form.add_error("name" if error.field == "dataset_name" else None, error.message)
        return None


@require_GET
def dataset(request: AppRequest, dataset: str) -> HttpResponse:
    """One dataset: its plan, its versions, its policy."""
    row = _dataset(request, dataset)
    form = PolicyForm(initial=shown(row.policy), namespace=request.namespace)
    return _page(request, row, form)


def _page(request: AppRequest, row: Dataset, form: PolicyForm) -> HttpResponse:
    plan, problem = _plan(row)
    context = {
        "here": HERE,
        "dataset": row,
        "plan": plan,
        "problem": problem,
        "to_complete": holdout_to_complete(row.extractor),
        "page": Paginator(versions_of(row), SHOWN).get_page(request.GET.get("page")),
        "formats": FORMATS,
        "form": form,
    }
    return render(request, "review/datasets/dataset.html", context, status=422 if form.errors else 200)


def _plan(row: Dataset) -> tuple[Plan | None, str]:
    """The plan, or why there is none: a bucket of the policy may be gone."""
    try:
        plan = plan_of(row)
    except NotFound as error:
        return None, error.message
    return plan, plan.refusal


@require_POST
@needs(Role.MANAGER)
def policy(request: AppRequest, dataset: str) -> HttpResponse:
    row = _dataset(request, dataset)
    form = PolicyForm(request.POST, namespace=request.namespace)
    if not form.is_valid():
        return _page(request, row, form)
    try:
        domain.update_policy(dataset=row, changes=form.policy(), by=actor_of(request))
    except DomainError as error:
        form.add_error(None, error.message)
        return _page(request, row, form)
    messages.success(request, "The policy is changed. Versions that are built stay as they are.")
    return redirect(address(request.namespace, "dataset", row.public_id))


@require_POST
@needs(Role.MANAGER)
def build(request: AppRequest, dataset: str) -> HttpResponse:
    row = _dataset(request, dataset)
    try:
        version = domain.build_version(dataset=row, by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(
            request,
            f"Version {version.number} is built: {version.image_count:,} images with {version.box_count:,} boxes.",
        )
    return redirect(address(request.namespace, "dataset", row.public_id))


@require_POST
@needs(Role.MANAGER)
def delete(request: AppRequest, dataset: str) -> HttpResponse:
    row = _dataset(request, dataset)
    try:
        domain.delete_dataset(dataset=row, by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(address(request.namespace, "dataset", row.public_id))
    messages.success(request, f"{row.name} is deleted.")
    return redirect(address(request.namespace, "datasets"))


@require_POST
@needs(Role.MANAGER)
def delete_version(request: AppRequest, dataset: str, version: int) -> HttpResponse:
    row = _dataset(request, dataset)
    try:
        domain.delete_version(version=get_version(row, version), by=actor_of(request))
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"Version {version} is deleted.")
    return redirect(address(request.namespace, "dataset", row.public_id))


@require_GET
def export(request: AppRequest, dataset: str, version: int) -> HttpResponseBase:
    """`?format=yolo|coco`: the zip, streamed."""
    row = get_version(_dataset(request, dataset), version)
    return zip_response(row, request.GET.get("format", "yolo"))


@require_GET
def images(request: AppRequest, dataset: str, rule: str) -> HttpResponse:
    """The images that a rule takes or leaves now."""
    row = _dataset(request, dataset)
    if rule not in TITLES:
        raise Http404(f"There is no rule {rule}.")
    text = request.GET.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 6 else 1
    number = max(number, 1)
    found = left_out(row, rule, limit=WALL + 1, offset=(number - 1) * WALL)
    plan, _ = _plan(row)
    planned = next((one for one in plan.rows if one.rule == rule), None) if plan else None
    context = {
        "here": HERE,
        "dataset": row,
        "rule": rule,
        "title": TITLES[rule],
        "why": WHY[rule],
        "planned": planned,
        "images": found[:WALL],
        "previous": number - 1,
        "next": number + 1 if len(found) > WALL else 0,
    }
    return render(request, "review/datasets/images.html", context)


@require_POST
@needs(Role.MANAGER)
def include(request: AppRequest, dataset: str) -> HttpResponse:
    """Add one image by hand, as a hard negative where it shows no object."""
    row = _dataset(request, dataset)
    key = request.POST.get("image", "")
    kind = request.POST.get("kind", DatasetInclude.Kind.ADD)
    keys = [int(key)] if key.isascii() and key.isdigit() and len(key) < 19 else []
    try:
        domain.include_images(dataset=row, image_ids=keys, kind=kind, by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "The image is added.")
    return redirect(address(request.namespace, "dataset", row.public_id))


@require_POST
@needs(Role.MANAGER)
def add_image(request: AppRequest) -> HttpResponse:
    """Add one image to a dataset from the picture's own page, and go back there."""
    row = _dataset(request, request.POST.get("dataset", ""))
    key = request.POST.get("image", "")
    if not (key.isascii() and key.isdigit() and len(key) < 19):
        raise Http404("There is no such image.")
    kind = request.POST.get("kind", DatasetInclude.Kind.ADD)
    try:
        domain.include_images(dataset=row, image_ids=[int(key)], kind=kind, by=actor_of(request))
    except NotFound as error:
        raise Http404(error.message) from None
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"The picture is added to {row.name}.")
    return redirect(address(request.namespace, "image-of", int(key)))


def _dataset(request: AppRequest, ref: str) -> Dataset:
    return get_dataset(request.namespace, ref)
