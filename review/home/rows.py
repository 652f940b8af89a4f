"""The rows that home is made of, each kind read once, however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet
from django.db.models.fields.json import KeyTransform

from extraction.packages.models import Extractor, ExtractorVersion, ProductionChange
from extraction.runs.models import Collection
from mixcv.tenancy.models import Namespace
from review.datasets.models import Dataset, DatasetVersion
from review.evaluation.models import Comparison, EvaluatedVersion
from review.training.models import TrainingRun

MOST = 60


@dataclass(frozen=True)
class Evaluated:
    """A version in an evaluation; `value`, `low`, `high` of mAP50-95 are None until it is measured."""

    evaluation: str
    extractor: int
    version: int
    images: int
    at: datetime
    state: str
    error: str
    ended: datetime | None
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Compared:
    """Two versions of an evaluation: new less old in mAP50-95."""

    evaluation: str
    old: int
    new: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rows:
    """Newest first, each at most `MOST`."""

    extractors: list[Extractor]
    versions: list[ExtractorVersion]
    datasets: list[Dataset]
    dataset_versions: list[DatasetVersion]
    runs: list[TrainingRun]
    evaluated: list[Evaluated]
    compared: list[Compared]
    changes: list[ProductionChange]
    collected: set[int]

    def versions_of(self, extractor: int) -> list[ExtractorVersion]:
        return [one for one in self.versions if one.extractor_id == extractor]

    def served(self) -> set[int]:
        """Versions that have been in production, now or before."""
        before = {change.version_id for change in self.changes if change.version_id is not None}
        return before | {one.production_id for one in self.extractors if one.production_id is not None}


def rows_of(namespace: Namespace) -> Rows:
    """In the same number of queries for any number of rows."""
    collected = Collection.objects.filter(namespace=namespace).exclude(extractor_version=None)
    datasets = Dataset.objects.filter(namespace=namespace).order_by("-created_at", "-pk")
    changes = ProductionChange.objects.filter(extractor__namespace=namespace)
    return Rows(
        list(
            Extractor.objects.filter(namespace=namespace).select_related("production").order_by("-pk")[:MOST]
        ),
        list(_versions(namespace)[:MOST]),
        list(datasets[:MOST]),
        list(_dataset_versions(namespace)[:MOST]),
        list(_runs(namespace)[:MOST]),
        _evaluated(namespace),
        _compared(namespace),
        list(changes.order_by("-changed_at", "-pk")[:MOST]),
        set(collected.values_list("extractor_version", flat=True)),
    )


def _versions(namespace: Namespace) -> QuerySet[ExtractorVersion]:
    return (
        ExtractorVersion.objects.filter(extractor__namespace=namespace)
        .select_related("extractor")
        .defer("manifest", "class_names", "runtime", "parameters")
        .order_by("-created_at", "-pk")
    )


def _dataset_versions(namespace: Namespace) -> QuerySet[DatasetVersion]:
    rows = DatasetVersion.objects.filter(dataset__namespace=namespace).select_related("dataset")
    return rows.defer("classes").order_by("-created_at", "-pk")


def _runs(namespace: Namespace) -> QuerySet[TrainingRun]:
    return (
        TrainingRun.objects.filter(namespace=namespace)
        .select_related("job", "extractor", "produced_version__extractor")
        .defer("samples", "runtime", "best")
        .annotate(last_epoch=Max("epochs__number"))
        .order_by("-created_at", "-pk")
    )


def _evaluated(namespace: Namespace) -> list[Evaluated]:
    intervals = KeyTransform("map50_95", KeyTransform("intervals", "metrics"))
    rows = (
        EvaluatedVersion.objects.filter(evaluation__namespace=namespace)
        .annotate(value=KeyTransform("map50_95", "metrics"), interval=intervals)
        .order_by("-evaluation__created_at", "-evaluation", "position")
        .values_list(
            *(
                "evaluation__public_id",
                "evaluation__extractor",
                "extractor_version",
                "evaluation__image_count",
            ),
            *("evaluation__created_at", "evaluation__job__state", "evaluation__job__error"),
            *("evaluation__job__finished_at", "value", "interval"),
        )
    )
    return [Evaluated(*facts[:9], *_ends(facts[9])) for facts in rows[:MOST]]  # type: ignore[call-arg]


def _compared(namespace: Namespace) -> list[Compared]:
    rows = (
        Comparison.objects.filter(evaluation__namespace=namespace)
        .annotate(gain=KeyTransform("map50_95", "results"))
        .order_by("-evaluation__created_at", "-pk")
        .values_list("evaluation__public_id", "old__extractor_version", "new__extractor_version", "gain")
    )
    return [
        Compared(evaluation, old, new, gain["difference"], gain.get("low"), gain.get("high"))
        for evaluation, old, new, gain in rows[:MOST]
        if isinstance(gain, dict) and gain.get("difference") is not None
    ]


def _ends(interval: Any) -> tuple[float | None, float | None]:
    return (interval[0], interval[1]) if isinstance(interval, list) and len(interval) == 2 else (None, None)
