"""The first page of a namespace: how far it is round the loop, what to do next, and what runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from extraction.runs.models import Batch
from mixcv.kernel.jobs import Work, describe_jobs
from mixcv.tenancy.addresses import address, address_if_there
from mixcv.tenancy.context import counts_of
from mixcv.tenancy.models import Namespace, Role
from mixcv.tenancy.queries import at_least, finished_jobs, live_jobs
from mixcv.tenancy.request import AppRequest
from review.home.ideas import Step, ideas
from review.home.panels import VersionRow, quality_over_time, queue_rows, version_rows
from review.home.reading import state_of, waiting_first
from review.home.rows import rows_of
from review.home.stages import Stage, stages
from review.home.values import Place
from review.queues.models import Queue, QueueItem

THUMBS = 5
LATELY = 5
MOST_LIVE = 5
MOST_QUEUES = 8
MORE_IDEAS = 2


@dataclass(frozen=True)
class Linked:
    """A stage, a step or a version with the address of its page, empty where there is none."""

    what: Stage | Step | VersionRow
    href: str


@require_GET
def home(request: AppRequest) -> HttpResponse:
    namespace = request.namespace
    request.session["namespace"] = namespace.pk
    queues, rows = waiting_first(namespace), rows_of(namespace)
    state = state_of(
        namespace,
        rows,
        queues,
        user=request.user,
        manages=at_least(request.role, Role.MANAGER),
        waiting=counts_of(request, namespace).get("review", 0),
    )
    steps = [one for one in _linked(namespace, ideas(state)) if one.href]
    live, lately = _jobs(namespace)
    context = {
        "here": "home",
        "stages": _linked(namespace, stages(state)),
        "step": steps[0],
        "more": steps[1 : 1 + MORE_IDEAS],
        "thumbs": _thumbs(namespace, queues, steps[0].what),
        "quality": quality_over_time(namespace, rows, state),
        "versions": _linked(namespace, version_rows(rows, state)),
        "gate_lacks": _gate_lacks(state.lines),
        "queues": queue_rows(queues[:MOST_QUEUES], _at_work(namespace)),
        "live": live,
        "lately": lately,
    }
    return render(request, "review/home/home.html", context)


@require_GET
def running(request: AppRequest) -> HttpResponse:
    """The list of what runs alone; asks for itself again while something does."""
    rows = live_jobs(request.namespace)[:MOST_LIVE]
    return render(request, "review/home/_running.html", {"live": describe_jobs(request.namespace, rows)})


def _jobs(namespace: Namespace) -> tuple[list[Work], list[Work]]:
    """What runs, and what was over last."""
    live = list(live_jobs(namespace)[:MOST_LIVE])
    described = describe_jobs(namespace, [*live, *finished_jobs(namespace)[:LATELY]])
    return described[: len(live)], described[len(live) :]


def _linked(namespace: Namespace, things: Any) -> list[Linked]:
    return [Linked(one, _address(namespace, one.at)) for one in things]


def _address(namespace: Namespace, at: Place | None) -> str:
    return address_if_there(namespace, at.name, *at.args) if at else ""


def _thumbs(namespace: Namespace, queues: Sequence[Queue], step: Any) -> list[str]:
    """Addresses of pictures of the first boxes that the step is about: one look into the queue's index."""
    queue = next((one for one in queues if step.queue and one.public_id == step.queue.ref), None)
    if queue is None:
        return []
    items = QueueItem.objects.filter(queue=queue, state=QueueItem.State.WAITING)
    found = []
    for image, detection in items.order_by("score", "id").values_list("image", "detection")[:THUMBS]:
        if detection:
            found.append(f"{address(namespace, 'image-crop', image)}?detection={detection}&size=96")
        else:
            found.append(address(namespace, "image-thumb", image))
    return found


def _gate_lacks(lines: Any) -> list[str]:
    for line in lines:
        if line.candidate is not None and line.candidate.gate is not None and not line.candidate.gate.open:
            return [f"{line.candidate.name}: {words}" for words in line.candidate.gate.lacks[:2]]
    return []


def _at_work(namespace: Namespace) -> set[int]:
    live = Batch.objects.filter(namespace=namespace, state__in=[Batch.State.OPEN, Batch.State.PROCESSING])
    return {key for key in live.values_list("collections", flat=True) if key is not None}
