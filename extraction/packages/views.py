"""Pages of detectors' versions and of the model registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from extraction.packages import domain, presenters
from extraction.packages.domain.next_version import next_number
from extraction.packages.forms import ModelForm
from extraction.packages.models import ExtractorVersion, RegistryModel
from extraction.packages.queries import (
    Registered,
    collections_using,
    extractors_of,
    get_model,
    get_version,
    history_of,
    models_needed,
    registry_page,
    version_before,
)
from mixcv.kernel.errors import DomainError, InvalidInput
from mixcv.tenancy.addresses import address, address_if_there
from mixcv.tenancy.models import Namespace, Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs

SHOWN_DEPLOYMENTS = 10
SHOWN_CHANGES = 10


def versions_context(namespace: Namespace) -> dict[str, Any]:
    """What the table of versions shows; the page of detectors includes it."""
    extractors = list(extractors_of(namespace))
    deploying = any(v.state == v.State.DEPLOYING for e in extractors for v in e.versions.all())
    return {"extractors": extractors, "deploying": deploying}


@require_safe
def versions(request: AppRequest) -> HttpResponse:
    """The table of versions alone; asks for itself again while one is being deployed."""
    return render(request, "extraction/packages/_versions.html", versions_context(request.namespace))


@require_safe
def detector(request: AppRequest, version: str) -> HttpResponse:
    """One version: what it is, what it writes, how its deployments went."""
    row = get_version(request.namespace, version)
    context = {
        "here": "detectors",
        "version": row,
        "features": presenters.features(row),
        "models": models_needed(row),
        "collections": collections_using(row),
        "deployments": list(row.deployments.all()[:SHOWN_DEPLOYMENTS]),
        "history": list(history_of(row.extractor)[:SHOWN_CHANGES]),
        "before": version_before(row.extractor) if row.extractor.production_id == row.pk else None,
    }
    return render(request, "extraction/packages/detector.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Role.MANAGER)
def upload(request: AppRequest) -> HttpResponse:
    """Take a package's zip; its faults are listed on the page."""
    context: dict[str, Any] = {"here": "detectors", "faults": []}
    if request.method == "POST":
        file = request.FILES.get("file")
        try:
            row = _taken(request, file)
            messages.success(request, f"{row} is here. Deploy it next.")
            return redirect(address(request.namespace, "detector", row.public_id))
        except DomainError as error:
            faults = error.faults if isinstance(error, domain.InvalidPackage) else [error.message]
            context |= {"faults": faults, "name": file.name if file else "Nothing"}
    status = 422 if context["faults"] else 200
    return render(request, "extraction/packages/upload.html", context, status=status)


def _taken(request: AppRequest, file: UploadedFile[Any] | None) -> ExtractorVersion:
    if file is None:
        raise InvalidInput("Choose a zip with a package first.", field="file")
    return domain.add_package(namespace=request.namespace, file=file, by=actor_of(request))


@require_POST
@needs(Role.MANAGER)
def promote(request: AppRequest, version: str) -> HttpResponse:
    """Put a version into production; a gate that is closed says why, and where one sees it."""
    row = get_version(request.namespace, version)
    try:
        domain.promote(version=row, by=actor_of(request), reason=request.POST.get("reason", "")[:1000])
    except domain.GateClosed as refused:
        context = {"here": "detectors", "version": row, **_refusal(request.namespace, row, refused)}
        return render(request, "extraction/packages/refused.html", context, status=refused.status)
    messages.success(request, f"{row} is in production.")
    return redirect(address(request.namespace, "detectors"))


def _refusal(namespace: Namespace, row: ExtractorVersion, refused: domain.GateClosed) -> dict[str, Any]:
    """The checks, and the comparison that they speak of, where there is one already."""
    checks = refused.details.get("checks", [])
    measured = refused.details.get("evaluation_id")
    page = address_if_there(namespace, "compare", measured) if measured else ""
    start = address_if_there(namespace, "versions")
    return {
        "checks": checks or [{"passed": False, "text": refused.message}],
        "compare": f"{page}?{urlencode({'new': row.public_id})}" if page else "",
        "start": f"{start}?{urlencode({'new': row.public_id})}#start" if start else "",
    }


