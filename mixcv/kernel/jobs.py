"""Kinds of long work: what the API calls each, and how it is stopped. The apps that own the work say so at start-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mixcv.kernel.models import Job
from mixcv.kernel.registry import Registry


@dataclass(frozen=True)
class JobKind:
    """`task_type` is the API's word. `cancel` is called with the job and the actor; without one the job's worker
    looks at `cancel_requested` by itself."""

    name: str
    task_type: str
    cancel: Callable[[Job, Any], None] | None = None


job_kinds: Registry[JobKind] = Registry("job kinds")


def kind_of(job: Job) -> JobKind:
    found = next((kind for kind in job_kinds if kind.name == job.kind), None)
    return found or JobKind(job.kind, "engine_object_processing")
