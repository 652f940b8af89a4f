"""An evaluation at work: held by one worker, chunk by chunk, then measured."""

from __future__ import annotations

import logging
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from mixcv.kernel.errors import DomainError
from mixcv.kernel.leases import renewed
from mixcv.kernel.models import Job
from review.evaluation.domain.ending import end_evaluation
from review.evaluation.domain.measuring import measure_versions
from review.evaluation.domain.predicting import predict_version
from review.evaluation.models import EvaluatedVersion, Evaluation, ImagePrediction

log = logging.getLogger(__name__)
_MOST_ATTEMPTS = 5


class Lost(Exception):
    """Another worker has the evaluation now; what this one was about to write is not written."""


class Stopped(Exception):
    """Somebody asked for the evaluation to be stopped."""


def run_evaluation(*, key: int) -> None:
    """Do an evaluation, or go on with one that a killed worker left. Safe to call twice: one at a time holds it."""
    owner = secrets.token_hex(8)
    if not _claim(key, owner):
        return
    row = Evaluation.objects.select_related("job", "namespace", "dataset_version").get(pk=key)
    try:
        with renewed(lambda: _renew(row.job_id, owner), every=settings.MIXCV_LEASE_SECONDS / 4):
            _run(row, Holding(row.job_id, owner))
    except Lost:
        log.info("The evaluation %s is another worker's now", row.public_id)
    except Stopped:
        end_evaluation(row, Job.State.CANCELED, "")
    except DomainError as error:
        end_evaluation(row, Job.State.FAILED, error.message, owner=owner)
    except Exception as error:
        log.exception("The evaluation %s broke", row.public_id)
        if row.job.attempt >= _MOST_ATTEMPTS:
            end_evaluation(row, Job.State.FAILED, f"The evaluation broke: {error}", owner=owner)
        raise


class Holding:
    """What one worker may still do with the job that it claimed."""

    def __init__(self, job_id: int, owner: str) -> None:
        self.job_id, self.owner = job_id, owner

    def check(self) -> None:
        """Raises Lost, Stopped."""
        job = Job.objects.values("cancel_requested", "lease_owner", "state").get(pk=self.job_id)
        if job["lease_owner"] != self.owner or job["state"] != Job.State.RUNNING:
            raise Lost
        if job["cancel_requested"]:
            raise Stopped

    def note(self, **values: Any) -> None:
        """Write to the job, in the transaction of what it counts. Raises Lost."""
        mine = Job.objects.filter(pk=self.job_id, lease_owner=self.owner, state=Job.State.RUNNING)
        if not mine.update(lease_until=_until(), **values):
            raise Lost


def _run(row: Evaluation, holding: Holding) -> None:
    versions = EvaluatedVersion.objects.filter(evaluation=row).select_related(
        "extractor_version__extractor", "extractor_version__weights", "extractor_version__archive"
    )
    for evaluated in versions.order_by("position"):
        holding.check()
        predict_version(row, evaluated, holding)
    holding.note(checkpoint={"phase": "measuring"}, rate=0)
    measure_versions(row, holding.check)
    failed = ImagePrediction.objects.filter(evaluated__evaluation=row).exclude(error="").exists()
    state = Job.State.COMPLETED_WITH_ERRORS if failed else Job.State.COMPLETED
    end_evaluation(row, state, "", owner=holding.owner)


def lost_evaluations() -> list[int]:
    """Evaluations whose worker went away or whose message was lost."""
    now = timezone.now()
    before = now - timedelta(seconds=settings.MIXCV_LEASE_SECONDS)
    lost = Q(job__state=Job.State.RUNNING, job__lease_until__lt=now)
    lost |= Q(job__state=Job.State.PENDING, created_at__lt=before)
    rows = list(Evaluation.objects.filter(lost).select_related("job"))
    for row in rows:
        if row.job.attempt >= _MOST_ATTEMPTS and row.job.state == Job.State.RUNNING:
            end_evaluation(
                row, Job.State.FAILED, f"Its worker went away {row.job.attempt} times.", unless_held=True
            )
    return [row.pk for row in rows if row.job.attempt < _MOST_ATTEMPTS]


def _claim(key: int, owner: str) -> bool:
    now = timezone.now()
    free = Q(state=Job.State.PENDING) | Q(state=Job.State.RUNNING, lease_until__lt=now)
    changes: dict[str, Any] = {
        "state": Job.State.RUNNING,
        "lease_owner": owner,
        "lease_until": _until(),
        "attempt": F("attempt") + 1,
        "started_at": Coalesce("started_at", now),
    }
    return bool(Job.objects.filter(free, evaluation=key).update(**changes))


def _renew(job_id: int, owner: str) -> None:
    Job.objects.filter(pk=job_id, lease_owner=owner, state=Job.State.RUNNING).update(lease_until=_until())


def _until() -> datetime:
    return timezone.now() + timedelta(seconds=settings.MIXCV_LEASE_SECONDS)
