"""A job that one worker holds at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from mixcv.kernel import holding
from mixcv.kernel.models import Job

pytestmark = pytest.mark.django_db
AGO = timedelta(seconds=1)


@pytest.fixture
def job():
    return Job.objects.create(namespace_id=1, kind="trial", subject="trial")


def take(job, **values):
    return holding.take(Job.objects.filter(pk=job.pk), **values)


def let_go(job):
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - AGO)


def test_one_worker_has_it_until_its_lease_ends(job):
    first = take(job, rate=2)
    assert first is not None
    assert take(job) is None
    let_go(job)
    second = take(job)
    assert second is not None
    assert second.owner != first.owner
    job.refresh_from_db()
    assert (job.state, job.attempt, job.rate, job.lease_owner) == ("RUNNING", 2, 2, second.owner)
    assert job.started_at < job.lease_until


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELED"])
def test_what_is_over_is_not_taken(job, state):
    Job.objects.filter(pk=job.pk).update(state=state)
    assert take(job) is None
    assert holding.take(Job.objects.none()) is None


def test_who_lost_it_writes_nothing(job):
    first = take(job)
    let_go(job)
    take(job)
    for write in (first.check, first.lock, lambda: first.note(done=7)):
        with pytest.raises(holding.Lost):
            write()
    job.refresh_from_db()
    assert job.done == 0


def test_who_has_it_writes_and_hears_that_it_shall_stop(job):
    mine = take(job)
    let_go(job)
    mine.note(done=3)
    mine.check()
    job.refresh_from_db()
    assert job.done == 3
    assert job.lease_until > timezone.now(), "what is noted renews the lease"
    Job.objects.filter(pk=job.pk).update(cancel_requested=True)
    with pytest.raises(holding.Stopped):
        mine.check()


def test_it_is_closed_once_and_only_by_who_has_it(job):
    mine = take(job)
    assert holding.close(job.pk, Job.State.FAILED, "gone", unless_held=True) is None
    assert holding.close(job.pk, Job.State.FAILED, "not mine", owner="another") is None
    assert holding.close(job.pk, Job.State.FAILED, "b\x00d" + "x" * 9000, owner=mine.owner)[:3] == "b?d"
    assert holding.close(job.pk, Job.State.COMPLETED, "") is None
    job.refresh_from_db()
    assert (job.state, len(job.error), job.lease_until) == ("FAILED", holding.LONGEST_ERROR, None)
    with pytest.raises(holding.Lost):
        mine.check()
