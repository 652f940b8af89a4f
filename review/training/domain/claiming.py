"""Who trains: one run per device at a time, held by a lease."""

from __future__ import annotations

import secrets
import socket
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from mixcv.kernel.models import Job
from review.training.domain.ending import end_run
from review.training.models import TrainingRun
from review.training.settings import Settings

MOST_ATTEMPTS = 5


def claim(run: TrainingRun) -> str:
    """Take the run for this worker's device; gives the lease's owner, empty where it is not to be had.

    Not while another run holds the device, and not after too many attempts: that ends it.
    """
    place = f"{socket.gethostname()[:60]}/{Settings(**run.settings).target}/"
    owner = place + secrets.token_hex(8)
    now = timezone.now()
    free = Q(state=Job.State.PENDING) | Q(state=Job.State.RUNNING, lease_until__lt=now)
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two workers of one device queue up here, so that only one of them finds it free.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 3))", [place])
        busy = TrainingRun.objects.filter(
            job__state=Job.State.RUNNING, job__lease_until__gte=now, job__lease_owner__startswith=place
        )
        if busy.exclude(pk=run.pk).exists():
            return ""
        changes: dict[str, Any] = {
            "state": Job.State.RUNNING,
            "lease_owner": owner,
            "lease_until": until(),
            "attempt": F("attempt") + 1,
            "started_at": Coalesce("started_at", now),
            "rate": 0,
        }
        if not Job.objects.filter(free, pk=run.job_id).update(**changes):
            return ""
    run.job.refresh_from_db()
    if run.job.attempt > MOST_ATTEMPTS:
        end_run(
            run,
            Job.State.FAILED,
            f"The training was begun {MOST_ATTEMPTS} times and its worker went away each time. Look at the worker's "
            "log; a smaller batch or image size needs less memory.",
            owner=owner,
        )
        return ""
    return owner


def renew(job_id: int, owner: str) -> bool:
    """False where the run is another worker's now."""
    mine = Job.objects.filter(pk=job_id, lease_owner=owner, state=Job.State.RUNNING)
    return bool(mine.update(lease_until=until()))


def until() -> datetime:
    return timezone.now() + timedelta(seconds=settings.MIXCV_LEASE_SECONDS)
