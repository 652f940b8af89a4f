"""Rows that every app uses: long work with its progress, and the outbox of events."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from mixcv.kernel.ids import random_id


def task_id() -> str:
    return random_id("task")


def event_id() -> str:
    return random_id("evt")


class Job(models.Model):
    """One piece of long work: every progress bar and every row of `/v1/tasks`.

    `namespace_id` is the key of a tenancy.Namespace; the kernel stands below tenancy and holds no foreign key to it.
    A worker owns the job while `lease_until` lies ahead; whoever finds it past may take it over from `checkpoint`.
    """

    class State(models.TextChoices):
        PENDING = "PENDING"
        RUNNING = "RUNNING"
        COMPLETED = "COMPLETED"
        COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
        FAILED = "FAILED"
        CANCELED = "CANCELED"

    public_id = models.CharField(max_length=40, unique=True, default=task_id)
    namespace_id = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=200)
    state = models.CharField(max_length=24, choices=State.choices, default=State.PENDING)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    rate = models.FloatField(default=0, help_text="units a second, over the last seconds")
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    checkpoint = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["namespace_id", "-created_at"], name="job_newest"),
            models.Index(fields=["subject"], name="job_subject"),
            models.Index(
                fields=["namespace_id"], name="job_live", condition=models.Q(state__in=["PENDING", "RUNNING"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"

    @property
    def is_over(self) -> bool:
        return self.state not in {self.State.PENDING, self.State.RUNNING}

    @property
    def seconds_left(self) -> float | None:
        """Estimate from the current rate; None before the first estimate."""
        if self.rate <= 0 or self.is_over:
            return None
        return max(0, self.total - self.done) / self.rate


class Event(models.Model):
    """Something that happened, written in the transaction in which it happened.

    A dispatcher claims rows with `dispatched_at IS NULL` by SKIP LOCKED, never by a highest id seen: commits come out
    of order. `subject_seq` numbers the events of one subject without gaps.
    """

    event_id = models.CharField(max_length=40, unique=True, default=event_id)
    namespace_id = models.BigIntegerField()
    type = models.CharField(max_length=80)
    subject = models.CharField(max_length=200)
    subject_seq = models.PositiveBigIntegerField()
    actor = models.CharField(max_length=200, default="system")
    payload = models.JSONField(default=dict)
    occurred_at = models.DateTimeField(default=timezone.now)
    dispatched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "subject_seq"], name="event_subject_seq")]
        indexes = [
            models.Index(fields=["id"], name="event_waiting", condition=models.Q(dispatched_at__isnull=True)),
            models.Index(fields=["namespace_id", "-occurred_at"], name="event_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class IdempotentCall(models.Model):
    """A call with an `Idempotency-Key`, and what it answered. `caller` is an API key's number."""

    caller = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    answer = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="idempotent_call_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_call_age")]

    def __str__(self) -> str:
        return self.key
