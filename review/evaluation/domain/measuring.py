"""From stored predictions to metrics and comparisons. Done again it writes the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

from django.db import transaction

from review.datasets.models import DatasetItem
from review.evaluation.domain.predicting import true_boxes
from review.evaluation.metrics.arrays import Holdout, boxes_of
from review.evaluation.metrics.outcomes import Outcome
from review.evaluation.metrics.resampling import image_weights
from review.evaluation.metrics.summary import SEED, Measured, compare, measure
from review.evaluation.models import Comparison, EvaluatedVersion, Evaluation, ImagePrediction
from review.evaluation.naming import Naming, class_list

_SHOWN_FAILURES = 20


def measure_versions(row: Evaluation, check: Callable[[], None] = lambda: None) -> None:
    """Write each version's metrics, and a comparison of every two, the earlier position as the old one.

    `check` is called between steps and may raise to end the work. For a worker: it takes seconds and much memory.
    """
    items = list(
        DatasetItem.objects.filter(dataset_version=row.dataset_version_id, holdout=True)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    classes = _classes(row)
    keys = [one["class_id"] for one in classes]
    truth = true_boxes(items, Naming.of(row.settings))
    holdout = Holdout(tuple(keys), len(items), boxes_of([truth[item] for item in items], keys))
    weights = image_weights(len(items), seed=SEED)
    measured: dict[int, Measured] = {}
    for evaluated in row.versions.select_related("extractor_version__extractor").order_by("position"):
        check()
        stored = _Stored.read(evaluated, items)
        found = boxes_of(stored.boxes, keys)
        result = measure(
            holdout, classes, found, stored.outcomes, threshold=evaluated.threshold, weights=weights
        )
        result.metrics.update(stored.told(evaluated))
        measured[evaluated.pk] = result
    check()
    _write(row, classes, measured)


def _classes(row: Evaluation) -> list[dict[str, Any]]:
    """The classes that it began with, and those that were found though no version had named them."""
    known = {one["class_id"] for one in row.classes}
    cells = ImagePrediction.objects.filter(evaluated__evaluation=row).values_list("marks", flat=True)
    found = {int(key) for marks in cells.iterator() for key in marks if key != "all"}
    if found <= known:
        return list(row.classes)
    naming = Naming.of(row.settings)
    return class_list(row.namespace, row.dataset_version, naming, found | known)


@dataclass(frozen=True)
class _Stored:
    """One version's predictions in the order of the items."""

    rows: list[ImagePrediction]

    @classmethod
    def read(cls, evaluated: EvaluatedVersion, items: Sequence[int]) -> _Stored:
        rows = ImagePrediction.objects.filter(evaluated=evaluated).select_related("item")
        by_item = {row.item_id: row for row in rows}
        return cls([by_item[item] for item in items])

    @property
    def boxes(self) -> list[Any]:
        return [row.boxes for row in self.rows]

    @property
    def outcomes(self) -> list[Outcome]:
        return [Outcome(**row.outcome, cells=row.cells, marks=row.marks) for row in self.rows]

    def told(self, evaluated: EvaluatedVersion) -> dict[str, Any]:
        """What is known beside the boxes: failures, time, warnings."""
        failed = [row for row in self.rows if row.error]
        times = [row.milliseconds for row in self.rows if row.milliseconds is not None]
        return {
            "failed_images": len(failed),
            "failed": [
                {"item_id": row.item_id, "file_name": row.item.file_name, "error": row.error}
                for row in failed[:_SHOWN_FAILURES]
            ],
            "milliseconds": round(median(times), 2) if times else None,
            "warnings": self._warnings(evaluated),
        }

    def _warnings(self, evaluated: EvaluatedVersion) -> list[str]:
        lowest = min((row.boxes[-1][1] for row in self.rows if row.boxes), default=None)
        if lowest is None or lowest < evaluated.threshold:
            return []
        return [
            f"{evaluated.extractor_version} gave no box under {lowest:.2f}, though all were asked for: its package may "
            "set a threshold of its own. Its curves end there, and its mAP is lower than it could be."
        ]


def _write(row: Evaluation, classes: list[dict[str, Any]], measured: dict[int, Measured]) -> None:
    with transaction.atomic():
        Evaluation.objects.filter(pk=row.pk).update(classes=classes)
        for key, one in measured.items():
            EvaluatedVersion.objects.filter(pk=key).update(
                metrics=one.metrics, milliseconds=one.metrics["milliseconds"]
            )
        Comparison.objects.bulk_create(
            [
                Comparison(
                    evaluation=row, old_id=old, new_id=new, results=compare(measured[old], measured[new])
                )
                for old, new in combinations(measured, 2)
            ],
            update_conflicts=True,
            unique_fields=["old", "new"],
            update_fields=["results"],
        )
