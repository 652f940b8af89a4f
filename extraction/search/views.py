"""Pages of retrievers: what there is, making one, running it, and what each run found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from extraction.runs.models import Detection, Document
from extraction.search import domain
from extraction.search.choices import stages_of
from extraction.search.forms import RetrieverForm, RetrieverJsonForm
from extraction.search.models import Execution, Retriever, Unit
from extraction.search.queries import (
    detections_by_key,
    documents_by_key,
    executions_of,
    get_execution,
    get_retriever,
    retrievers_of,
)
from extraction.search.stages import stages
from mixcv.kernel.errors import DomainError
from mixcv.kernel.filters import names_in
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import at_least
from mixcv.tenancy.request import AppRequest, actor_of, needs

SHOWN = 30
WALL = 60
RECENT = 10
HERE = "retrievers"


@dataclass(frozen=True)
class Tile:
    """One hit on the wall: a box with its image, or an image with its boxes."""

    ref: str
    score: float
    image_id: int | None = None
    detection: Detection | None = None
    document: Document | None = None


@dataclass(frozen=True)
class Step:
    """A stage of an execution; `share`: its part of the whole time, 0 to 1."""

    name: str
    kind: str
    taken: int
    given: int
    milliseconds: float
    share: float


@require_http_methods(["GET", "POST"])
def retrievers(request: AppRequest) -> HttpResponse:
    """The namespace's retrievers, and a form for a new one."""
    form = RetrieverForm(request.POST or None, namespace=request.namespace)
    if request.method == "POST" and form.is_valid() and (made := _make(request, form)):
        return redirect(address(request.namespace, "retriever", made.public_id))
    page = Paginator(retrievers_of(request.namespace).order_by("name", "pk"), SHOWN).get_page(
        request.GET.get("page")
    )
    context = {"here": HERE, "form": form, "page": page}
    return render(request, "extraction/search/retrievers.html", context, status=422 if form.errors else 200)


def _make(request: AppRequest, form: RetrieverForm) -> Retriever | None:
    if not at_least(request.role, Role.MANAGER):
        form.add_error(None, "Only managers and admins make retrievers.")
        return None
    data = form.cleaned_data
    try:
        return domain.create_retriever(
            namespace=request.namespace,
            name=data["name"],
            stages=stages_of(data),
            collections=list(data["collections"]),
            by=actor_of(request),
        )
    except DomainError as error:
        form.add_error("name" if error.field == "retriever_name" else None, error.message)
        return None


@require_GET
def retriever(request: AppRequest, retriever: str) -> HttpResponse:
    """One retriever: its stages, a way to run it, and its recent executions."""
    row = get_retriever(request.namespace, retriever)
    recent = executions_of(request.namespace).filter(retriever=row)[:RECENT]
    context = {
        "here": HERE,
        "retriever": row,
        "collections": row.collections.all(),
        "gone": domain.deleted_collections(row),
        "inputs": inputs_of(row),
        "recent": [(one, _steps(one)) for one in recent],
    }
    return render(request, "extraction/search/retriever.html", context)


def inputs_of(row: Retriever) -> list[tuple[str, Mapping[str, Any]]]:
    """What a retriever asks for: its schema's inputs, and those that its templates name."""
    names = dict.fromkeys([*row.input_schema, *names_in(row.stages)])
    return [(name, row.input_schema.get(name, {})) for name in names]


