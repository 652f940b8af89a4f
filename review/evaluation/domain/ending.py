"""How an evaluation ends."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mixcv.kernel.events import Happening, publish
from mixcv.kernel.models import Job
from review.evaluation.models import Evaluation

_WORDS: dict[str, str] = {
    Job.State.COMPLETED: "completed",
    Job.State.COMPLETED_WITH_ERRORS: "completed",
    Job.State.FAILED: "failed",
    Job.State.CANCELED: "canceled",
}


def end_evaluation(
    row: Evaluation, state: str, error: str, *, unless_held: bool = False, owner: str | None = None
) -> bool:
    """Close an evaluation that is not over, and tell of it. False where it was closed, or is another worker's."""
    jobs = Job.objects.filter(pk=row.job_id, state__in=[Job.State.PENDING, Job.State.RUNNING])
    if unless_held:
        jobs = jobs.filter(Q(lease_until=None) | Q(lease_until__lt=timezone.now()))
    if owner is not None:
        jobs = jobs.filter(lease_owner=owner)
    with transaction.atomic():
        now = timezone.now()
        if not jobs.update(state=state, error=error[:2000], finished_at=now, lease_until=None, rate=0):
            return False
        payload = {"evaluation_id": row.public_id, "status": state, "error": error[:2000]}
        publish(
            namespace_id=row.namespace_id,
            actor=row.actor,
            happenings=[Happening(f"evaluation.{_WORDS[state]}", row.public_id, payload)],
        )
    return True
