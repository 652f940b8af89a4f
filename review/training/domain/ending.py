"""The end of a run that made no version, told once."""

from __future__ import annotations

import shutil

from django.db import transaction

from mixcv.kernel.events import Happening, publish
from mixcv.kernel.holding import close
from mixcv.kernel.models import Job
from review.training.folder import folder_of, folders
from review.training.models import TrainingRun

_UNKNOWN_KEPT_S = 86400.0
_WORDS: dict[str, str] = {Job.State.FAILED: "failed", Job.State.CANCELED: "canceled"}


def end_run(
    run: TrainingRun, state: str, error: str, *, owner: str | None = None, unless_held: bool = False
) -> bool:
    """Close a run that is not over; False where it was over, or is not `owner`'s any more.

    `unless_held`: only where no worker holds it.
    """
    with transaction.atomic():
        kept = close(run.job_id, state, error, owner=owner, unless_held=unless_held)
        if kept is None:
            return False
        publish(
            namespace_id=run.namespace_id,
            actor=run.actor,
            happenings=[
                Happening(f"training_run.{_WORDS[state]}", run.public_id, {"status": state, "error": kept})
            ],
        )
    shutil.rmtree(folder_of(run.public_id), ignore_errors=True)
    return True


def forget_folders() -> None:
    """Remove the folders of runs that are over, whose worker was killed before it did, and of runs that are deleted."""
    ages = folders()
    rows = TrainingRun.objects.filter(public_id__in=ages).select_related("job")
    over = {row.public_id: row.job.is_over for row in rows}
    for name, age in ages.items():
        if over.get(name, age > _UNKNOWN_KEPT_S):
            shutil.rmtree(folder_of(name), ignore_errors=True)
