"""A job that one worker holds: claimed under a lease, renewed while it works, given up once another has it.

if holding := take(Job.objects.filter(pk=job_id)):
    with holding.kept():
        holding.check()
        holding.note(done=10)
"""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from mixcv.kernel.leases import renewed
from mixcv.kernel.models import Job

LIVE = [Job.State.PENDING, Job.State.RUNNING]
LONGEST_ERROR = 4000


class Lost(Exception):
    """Another worker has the job now; what this one was about to write is not written."""


class Stopped(Exception):
    """Somebody asked for the job to be stopped."""


def until() -> datetime:
    """When a lease that is given now ends."""
    return timezone.now() + timedelta(seconds=settings.MIXCV_LEASE_SECONDS)


@dataclass(frozen=True)
class Holding:
    """What one worker may still do with a job that it claimed."""

    job_id: int
    owner: str

    def mine(self) -> QuerySet[Job]:
        """The job's row, as long as it is this worker's."""
        return Job.objects.filter(pk=self.job_id, lease_owner=self.owner, state=Job.State.RUNNING)

    def kept(self) -> AbstractContextManager[None]:
        """Renews the lease, from a thread of its own, until the block ends."""
        return renewed(self._renew, every=settings.MIXCV_LEASE_SECONDS / 4)

    def _renew(self) -> None:
        self.mine().update(lease_until=until())

    def check(self) -> None:
        """Raises Lost, Stopped."""
        wanted = self.mine().values_list("cancel_requested", flat=True).first()
        if wanted is None:
            raise Lost
        if wanted:
            raise Stopped

    def note(self, **values: Any) -> None:
        """Write to the job, in the transaction of what it counts. Raises Lost."""
        if not self.mine().update(lease_until=until(), **values):
            raise Lost

    def lock(self) -> None:
        """Hold the job's row for the rest of the transaction. Raises Lost."""
        if self.mine().select_for_update().first() is None:
            raise Lost


def take(jobs: QuerySet[Job], owner: str = "", **values: Any) -> Holding | None:
    """Claim the one job of `jobs`; None where it is over or somebody holds it. `values` are written with the claim."""
    owner = owner or secrets.token_hex(8)
    now = timezone.now()
    free = Q(state=Job.State.PENDING) | Q(state=Job.State.RUNNING, lease_until__lt=now)
    key = jobs.filter(free).values_list("pk", flat=True).first()
    if key is None:
        return None
    changed = Job.objects.filter(free, pk=key).update(
        state=Job.State.RUNNING,
        lease_owner=owner,
        lease_until=until(),
        attempt=F("attempt") + 1,
        started_at=Coalesce("started_at", now),
        **values,
    )
    return Holding(key, owner) if changed else None


def lost(*, after: float | None = None) -> Q:
    """Which rows with a `job` and a `created_at` lost their worker, or their message: they wait for more than `after`
    seconds, else for a lease's length."""
    now = timezone.now()
    before = now - timedelta(seconds=settings.MIXCV_LEASE_SECONDS if after is None else after)
    held = Q(job__state=Job.State.RUNNING, job__lease_until__lt=now)
    return held | Q(job__state=Job.State.PENDING, created_at__lt=before)


def close(
    job_id: int, state: str, error: str, *, owner: str | None = None, unless_held: bool = False
) -> str | None:
    """End a job that is not over; its error as it is kept, or None where it was over or is not `owner`'s any more.

    `unless_held`: only where no worker holds it. Call it in the transaction that tells of the end.
    """
    jobs = Job.objects.filter(pk=job_id, state__in=LIVE)
    if owner is not None:
        jobs = jobs.filter(lease_owner=owner)
    if unless_held:
        jobs = jobs.filter(Q(lease_until=None) | Q(lease_until__lt=timezone.now()))
    error = error.replace("\x00", "?")[:LONGEST_ERROR]
    over = jobs.update(state=state, error=error, finished_at=timezone.now(), lease_until=None, rate=0)
    return error if over else None