@require_POST
def run(request: AppRequest, retriever: str) -> HttpResponse:
    """Run it, and show what it found."""
    row = get_retriever(request.namespace, retriever)
    try:
        ran = domain.execute(
            namespace=request.namespace,
            plan=domain.plan_of(row),
            inputs=sent_inputs(request, row),
            limit=WALL,
            by=actor_of(request),
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(address(request.namespace, "retriever", row.public_id))
    return redirect(address(request.namespace, "execution", ran.execution.public_id))


def sent_inputs(request: AppRequest, row: Retriever) -> dict[str, Any]:
    """The form's inputs by their types; a number that is none stays a text, which running refuses in words."""
    sent: dict[str, Any] = {}
    for name, wanted in inputs_of(row):
        text = request.POST.get(f"input-{name}", "")
        kind = wanted.get("type", "text")
        if not text and wanted and not wanted.get("required"):
            continue
        sent[name] = _typed(text, kind)
    return sent


def _typed(text: str, kind: str) -> Any:
    try:
        if kind == "integer":
            return int(text)
        if kind in {"number", "float"}:
            return float(text)
    except ValueError:
        return text
    return text.lower() in {"true", "yes", "on", "1"} if kind == "boolean" else text


@require_POST
@needs(Role.MANAGER)
def copy(request: AppRequest, retriever: str) -> HttpResponse:
    """A copy under another name, to be changed next."""
    row = get_retriever(request.namespace, retriever)
    name = request.POST.get("name", "").strip() or f"{row.name} copy"
    try:
        made = domain.clone_retriever(retriever=row, name=name, by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(address(request.namespace, "retriever", row.public_id))
    return redirect(address(request.namespace, "retriever-edit", made.public_id))


@require_http_methods(["GET", "POST"])
@needs(Role.MANAGER)
def edit(request: AppRequest, retriever: str) -> HttpResponse:
    """All of a retriever, with its stages as the API takes them."""
    row = get_retriever(request.namespace, retriever)
    gone = domain.deleted_collections(row)
    now = {
        "name": row.name,
        "description": row.description,
        "unit": row.unit,
        "collections": row.collections.all(),
        "stages": row.stages,
        "input_schema": row.input_schema,
    }
    form = RetrieverJsonForm(request.POST or None, initial=now, namespace=request.namespace, gone=bool(gone))
    if request.method == "POST" and form.is_valid() and _change(request, row, form, bool(gone)):
        messages.success(request, f"{row.name} is changed.")
        return redirect(address(request.namespace, "retriever", row.public_id))
    context = {"here": HERE, "retriever": row, "form": form, "kinds": list(stages)}
    return render(
        request, "extraction/search/retriever_edit.html", context, status=422 if form.errors else 200
    )


def _change(request: AppRequest, row: Retriever, form: RetrieverJsonForm, gone: bool) -> bool:
    changes = dict(form.cleaned_data)
    collections = list(changes.pop("collections"))
    try:
        domain.update_retriever(
            retriever=row,
            changes=changes,
            collections=None if gone and not collections else collections,
            by=actor_of(request),
        )
    except DomainError as error:
        place = (error.field or "").partition(".")[0]
        words = f"{error.field}: {error.message}" if "." in (error.field or "") else error.message
        place = "name" if place == "retriever_name" else place
        form.add_error(place if place in form.fields else None, words)
        return False
    return True


@require_POST
@needs(Role.MANAGER)
def delete(request: AppRequest, retriever: str) -> HttpResponse:
    row = get_retriever(request.namespace, retriever)
    try:
        domain.delete_retriever(retriever=row, by=actor_of(request))
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(address(request.namespace, "retriever", row.public_id))
    messages.success(request, f"{row.name} is deleted. What it found before can still be read.")
    return redirect(address(request.namespace, "retrievers"))


@require_GET
def execution(request: AppRequest, execution: str) -> HttpResponse:
    """What one run found, as a wall, and what each of its stages took, returned and cost."""
    row = get_execution(request.namespace, execution)
    page = Paginator(row.results, WALL).get_page(request.GET.get("page"))
    context = {
        "here": HERE,
        "execution": row,
        "retriever": row.retriever,
        "steps": _steps(row),
        "page": page,
        "tiles": _tiles(row.unit, list(page.object_list)),
    }
    return render(request, "extraction/search/execution.html", context)


def _steps(row: Execution) -> list[Step]:
    longest = max((one["duration_ms"] for one in row.stages), default=0) or 1
    return [
        Step(
            one["stage_name"],
            one.get("stage_id", ""),
            one["input_count"],
            one["output_count"],
            one["duration_ms"],
            one["duration_ms"] / longest,
        )
        for one in row.stages
    ]


def _tiles(unit: str, kept: list[list[Any]]) -> list[Tile]:
    keys = [one[1] for one in kept]
    if unit == Unit.DETECTION:
        boxes = detections_by_key(keys)
        return [
            Tile(one[0], one[2], box.image_id, detection=box)
            if (box := boxes.get(one[1]))
            else Tile(one[0], one[2])
            for one in kept
        ]
    documents = documents_by_key(keys)
    return [
        Tile(one[0], one[2], doc.image_id, document=doc)
        if (doc := documents.get(one[1]))
        else Tile(one[0], one[2])
        for one in kept
    ]
