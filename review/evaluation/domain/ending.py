"""How an evaluation ends."""

from __future__ import annotations

from django.db import transaction

from mixcv.kernel.events import Happening, publish
from mixcv.kernel.holding import close
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
    with transaction.atomic():
        kept = close(row.job_id, state, error, owner=owner, unless_held=unless_held)
        if kept is None:
            return False
        payload = {"evaluation_id": row.public_id, "status": state, "error": kept}
        publish(
            namespace_id=row.namespace_id,
            actor=row.actor,
            happenings=[Happening(f"evaluation.{_WORDS[state]}", row.public_id, payload)],
        )
    return True
