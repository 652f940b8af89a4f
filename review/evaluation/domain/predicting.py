"""One version over the holdout's images: chunks through its host, each written in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction

from extraction.packages.host.errors import HostError
from extraction.packages.host.spec import ImageResult
from extraction.packages.hosts import warm_host
from extraction.packages.models import ExtractorVersion
from mixcv.kernel import storage
from mixcv.kernel.holding import Holding
from review.datasets.models import DatasetBox, DatasetItem
from review.evaluation.domain.errors import NotMeasurable
from review.evaluation.metrics.outcomes import judge
from review.evaluation.models import EvaluatedVersion, Evaluation, ImagePrediction
from review.evaluation.naming import Naming

log = logging.getLogger(__name__)
Rows = list[list[Any]]


def predict_version(row: Evaluation, evaluated: EvaluatedVersion, holding: Holding) -> None:
    """Run the version over the images that have no prediction of it yet.

    Raises NotMeasurable, HostError, Lost, Stopped.
    """
    naming = Naming.of(row.settings)
    began, written = time.monotonic(), 0
    while items := _waiting(evaluated, settings.MIXCV_CHUNK_IMAGES):
        holding.check()
        _check_ready(evaluated.extractor_version)
        results, milliseconds = _found(evaluated.extractor_version, row.settings["lowest"], items)
        with transaction.atomic():
            _write(row, evaluated, naming, items, results, milliseconds)
            written += len(items)
            done = ImagePrediction.objects.filter(evaluated__evaluation=row).count()
            rate = written / max(time.monotonic() - began, 0.001)
            holding.note(
                done=done, rate=rate, checkpoint={"phase": "predicting", "version": evaluated.position}
            )
    rows = ImagePrediction.objects.filter(evaluated=evaluated)
    if not rows.filter(error="").exists():
        first = rows.order_by("item").values_list("error", flat=True).first()
        raise NotMeasurable(f"{evaluated.extractor_version} could read none of the images: {first}")


def _waiting(evaluated: EvaluatedVersion, limit: int) -> list[DatasetItem]:
    items = DatasetItem.objects.filter(dataset_version=evaluated.evaluation.dataset_version_id, holdout=True)
    done = ImagePrediction.objects.filter(evaluated=evaluated)
    left = items.exclude(pk__in=done.values("item"))
    return list(left.select_related("image__working").order_by("pk")[:limit])


def _check_ready(version: ExtractorVersion) -> None:
    state = ExtractorVersion.objects.values_list("state", flat=True).get(pk=version.pk)
    if state != ExtractorVersion.State.READY:
        raise NotMeasurable(
            f"{version} is {state} now, so that it cannot be measured. Deploy it and start again."
        )


def _found(
    version: ExtractorVersion, lowest: float, items: Sequence[DatasetItem]
) -> tuple[list[ImageResult], float | None]:
    """Results in order, and how many milliseconds each image took. Where the chunk fails, images are tried one by one.

    Raises HostError where no host starts.
    """
    paths = [storage.local_path(item.image.working.storage_name) for item in items]
    host = warm_host(version, {"threshold": lowest})
    began = time.perf_counter()
    try:
        results = host.submit(paths, embed=False).result()
    except HostError as error:
        if len(items) == 1:
            return [_failure(items[0], error)], None
        log.warning("A chunk of %d images failed: %s", len(items), error.message)
        return [_found(version, lowest, [item])[0][0] for item in items], None
    return results, (time.perf_counter() - began) * 1000 / len(items)


def _failure(item: DatasetItem, error: HostError) -> ImageResult:
    return ImageResult(item.width, item.height, [], {}, np.zeros((0, 0), np.float16), error.message)


def _write(
    row: Evaluation,
    evaluated: EvaluatedVersion,
    naming: Naming,
    items: Sequence[DatasetItem],
    results: Sequence[ImageResult],
    milliseconds: float | None,
) -> None:
    """The chunk's predictions; one that is there already stays as it is."""
    naming.learn(row.namespace, [one.class_name for result in results for one in result.detections])
    truth = true_boxes([item.pk for item in items], naming)
    predictions = []
    for item, result in zip(items, results, strict=True):
        boxes = _rows(result, naming, row.settings["most_boxes"])
        outcome = judge(truth[item.pk], boxes, evaluated.threshold)
        predictions.append(
            ImagePrediction(
                evaluated=evaluated,
                item=item,
                boxes=boxes,
                error=(result.error or "").replace("\x00", "?")[:2000],
                outcome=outcome.as_json(),
                cells=outcome.cells,
                marks=outcome.marks,
                errors=outcome.errors,
                misses=len(outcome.missed),
                false_alarms=len(outcome.false),
                wrong_classes=len(outcome.wrong),
                milliseconds=milliseconds,
            )
        )
    ImagePrediction.objects.bulk_create(predictions, ignore_conflicts=True)


def _rows(result: ImageResult, naming: Naming, most: int) -> Rows:
    """`ImagePrediction.boxes`, the surest `most` of the image."""
    if result.error is not None:
        return []
    surest = sorted(result.detections, key=lambda one: -one.confidence)[:most]
    return [
        [
            naming.names[one.class_name],
            round(one.confidence, 6),
            *(round(value, 3) for value in (one.x, one.y, one.w, one.h)),
        ]
        for one in surest
    ]


def true_boxes(item_ids: Sequence[int], naming: Naming) -> dict[int, Rows]:
    """The truth of items by their keys, `[class id, 1.0, cx, cy, w, h]` in the order of the boxes' keys."""
    found: dict[int, Rows] = {key: [] for key in item_ids}
    boxes = DatasetBox.objects.filter(item__in=item_ids).order_by("item", "pk")
    for item, key, *box in boxes.values_list("item", "object_class", "cx", "cy", "w", "h"):
        found[item].append([naming.key(key), 1.0, *box])
    return found
