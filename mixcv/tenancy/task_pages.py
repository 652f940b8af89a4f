"""The page of tasks: all long work of a namespace, what runs first; and each task as other pages show it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from mixcv.kernel.jobs import describe_jobs, job_kinds
from mixcv.kernel.models import Job
from mixcv.tenancy.addresses import address
from mixcv.tenancy.domain import cancel_job
from mixcv.tenancy.models import Role
from mixcv.tenancy.queries import finished_jobs, live_jobs
from mixcv.tenancy.request import AppRequest, actor_of, needs

A_PAGE = 30
MOST_LIVE = 50
# What one asks for, in words, and the states that it means; "live" is the list above the others.
SHOWN: dict[str, tuple[str, list[str]]] = {
    "live": ("Running", []),
    "done": ("Done", [Job.State.COMPLETED, Job.State.COMPLETED_WITH_ERRORS]),
    "failed": ("Failed", [Job.State.FAILED]),
    "stopped": ("Stopped", [Job.State.CANCELED]),
}


@require_GET
def tasks(request: AppRequest) -> HttpResponse:
    """Live work first, then what is over, newest first. `?state=` and `?kind=` narrow."""
    template = "tenancy/tasks.html" + ("#lists" if request.htmx and not request.htmx.boosted else "")
    return render(request, template, _context(request))


@require_GET
def task(request: AppRequest, task: str) -> HttpResponse:
    """One task: its fragment for the page that shows it, a page of its own when opened by hand."""
    job = _job(request, task)
    work = describe_jobs(request.namespace, [job])[0]
    if not request.htmx:
        return render(request, "tenancy/task.html", {"here": "tasks", "work": work})
    answer = render(request, "frame/_task.html", {"work": work, "polls": True})
    if job.is_over:
        answer.headers["HX-Trigger"] = "task-over"
    return answer


@require_POST
@needs(Role.MANAGER)
def cancel(request: AppRequest, task: str) -> HttpResponse:
    """Ask a task to stop, and go back to the page that showed it."""
    job = _job(request, task)
    work = describe_jobs(request.namespace, [job])[0]
    if job.is_over:
        messages.info(request, f"{work.about.title} is over already.")
    else:
        cancel_job(job=job, by=actor_of(request))
        messages.success(request, f"{work.about.title} is being stopped. What it has done stays.")
    back = request.META.get("HTTP_REFERER", "")
    allowed = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if allowed else address(request.namespace, "tasks"))


def _context(request: AppRequest) -> dict[str, Any]:
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    state = state if state in SHOWN else ""
    kinds = [(one.name, one.words) for one in job_kinds]
    kind = kind if kind in dict(kinds) else ""
    page = _finished(request, state, kind)
    live: list[Job] = []
    if state in {"", "live"} and page.number == 1:
        live = list(live_jobs(request.namespace, kind)[:MOST_LIVE])
    described = describe_jobs(request.namespace, [*live, *page.object_list])
    return {
        "here": "tasks",
        "live": described[: len(live)],
        "finished": described[len(live) :],
        "page": page,
        "state": state,
        "kind": kind,
        "kinds": kinds,
        "states": [(name, words) for name, (words, _) in SHOWN.items()],
        "asked": urlencode({name: value for name, value in (("state", state), ("kind", kind)) if value}),
    }


def _finished(request: AppRequest, state: str, kind: str) -> Page[Job]:
    rows = finished_jobs(request.namespace, kind)
    if state:
        # Of what runs none is over.
        rows = rows.filter(state__in=SHOWN[state][1])
    return Paginator(rows, A_PAGE).get_page(request.GET.get("page"))


def _job(request: AppRequest, ref: str) -> Job:
    job = Job.objects.filter(namespace_id=request.namespace.pk, public_id=ref.replace("\x00", "?")).first()
    if job is None:
        raise Http404("There is no such task here.")
    return job
