"""Evaluations begin and are called off."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from django.db import transaction

from extraction.packages.hosts import effective_parameters
from extraction.packages.models import ExtractorVersion
from mixcv.celery import app
from mixcv.kernel.errors import InvalidInput, NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetItem, DatasetVersion
from review.evaluation.domain.ending import end_evaluation
from review.evaluation.domain.errors import EvaluationOver, NothingToMeasureOn, NotMeasurable
from review.evaluation.metrics.matching import MOST_BOXES
from review.evaluation.metrics.outcomes import IOU
from review.evaluation.models import EvaluatedVersion, Evaluation
from review.evaluation.naming import Naming, all_names, class_list, classes_of, truth_counts

KIND = "evaluation"
TASK = "review.evaluation.run"
MOST_VERSIONS = 6
LOWEST = 0.001


def start_evaluation(
    *,
    namespace: Namespace,
    dataset_version: DatasetVersion,
    versions: Sequence[ExtractorVersion],
    threshold: float | None = None,
    by: Actor,
) -> Evaluation:
    """Measure 1 to 6 versions on the holdout that a dataset version froze. A worker does it.

    `threshold`: the working threshold of all of them; without it each one's own. Raises InvalidInput, NotFound for
    rows of another namespace, NothingToMeasureOn, NotMeasurable.
    """
    _check_given(versions, threshold)
    if dataset_version.dataset.namespace_id != namespace.pk:
        raise NotFound(f"There is no dataset version {dataset_version} here.", field="dataset_id")
    images = DatasetItem.objects.filter(dataset_version=dataset_version, holdout=True).count()
    if not images:
        raise NothingToMeasureOn(
            f"{dataset_version} has no image of the holdout, so that nothing could be measured. Review images of the "
            "holdout whole and build the next version of the dataset.",
        )
    naming = Naming.now(namespace)
    boxes = truth_counts(dataset_version, naming)
    for version in versions:
        _check_version(namespace, dataset_version, version, naming, boxes)
    return _start(namespace, dataset_version, versions, threshold, naming, images, by)


def _check_given(versions: Sequence[ExtractorVersion], threshold: float | None) -> None:
    if not 1 <= len(versions) <= MOST_VERSIONS:
        raise InvalidInput(
            f"Name 1 to {MOST_VERSIONS} versions to measure; {len(versions) or 'none'} came.",
            field="versions",
        )
    keys = [version.pk for version in versions]
    if twice := next((version for version in versions if keys.count(version.pk) > 1), None):
        raise InvalidInput(f"{twice} is named twice. Name each version once.", field="versions")
    if threshold is not None and not LOWEST <= threshold <= 1:
        raise InvalidInput(f"threshold is {threshold}; it must be {LOWEST} to 1.", field="threshold")


def _check_version(
    namespace: Namespace,
    dataset_version: DatasetVersion,
    version: ExtractorVersion,
    naming: Naming,
    boxes: dict[int, int],
) -> None:
    if version.extractor.namespace_id != namespace.pk:
        raise NotFound(f"There is no extractor version {version.public_id} here.", field="versions")
    if version.state != ExtractorVersion.State.READY:
        raise NotMeasurable(
            f"{version} is {version.state}; only a ready version can be measured. Deploy it first.",
            field="versions",
        )
    own = version.extractor_id == dataset_version.dataset.extractor_id
    if not own and version.class_names and boxes and not set(boxes) & set(classes_of(version, naming)):
        raise NotMeasurable(
            f"{version} knows {_some(version.class_names)}, and none of these is on the holdout of {dataset_version}. "
            "Versions can be compared where their classes are named the same.",
            field="versions",
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def _start(
    namespace: Namespace,
    dataset_version: DatasetVersion,
    versions: Sequence[ExtractorVersion],
    threshold: float | None,
    naming: Naming,
    images: int,
    by: Actor,
) -> Evaluation:
    also = [key for version in versions for key in classes_of(version, naming)]
    classes = class_list(namespace, dataset_version, naming, also)
    names = all_names(versions) | {one["name"] for one in classes}
    with transaction.atomic():
        row = Evaluation(
            namespace=namespace,
            extractor=dataset_version.dataset.extractor,
            dataset_version=dataset_version,
            settings={
                "threshold": threshold,
                "iou": IOU,
                "lowest": LOWEST,
                "most_boxes": MOST_BOXES,
                **naming.known(names, naming.merged),
            },
            classes=classes,
            image_count=images,
            box_count=sum(one["boxes"] for one in classes),
            actor=by.name,
        )
        total = images * len(versions)
        row.job = Job.objects.create(namespace_id=namespace.pk, kind=KIND, subject=row.public_id, total=total)
        row.save()
        EvaluatedVersion.objects.bulk_create(
            EvaluatedVersion(
                evaluation=row,
                extractor_version=version,
                position=place,
                threshold=_own_threshold(version) if threshold is None else threshold,
            )
            for place, version in enumerate(versions)
        )
        _tell_of(row, versions, by)
        # Where the broker is away, the sweep finds it later.
        transaction.on_commit(partial(app.send_task, TASK, args=[row.pk], queue="gpu"), robust=True)
    return row


def _own_threshold(version: ExtractorVersion) -> float:
    """What it is run with in collections; within what a confidence can be."""
    return min(1.0, max(LOWEST, float(effective_parameters(version, {})["threshold"])))


def _tell_of(row: Evaluation, versions: Sequence[ExtractorVersion], by: Actor) -> None:
    payload = {
        "evaluation_id": row.public_id,
        "dataset_id": row.dataset_version.dataset.public_id,
        "dataset_version": row.dataset_version.number,
        "versions": [version.public_id for version in versions],
    }
    publish(
        namespace_id=row.namespace_id,
        actor=by.name,
        happenings=[Happening("evaluation.created", row.public_id, payload)],
    )


def cancel_evaluation(*, evaluation: Evaluation, by: Actor) -> None:
    """Call an evaluation off; what it found so far stays. Raises EvaluationOver.

    One that a worker holds stops before its next images.
    """
    asked = Job.objects.filter(pk=evaluation.job_id, state__in=[Job.State.PENDING, Job.State.RUNNING]).update(
        cancel_requested=True
    )
    evaluation.job.refresh_from_db()
    if not asked:
        raise EvaluationOver(f"The evaluation is {evaluation.job.state.lower()} already.")
    end_evaluation(evaluation, Job.State.CANCELED, "", unless_held=True)
