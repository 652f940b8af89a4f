"""Pages of versions: how good each is, two against each other, the images behind a figure, and production."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from extraction.packages import domain as packages
from extraction.packages.queries import get_version
from mixcv.kernel.errors import DomainError, NotFound
from mixcv.kernel.jobs import describe_jobs
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs
from review.datasets.queries import get_extractor
from review.evaluation import domain
from review.evaluation.forms import EvaluationForm, ReasonForm
from review.evaluation.gatepanel import panel_of
from review.evaluation.models import Evaluation
from review.evaluation.overview import cards_of, holdout_collection
from review.evaluation.page import by_class, curve_page, finding, matrix_of, measures_of
from review.evaluation.queries import OVER, comparison_of, evaluations_of, get_evaluation, show
from review.evaluation.wall import Asked, Pair, asked_of, images_of, pair_of, shots_of

HERE = "versions"
SHOWN = 15
WALL = 24
CHANGED = 6


@require_http_methods(["GET", "POST"])
def versions(request: AppRequest) -> HttpResponse:
    """All versions with their figures, evaluations, and a form for a new one. `?old=&new=` choose its versions."""
    form = EvaluationForm(request.POST or None, namespace=request.namespace)
    if request.method == "POST" and form.is_valid() and (row := _start(request, form)):
        return redirect(address(request.namespace, "compare", row.public_id))
    if request.method == "GET":
        form.initial.update(form.usual([request.GET.get("old", ""), request.GET.get("new", "")]))
    page = Paginator(evaluations_of(request.namespace), SHOWN).get_page(request.GET.get("page"))
    live = {
        work.job.pk: work
        for work in describe_jobs(request.namespace, [r.job for r in page if not r.job.is_over])
    }
    context = {
        "here": HERE,
        "form": form,
        "page": page,
        "evaluations": [(row, live.get(row.job_id)) for row in page],
        "cards": cards_of(request.namespace),
        "may_act": at_least(request.role, Role.MANAGER),
    }
    if not form.held:
        context["collection"] = holdout_collection(request.namespace)
    template = "review/evaluation/versions.html" + _part(request, "evaluations")
    return render(request, template, context, status=422 if form.errors else 200)


def _start(request: AppRequest, form: EvaluationForm) -> Evaluation | None:
    if not at_least(request.role, Role.MANAGER):
        form.add_error(None, "Only managers and admins start evaluations.")
        return None
    held, chosen = form.chosen()
    try:
        return domain.start_evaluation(
            namespace=request.namespace,
            dataset_version=held,
            versions=chosen,
            threshold=form.cleaned_data["threshold"],
            by=actor_of(request),
        )
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return None


def _part(request: AppRequest, *names: str) -> str:
    """`#name` where HTMX asks for that part of the page."""
    target = str(getattr(request.htmx, "target", "") or "")
    return f"#{target}" if request.htmx and not request.htmx.boosted and target in names else ""


@require_GET
def compare(request: AppRequest, evaluation: str) -> HttpResponse:
    """One evaluation: two of its versions against each other, or while it runs how far it is."""
    row = _evaluation(request, evaluation)
    context: dict[str, Any] = {"here": HERE, "evaluation": row, "job": row.job}
    if row.job.state not in OVER:
        return render(request, "review/evaluation/waiting.html", context)
    pair = pair_of(row, request.GET.get("old", ""), request.GET.get("new", ""))
    part = _part(request, "matrix", "curves")
    context |= {"pair": pair, "here_url": address(request.namespace, "compare", row.public_id)}
    context |= _asked_parts(request, pair)
    if not part:
        context |= _whole(request, pair)
    return render(request, f"review/evaluation/compare.html{part}", context)


def _asked_parts(request: AppRequest, pair: Pair) -> dict[str, Any]:
    """What tabs and pickers of the page change alone."""
    which, picked = request.GET.get("matrix", "new"), request.GET.get("curve", "")
    matrix, curves = matrix_of(pair, which), curve_page(pair, picked)
    kept = {"matrix": matrix.which} if matrix.which != "new" else {}
    return {
        "matrix": matrix,
        "curves": curves,
        "kept_matrix": urlencode(kept),
        "kept_curve": urlencode({"curve": picked} if picked else {}),
        "sides": _sides(pair),
    }


def _sides(pair: Pair) -> list[tuple[str, str]]:
    old = [("old", pair.short(pair.old))] if pair.old else []
    both = [("difference", "Difference")] if pair.old else []
    return [*old, ("new", pair.short(pair.new)), *both]


def _whole(request: AppRequest, pair: Pair) -> dict[str, Any]:
    results = comparison_of(pair.old, pair.new) if pair.old else None
    asked = asked_of(pair, {})
    first = list(images_of(pair, asked)[:CHANGED])
    at = [_image_at(request, pair.row, place, asked) for place in range(1, len(first) + 1)]
    images = results["images"] if results else None
    return {
        "finding": finding(pair, results),
        "measures": measures_of(pair, results),
        "classes": by_class(pair, results),
        "panel": panel_of(
            request.namespace, pair.new.extractor_version, pair.old.extractor_version if pair.old else None
        ),
        "shots": shots_of(show(first, pair.new, pair.old), at),
        "changed": images["better"] + images["worse"] if images else None,
        "images": images,
        "resamples": results["resamples"] if results else None,
        "names": [(one, pair.name(one)) for one in pair.row.versions.all()],
        "may_act": at_least(request.role, Role.MANAGER),
        "may_override": at_least(request.role, Role.ADMIN),
        "warnings": list(dict.fromkeys(_warnings(pair))),
    }


def _warnings(pair: Pair) -> list[str]:
    found = []
    for side in filter(None, (pair.old, pair.new)):
        found += side.metrics["warnings"]
        if failed := side.metrics["failed_images"]:
            names = ", ".join(f"{one['file_name']} ({one['error']})" for one in side.metrics["failed"][:3])
            found.append(
                f"{pair.name(side)} could not read {failed:,} image{'' if failed == 1 else 's'}, which count as images "
                f"without boxes: {names}{' …' if failed > 3 else ''}"
            )
    return found


def _image_at(request: AppRequest, row: Evaluation, place: int, asked: Asked) -> str:
    return f"{address(request.namespace, 'compare-image', row.public_id, place)}?{asked.query}"


def _evaluation(request: AppRequest, ref: str) -> Evaluation:
    try:
        return get_evaluation(request.namespace, ref)
    except NotFound as error:
        raise Http404(error.message) from None


def _question(request: AppRequest, evaluation: str) -> tuple[Pair, Asked]:
    """The evaluation, its two versions, and which images. 404 for what it does not know or has not measured."""
    row = _evaluation(request, evaluation)
    if row.job.state not in OVER:
        raise Http404("This evaluation has no images to show yet.")
    pair = pair_of(row, request.GET.get("old", ""), request.GET.get("new", ""))
    try:
        return pair, asked_of(pair, request.GET.dict())
    except NotFound as error:
        raise Http404(error.message) from None


@require_GET
def compare_images(request: AppRequest, evaluation: str) -> HttpResponse:
    """The images behind a cell, a class or a point of a curve; without any the most changed."""
    pair, asked = _question(request, evaluation)
    page = Paginator(images_of(pair, asked), WALL).get_page(request.GET.get("page"))
    start = page.start_index()
    at = [_image_at(request, pair.row, start + place, asked) for place in range(len(page.object_list))]
    context = {
        "here": HERE,
        "pair": pair,
        "asked": asked,
        "page": page,
        "shots": shots_of(show(list(page.object_list), pair.new, pair.old), at),
        "back": _back(request, pair),
        "sides": _sides(pair),
    }
    return render(request, "review/evaluation/images.html", context)


def _back(request: AppRequest, pair: Pair) -> str:
    return f"{address(request.namespace, 'compare', pair.row.public_id)}?{pair.query}"


@require_GET
def compare_image(request: AppRequest, evaluation: str, place: int) -> HttpResponse:
    """One of these images, large; `place` from 1 in their order."""
    pair, asked = _question(request, evaluation)
    rows = images_of(pair, asked)
    total = rows.count()
    if not 1 <= place <= total:
        raise Http404("There are not so many images.")
    shown = show([rows[place - 1]], pair.new, pair.old)
    context = {
        "here": HERE,
        "pair": pair,
        "asked": asked,
        "shot": shots_of(shown, [""])[0],
        "place": place,
        "total": total,
        "before": _image_at(request, pair.row, place - 1, asked) if place > 1 else "",
        "after": _image_at(request, pair.row, place + 1, asked) if place < total else "",
        "wall": f"{address(request.namespace, 'compare-images', pair.row.public_id)}?{asked.query}",
        "wall_page": (place - 1) // WALL + 1,
        "back": _back(request, pair),
        "sides": _sides(pair),
    }
    return render(request, "review/evaluation/image.html", context)


@require_POST
@needs(Role.MANAGER)
def promote(request: AppRequest, version: str) -> HttpResponse:
    """Put a version into production; `override` though its gate is closed, with a reason."""
    row = get_version(request.namespace, version)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The reason may have 1,000 letters.")
        return _came_from(request)
    try:
        packages.promote(
            version=row,
            by=actor_of(request),
            reason=form.cleaned_data["reason"],
            override=form.cleaned_data["override"],
        )
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{row} is in production.")
    return _came_from(request)


@require_POST
@needs(Role.MANAGER)
def roll_back(request: AppRequest, extractor: str) -> HttpResponse:
    """Put the version that served before into production again."""
    row = get_extractor(request.namespace, extractor)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        before = packages.roll_back(extractor=row, by=actor_of(request), reason=reason)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{before} is in production again.")
    return _came_from(request)


def _came_from(request: AppRequest) -> HttpResponse:
    """Back to the page that asked, which shows the gate and what serves now."""
    back = request.META.get("HTTP_REFERER", "")
    allowed = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if allowed else address(request.namespace, HERE))
