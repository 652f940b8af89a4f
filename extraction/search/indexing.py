"""The partial HNSW index of a feature that has outgrown exact search: built by a job, without locking anybody out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from extraction.packages.models import Feature
from extraction.runs.models import Embedding
from extraction.search.features import rows_of
from extraction.search.vectors import has_index, index_name
from mixcv.celery import app
from mixcv.kernel.jobs import Described
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Namespace

KIND = "vector_index"
TASK = "extraction.build_vector_index"
# Longer than any build: whoever finds it past takes the job over.
LEASE = timedelta(hours=6)
RETRY_AFTER = timedelta(minutes=10)


def want_index(feature: Feature) -> None:
    """Let a worker build the feature's index, unless one is at it, or it failed or was stopped just now."""
    feature = rows_of(feature)
    subject, now = index_name(feature), timezone.now()
    busy = Job.objects.filter(kind=KIND, subject=subject).filter(
        Q(state=Job.State.PENDING, created_at__gt=now - RETRY_AFTER)
        | Q(state=Job.State.RUNNING, lease_until__gt=now)
        | Q(state__in=[Job.State.FAILED, Job.State.CANCELED], finished_at__gt=now - RETRY_AFTER)
    )
    if busy.exists():
        return
    job = Job.objects.create(
        namespace_id=feature.extractor_version.extractor.namespace_id,
        kind=KIND,
        subject=subject,
        total=1,
        checkpoint={"feature": feature.pk},
    )
    transaction.on_commit(lambda: app.send_task(TASK, args=[job.pk], queue="cpu"))


def build_index(*, job_id: int) -> None:
    """Build the index of a job's feature. Safe to run twice: whoever does not get the job leaves it."""
    now = timezone.now()
    free = Q(state=Job.State.PENDING) | Q(state=Job.State.RUNNING, lease_until__lt=now)
    claimed = Job.objects.filter(free, pk=job_id)
    if not claimed.update(state=Job.State.RUNNING, started_at=now, lease_until=now + LEASE):
        return
    job = Job.objects.get(pk=job_id)
    feature = Feature.objects.select_related("space").filter(pk=job.checkpoint["feature"]).first()
    if feature is None or feature.space is None:
        _end(job, Job.State.FAILED, "The feature is gone.")
        return
    try:
        create_index(feature, check=lambda: _check_wanted(job))
    except _Stopped:
        _end(job, Job.State.CANCELED, "")
    except Exception as error:
        _end(job, Job.State.FAILED, f"The index could not be built: {error}"[:1000])
        raise
    else:
        _end(job, Job.State.COMPLETED, "")


class _Stopped(Exception):
    """Somebody asked for the job to stop."""


def _check_wanted(job: Job) -> None:
    if Job.objects.filter(pk=job.pk, cancel_requested=True).exists():
        raise _Stopped


def cancel_index(job: Job, by: Actor) -> None:
    """A build that no worker is at is over at once; one that is running stops before its next step.

    The step that builds cannot be left: an index that was built by then stays.
    """
    idle = Q(state=Job.State.PENDING) | Q(state=Job.State.RUNNING, lease_until__lt=timezone.now())
    Job.objects.filter(idle, pk=job.pk).update(
        state=Job.State.CANCELED, cancel_requested=True, finished_at=timezone.now(), lease_until=None
    )


def describe_indices(namespace: Namespace, jobs: Sequence[Job]) -> dict[int, Described]:
    """For the page of tasks: which vectors are made quick to search."""
    keys = {job.pk: job.checkpoint.get("feature") for job in jobs}
    features = Feature.objects.select_related("extractor_version__extractor").filter(
        pk__in=[key for key in keys.values() if key], extractor_version__extractor__namespace=namespace
    )
    titles = {one.pk: f"Index {one.name} of {one.extractor_version}" for one in features}
    href = address(namespace, "retrievers")
    return {job: Described(titles[key], href) for job, key in keys.items() if key in titles}


def create_index(feature: Feature, check: Callable[[], None] = lambda: None) -> None:
    """Runs outside a transaction, as building concurrently must. `check` is called before each step and at the end."""
    assert feature.space is not None
    name, table = index_name(feature), connection.ops.quote_name(Embedding._meta.db_table)
    dimension, key = int(feature.space.dimension), int(rows_of(feature).pk)
    with connection.cursor() as cursor:
        check()
        if not has_index(feature):
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # what a broken build left
        check()
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} "
            f"USING hnsw ((vector::halfvec({dimension})) halfvec_cosine_ops) WHERE feature_id = {key}"
        )
    check()


def _end(job: Job, state: str, error: str) -> None:
    Job.objects.filter(pk=job.pk).update(
        state=state, error=error, done=1, finished_at=timezone.now(), lease_until=None
    )
