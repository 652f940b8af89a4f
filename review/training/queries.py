"""Reads of training."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Max, QuerySet

from extraction.packages.models import ExtractorVersion
from extraction.packages.queries import get_version as get_extractor_version
from mixcv.kernel.errors import NotFound
from mixcv.kernel.jobs import Described
from mixcv.kernel.models import Job
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Namespace
from review.datasets.models import Dataset, DatasetVersion
from review.datasets.queries import get_version, versions_of
from review.training.errors import NoBaseWeights
from review.training.models import TrainingRun


def runs_of(namespace: Namespace) -> QuerySet[TrainingRun]:
    """The namespace's runs, newest first, with all that a row shows."""
    return (
        TrainingRun.objects.filter(namespace=namespace)
        .select_related(
            "job",
            "namespace",
            "extractor",
            "base_version__extractor",
            "dataset_version__dataset",
            "model",
            "produced_version__extractor",
        )
        .order_by("-created_at", "-pk")
    )


def get_run(namespace: Namespace, ref: str) -> TrainingRun:
    """Raises NotFound."""
    row = runs_of(namespace).filter(public_id=ref.replace("\x00", "?")).first()
    if row is None:
        raise NotFound(f"There is no training run {ref[:100]!r} in {namespace.name}.", field="run_id")
    return row


def chosen_dataset_version(dataset: Dataset, number: int | None) -> DatasetVersion:
    """The version of this number, or the latest. Raises NotFound."""
    if number is not None:
        return get_version(dataset, number)
    latest = versions_of(dataset).first()
    if latest is None:
        raise NotFound(f"{dataset.name} has no version yet. Build one first.", field="dataset_version")
    return latest


def chosen_base(namespace: Namespace, dataset: Dataset, ref: str) -> ExtractorVersion:
    """The version of this id or name, or the one in production of the dataset's extractor. Raises NotFound,
    NoBaseWeights."""
    if ref:
        try:
            return get_extractor_version(namespace, ref)
        except NotFound as error:
            raise NotFound(error.message, field="base_version") from None
    production = dataset.extractor.production
    if production is None:
        raise NoBaseWeights(
            f"{dataset.extractor.name} has no version in production. Name the version to start from by base_version.",
            field="base_version",
        )
    return get_extractor_version(namespace, production.public_id)


def trainable_versions(namespace: Namespace) -> list[DatasetVersion]:
    """Dataset versions that a run can be started on, of each dataset the latest first."""
    return list(
        DatasetVersion.objects.filter(dataset__namespace=namespace)
        .select_related("dataset__extractor")
        .order_by("-created_at", "-pk")[:200]
    )


def base_versions(namespace: Namespace) -> list[ExtractorVersion]:
    """Versions that a run can start from: those that were deployed, newest first."""
    return list(
        ExtractorVersion.objects.filter(
            extractor__namespace=namespace, extractor__datasets__isnull=False, deployed_at__isnull=False
        )
        .exclude(state=ExtractorVersion.State.RETIRED)
        .select_related("extractor", "weights")
        .distinct()
        .order_by("-created_at", "-pk")[:200]
    )


def describe_runs(namespace: Namespace, jobs: Sequence[Job]) -> dict[int, Described]:
    """For the page of tasks: what is trained on what, and where it is watched."""
    rows = (
        TrainingRun.objects.filter(namespace=namespace, job__in=jobs)
        .select_related("extractor", "dataset_version__dataset")
        .annotate(measured=Max("epochs__number"))
    )
    return {
        row.job_id: Described(
            f"Train {row.extractor.name} on {row.dataset_version}",
            address(namespace, "training-run", row.public_id),
            "batches",
            _stage(row, row.measured or 0),
        )
        for row in rows
    }


def _stage(row: TrainingRun, measured: int) -> str:
    """The epoch while it trains, of as many as it has at most; else the phase."""
    if row.phase != TrainingRun.Phase.TRAINING:
        return TrainingRun.Phase(row.phase).label
    most = int(row.settings["epochs"])
    return f"epoch {min(measured + 1, most)} of {most}"