@require_POST
@needs(Role.MANAGER)
def roll_back(request: AppRequest, version: str) -> HttpResponse:
    """From the version in production to the one before it."""
    row = get_version(request.namespace, version)
    before = domain.roll_back(
        extractor=row.extractor, by=actor_of(request), reason=request.POST.get("reason", "")[:1000]
    )
    messages.success(request, f"{before} is in production again.")
    return redirect(address(request.namespace, "detector", before.public_id))


@require_POST
@needs(Role.MANAGER)
def change_version(request: AppRequest, version: str, verb: str) -> HttpResponse:
    verbs: dict[str, tuple[Callable[..., object], str]] = {
        "deploy": (domain.deploy, "is being deployed"),
        "undeploy": (domain.undeploy, "is not deployed any more"),
        "retire": (domain.retire, "is retired"),
        "delete": (domain.delete_version, "is deleted"),
    }
    if verb not in verbs:
        raise Http404
    row = get_version(request.namespace, version)
    name = str(row)
    if verb == "delete":
        _confirmed(request, row.public_id)
    call, said = verbs[verb]
    call(version=row, by=actor_of(request))
    messages.success(request, f"{name} {said}.")
    return redirect(address(request.namespace, "detectors"))


@require_http_methods(["GET", "HEAD", "POST"])
def models(request: AppRequest) -> HttpResponse:
    """The registry; POST adds weights."""
    form = ModelForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        made = _add_model(request, form)
        if made:
            messages.success(request, f"{made} is here. Deploy it next.")
            return redirect(address(request.namespace, "models"))
    context = {"here": "models", "form": form, **_models(request.namespace)}
    return render(request, "extraction/packages/models.html", context, status=422 if form.errors else 200)


def _add_model(request: AppRequest, form: ModelForm) -> RegistryModel | None:
    if not at_least(request.role, Role.MANAGER):
        form.add_error(None, "Only managers and admins add weights.")
        return None
    try:
        return domain.add_model(namespace=request.namespace, by=actor_of(request), **form.cleaned_data)
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return None


@require_safe
def models_state(request: AppRequest) -> HttpResponse:
    """The registry's table alone; asks for itself again while a model is being deployed."""
    return render(request, "extraction/packages/_models.html", _models(request.namespace))


def _models(namespace: Namespace) -> dict[str, Any]:
    rows: list[Registered] = registry_page(namespace)
    return {"rows": rows, "deploying": any(r.model.state == r.model.State.DEPLOYING for r in rows)}


@require_POST
@needs(Role.MANAGER)
def change_model(request: AppRequest, model: str, verb: str) -> HttpResponse:
    row = get_model(request.namespace, model)
    if verb == "deploy":
        domain.deploy_model(model=row, by=actor_of(request))
        messages.success(request, f"{row.public_id} is being deployed.")
    elif verb == "delete":
        _confirmed(request, row.public_id)
        domain.delete_model(model=row, by=actor_of(request))
        messages.success(request, f"{model} is deleted.")
    else:
        raise Http404
    return redirect(address(request.namespace, "models"))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Role.MANAGER)
def next_version(request: AppRequest, model: str, version: str) -> HttpResponse:
    """The next version of a detector with these weights: first what it would be; by POST made and on its way up."""
    base, weights = get_version(request.namespace, version), get_model(request.namespace, model)
    if request.method != "POST":
        context = {"here": "models", "base": base, "model": weights, "number": next_number(base)}
        context["loads"] = [one for one in models_needed(base) if one != weights.public_id]
        return render(request, "extraction/packages/next_version.html", context)
    made = domain.next_version_from_model(
        version=base,
        model=weights,
        new_version=request.POST.get("number") or None,
        deploy=True,
        by=actor_of(request),
    )
    messages.success(request, f"{made} with {weights.public_id} is being deployed.")
    return redirect(address(request.namespace, "detector", made.public_id))


def _confirmed(request: AppRequest, name: str) -> None:
    if request.POST.get("confirm", "").strip() != name:
        raise InvalidInput(f"Type {name} to delete it. Nothing was deleted.", field="confirm")
