"""An evaluation as a task of the API."""

from __future__ import annotations

from collections.abc import Sequence

from mixcv.kernel.jobs import Described, JobKind
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.addresses import address_if_there
from mixcv.tenancy.models import Namespace
from review.evaluation.domain import KIND, cancel_evaluation
from review.evaluation.models import Evaluation
from review.evaluation.queries import evaluations_of


def _cancel(job: Job, by: Actor) -> None:
    row = Evaluation.objects.select_related("job").filter(job=job).first()
    if row is not None and not row.job.is_over:
        cancel_evaluation(evaluation=row, by=by)


def _describe(namespace: Namespace, jobs: Sequence[Job]) -> dict[int, Described]:
    rows = evaluations_of(namespace).filter(job__in=jobs)
    return {
        row.job_id: Described(
            f"Evaluate {row.extractor.name} on {row.dataset_version}",
            address_if_there(namespace, "compare", row.public_id),
            "images",
            " · ".join(one.extractor_version.version for one in row.versions.all()),
        )
        for row in rows
    }


EVALUATION = JobKind(KIND, "api_evaluations_run", _cancel, _describe)
