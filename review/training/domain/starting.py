"""From a dataset version and a base version to a run that waits for its device."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from django.conf import settings as site
from django.db import transaction

from extraction.packages.domain import RegistryFull
from extraction.packages.hosts import effective_parameters
from extraction.packages.models import ExtractorVersion, RegistryModel
from mixcv.celery import app
from mixcv.kernel.errors import NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.holding import lost
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.domain import cancel_job
from mixcv.tenancy.models import Namespace
from review.datasets.domain import NoCompleteImage
from review.datasets.models import DatasetVersion
from review.training.domain.ending import end_run
from review.training.errors import OtherClasses
from review.training.folder import Division, check_disk, divide
from review.training.models import TrainingRun
from review.training.process.recipe import CPU_BATCH
from review.training.settings import Settings, check_settings
from review.training.weights import base_weights_of

KIND = "training"
TASK = "review.training.run"
_WAITS_S = 5.0


def start_run(
    *,
    namespace: Namespace,
    dataset_version: DatasetVersion,
    base_version: ExtractorVersion,
    settings: Settings | None = None,
    base_weights: str = "",
    by: Actor,
) -> TrainingRun:
    """A run that waits for its device; a worker takes it up.

    `base_weights` names what to start from where the base version has no weights of its own. Raises OtherClasses for
    a base of another extractor, NoBaseWeights, NotADetector, WeightsMissing, NoCompleteImage, DiskFull, RegistryFull,
    InvalidInput with every fault of the settings, NotFound for what is of another namespace.
    """
    chosen = settings or Settings()
    check_settings(chosen)
    _check_versions(namespace, dataset_version, base_version)
    name, blob = base_weights_of(base_version, base_weights)
    division = _divided(dataset_version, chosen.seed)
    check_disk(dataset_version, blob.size)
    values = {**chosen.as_json(), "image_size": chosen.image_size or _image_size(base_version)}
    batch = chosen.batch if chosen.batch > 0 else CPU_BATCH
    with transaction.atomic():
        run = TrainingRun(
            namespace=namespace,
            extractor=base_version.extractor,
            dataset_version=dataset_version,
            base_version=base_version,
            base_weights=name,
            base_blob=blob,
            settings=values,
            counts=_counts(division, dataset_version, base_version),
            actor=by.name,
        )
        run.job = Job.objects.create(
            namespace_id=namespace.pk,
            kind=KIND,
            subject=run.public_id,
            total=chosen.epochs * math.ceil(len(division.train) / batch),
        )
        run.save()
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("training_run.started", run.public_id, payload_of(run))],
        )
        # Where the broker is away, the sweep finds it later.
        transaction.on_commit(partial(app.send_task, TASK, args=[run.pk], queue="train"), robust=True)
    return run


def _counts(division: Division, version: DatasetVersion, base: ExtractorVersion) -> dict[str, Any]:
    return {
        "train": len(division.train),
        "val": len(division.val),
        "validation": division.by,
        "holdout": division.holdout,
        "boxes": division.boxes,
        "classes": max(len(version.classes), len(base.class_names)),
    }


def payload_of(run: TrainingRun) -> dict[str, Any]:
    return {
        "dataset_id": run.dataset_version.dataset.public_id,
        "dataset_version": run.dataset_version.number,
        "base_version": run.base_version.public_id,
        "settings": run.settings,
    }


def _check_versions(namespace: Namespace, version: DatasetVersion, base: ExtractorVersion) -> None:
    if version.dataset.namespace_id != namespace.pk:
        raise NotFound("This dataset version is in another namespace.", field="dataset_version")
    if base.extractor.namespace_id != namespace.pk:
        raise NotFound("This base version is in another namespace.", field="base_version")
    if base.extractor_id != version.dataset.extractor_id:
        raise OtherClasses(
            f"{version} numbers its classes as {version.dataset.extractor.name} does; {base} numbers them otherwise. "
            f"Choose a version of {version.dataset.extractor.name} as the base, or make a dataset for "
            f"{base.extractor.name}.",
            field="base_version",
        )
    models = RegistryModel.objects.filter(namespace=namespace).count()
    if models >= site.MIXCV_MAX_MODELS:
        raise RegistryFull(
            f"The registry has {models} models, the most there may be, so that what is trained could not be kept. "
            "Delete one first."
        )


def _divided(version: DatasetVersion, seed: int) -> Division:
    """Raises NoCompleteImage where either part would be empty."""
    division = divide(version, seed)
    if not division.train or not division.val:
        there = len(division.train) + len(division.val)
        raise NoCompleteImage(
            f"{version} has {there or 'no'} image{'' if there == 1 else 's'} outside the holdout; a run needs at least "
            "one to train and one to choose the best epoch. Review more images whole and build the next version.",
            field="dataset_version",
        )
    return division


def _image_size(version: ExtractorVersion) -> int:
    """What the base version detects at, as a multiple of 32 in the bounds of a run."""
    size = effective_parameters(version, {}).get("image_size")
    size = size if isinstance(size, int) else site.MIXCV_IMAGE_SIZE
    return min(4096, max(64, round(size / 32) * 32))


def cancel_run(*, run: TrainingRun, by: Actor) -> None:
    """Ask a run to stop: one that waits ends now, one that trains within an epoch. Once it is over, nothing happens."""
    cancel_job(job=run.job, by=by)
    run.job.refresh_from_db()


def cancel_of_job(job: Job, by: Actor) -> None:
    """The part of a cancellation that is this kind's own: what no worker holds ends at once."""
    run = (
        TrainingRun.objects.select_related("dataset_version__dataset", "base_version").filter(job=job).first()
    )
    if run is not None:
        end_run(run, Job.State.CANCELED, "", unless_held=True)


def lost_runs() -> list[int]:
    """Runs that wait for a device or lost their worker, the oldest first."""
    rows = TrainingRun.objects.filter(lost(after=_WAITS_S))
    return list(rows.order_by("pk").values_list("pk", flat=True))
