"""Kinds of long work: what the API calls each, and how it is stopped. The apps that own the work say so at start-up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mixcv.kernel.models import Job
from mixcv.kernel.registry import Registry


@dataclass(frozen=True)
class Described:
    """A job for people: what it does, the page that shows it, and what its numbers count ("images", "batches")."""

    title: str
    href: str = ""
    unit: str = ""
    detail: str = ""


@dataclass(frozen=True)
class JobKind:
    """`task_type` is the API's word. `cancel` is called with the job and the actor; without one the job's worker
    looks at `cancel_requested` by itself. `describe` is called with the namespace and its jobs of this kind, all at
    once, and answers by the job's key."""

    name: str
    task_type: str
    cancel: Callable[[Job, Any], None] | None = None
    describe: Callable[[Any, Sequence[Job]], dict[int, Described]] | None = None


job_kinds: Registry[JobKind] = Registry("job kinds")


def kind_of(job: Job) -> JobKind:
    found = next((kind for kind in job_kinds if kind.name == job.kind), None)
    return found or JobKind(job.kind, "engine_object_processing")
