"""A batch as a task of the API."""

from __future__ import annotations

from extraction.runs.domain import cancel_batch
from extraction.runs.models import Batch
from extraction.runs.presenters import TASK_TYPE
from mixcv.kernel.jobs import JobKind
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor


def _cancel(job: Job, by: Actor) -> None:
    batch = Batch.objects.filter(job=job).first()
    if batch is not None and not batch.is_over:
        cancel_batch(batch=batch, by=by)


BATCH = JobKind("batch", TASK_TYPE, _cancel)
