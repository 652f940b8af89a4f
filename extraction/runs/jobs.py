"""A batch as a task of the API."""

from __future__ import annotations

from collections.abc import Sequence

from extraction.runs.domain import cancel_batch
from extraction.runs.models import Batch
from extraction.runs.presenters import TASK_TYPE
from extraction.runs.queries import waits_for
from mixcv.kernel.jobs import Described, JobKind
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Namespace


def _cancel(job: Job, by: Actor) -> None:
    batch = Batch.objects.filter(job=job).first()
    if batch is not None and not batch.is_over:
        cancel_batch(batch=batch, by=by)


def _describe(namespace: Namespace, jobs: Sequence[Job]) -> dict[int, Described]:
    rows = list(Batch.objects.filter(namespace=namespace, job__in=jobs).select_related("bucket"))
    over = {job.pk for job in jobs if job.is_over}
    stuck = waits_for([row.pk for row in rows if row.job_id not in over])
    return {
        row.job_id: Described(
            f"Detect in {row.bucket.name}" if not row.name else row.name,
            address(namespace, "batch", row.public_id),
            "images",
            waits=f"waits for {stuck[row.pk]}" if row.pk in stuck else "",
        )
        for row in rows
        if row.job_id is not None
    }


BATCH = JobKind("batch", TASK_TYPE, _cancel, _describe)
