"""Who trains: one run per device at a time, held by a lease."""

from __future__ import annotations

import re
import secrets
import socket

from django.db import connection, transaction
from django.utils import timezone

from mixcv.kernel.holding import Holding, take
from mixcv.kernel.models import Job
from review.training.domain.ending import end_run
from review.training.models import TrainingRun
from review.training.settings import Settings

MOST_ATTEMPTS = 5


def claim(run: TrainingRun) -> Holding | None:
    """Take the run for this worker's device; None where it is not to be had.

    Not while another run holds the device, and not after too many attempts: that ends it.
    """
    host, device = f"{socket.gethostname()[:60]}/", Settings(**run.settings).target
    owner = f"{host}{device}/{secrets.token_hex(8)}"
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Workers of one machine queue up here, so that only one of them finds a device free.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 3))", [host])
        held = TrainingRun.objects.exclude(pk=run.pk).filter(
            job__state=Job.State.RUNNING,
            job__lease_until__gte=timezone.now(),
            job__lease_owner__startswith=host,
        )
        owners = held.values_list("job__lease_owner", flat=True)
        if any(same_device(device, one.removeprefix(host).partition("/")[0]) for one in owners):
            return None
        holding = take(Job.objects.filter(pk=run.job_id), owner, rate=0)
        if holding is None:
            return None
    run.job.refresh_from_db()
    if in_vain(run.job) > MOST_ATTEMPTS:
        end_run(
            run,
            Job.State.FAILED,
            f"The training was begun {MOST_ATTEMPTS} times and its worker went away each time, before one more epoch "
            "was over. Look at the worker's log; a smaller batch or image size needs less memory.",
            owner=owner,
        )
        return None
    return holding


def in_vain(job: Job) -> int:
    """How often the run was begun since an epoch was last over: a worker that restarts every night ends no long run."""
    return job.attempt - int(job.checkpoint.get("attempts_before", 0))


def same_device(one: str, other: str) -> bool:
    """Whether two settings may mean one device: `cuda` is the first one, and so is `auto`, or else the processor."""
    one, other = ("cuda:0" if name == "cuda" else name for name in (one, other))
    return one == other or ("auto" in (one, other) and not re.search(r"cuda:0*[1-9]", one + other))
