"""Kinds of long work: what the API calls each, and how it is stopped. The apps that own the work say so at start-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mixcv.kernel.models import Job
from mixcv.kernel.registry import Registry


@dataclass(frozen=True)
class Described:
    """A job for people: what it does, the page that shows it, and what its numbers count ("images", "batches").

    `detail` stands beside the numbers ("epoch 34 of 60"), `waits` in place of the time left ("waits for digits 1.0.0").
    """

    title: str
    href: str = ""
    unit: str = ""
    detail: str = ""
    waits: str = ""


@dataclass(frozen=True)
class JobKind:
    """`task_type` is the API's word. `cancel` is called with the job and the actor; without one the job's worker
    looks at `cancel_requested` by itself. `describe` is called with the namespace and its jobs of this kind, all at
    once, and answers by the job's key."""

    name: str
    task_type: str
    cancel: Callable[[Job, Any], None] | None = None
    describe: Callable[[Any, Sequence[Job]], dict[int, Described]] | None = None

    @property
    def words(self) -> str:
        """vector_index → Vector index."""
        return self.name.replace("_", " ").capitalize()


job_kinds: Registry[JobKind] = Registry("job kinds")


def kind_of(job: Job) -> JobKind:
    found = next((kind for kind in job_kinds if kind.name == job.kind), None)
    return found or JobKind(job.kind, "engine_object_processing")


@dataclass(frozen=True)
class Work:
    """A job as every page shows it."""

    job: Job
    about: Described
    kind: str

    @property
    def is_live(self) -> bool:
        return not self.job.is_over

    @property
    def is_stopping(self) -> bool:
        return self.is_live and self.job.cancel_requested

    @property
    def may_stop(self) -> bool:
        return self.is_live and not self.job.cancel_requested

    @property
    def state(self) -> str:
        """The class of its mark: live, ok, you, bad, or none."""
        return _STATES.get(self.job.state, ("", ""))[0]

    @property
    def state_words(self) -> str:
        if self.is_stopping:
            return "being stopped"
        return _STATES.get(self.job.state, ("", self.job.state.lower()))[1]

    @property
    def shown_done(self) -> int:
        """Never above the total: counts of a job that goes on after a kill may overlap."""
        return min(self.job.done, self.job.total) if self.job.total else 0

    @property
    def amount(self) -> str:
        """1,204 of 2,000 images, 41 a second."""
        job, unit = self.job, f" {self.about.unit}" if self.about.unit else ""
        if not job.total:
            return f"{job.done:,}{unit}" if job.done else ""
        rate = f", {rate_text(job.rate)}" if self.is_live and job.rate > 0 else ""
        return f"{self.shown_done:,} of {job.total:,}{unit}{rate}"

    @property
    def line(self) -> str:
        """The amount, and while it is live what the kind says beside it."""
        return " · ".join(
            words for words in (self.amount, self.about.detail if self.is_live else "") if words
        )

    @property
    def left(self) -> str:
        """What stands where the time left does: something to wait for, an estimate, or "counting"."""
        if self.is_stopping:
            return "being stopped"
        if self.about.waits:
            return self.about.waits
        if self.job.state == Job.State.PENDING:
            return "waits for a worker"
        return (
            seconds_text(self.job.seconds_left) + " left" if self.job.seconds_left is not None else "counting"
        )

    @property
    def took(self) -> str:
        began, ended = self.job.started_at, self.job.finished_at
        return seconds_text((ended - began).total_seconds()) if began and ended and ended > began else ""


_STATES: dict[str, tuple[str, str]] = {
    Job.State.PENDING: ("", "waits for a worker"),
    Job.State.RUNNING: ("live", "running"),
    Job.State.COMPLETED: ("ok", "done"),
    Job.State.COMPLETED_WITH_ERRORS: ("you", "done, with faults"),
    Job.State.FAILED: ("bad", "failed"),
    Job.State.CANCELED: ("", "stopped"),
}


def describe_jobs(namespace: Any, jobs: Iterable[Job]) -> list[Work]:
    """The jobs for people, in their order. One call of `describe` per kind, however many jobs there are."""
    rows = list(jobs)
    by_kind: dict[str, list[Job]] = {}
    for job in rows:
        by_kind.setdefault(job.kind, []).append(job)
    about: dict[int, Described] = {}
    for of_kind in by_kind.values():
        describe = kind_of(of_kind[0]).describe
        if describe is not None:
            about |= describe(namespace, of_kind)
    return [Work(job, about.get(job.pk) or _plainly(job), kind_of(job).words) for job in rows]


def _plainly(job: Job) -> Described:
    return Described(f"{kind_of(job).words} {job.subject}".strip())


def rate_text(rate: float) -> str:
    """Units a second in words: 41 a second, 4.2 a second, 12 a minute, 2 an hour."""
    for seconds, unit in ((1, "a second"), (60, "a minute"), (3600, "an hour")):
        number = rate * seconds
        if number >= 1 or unit == "an hour":
            return f"{number:,.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"
    return ""


def seconds_text(seconds: float) -> str:
    """19 s · 14 min · 2 h."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"
