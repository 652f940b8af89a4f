"""Training runs in the API's form."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from mixcv.kernel.answers import JobAnswer, present_job
from review.training.models import TrainingEpoch, TrainingRun
from review.training.process.recipe import AUGMENTATIONS


class TrainingSettingsAnswer(serializers.Serializer[Any]):
    epochs = serializers.IntegerField()
    image_size = serializers.IntegerField()
    batch = serializers.IntegerField()
    device = serializers.CharField()
    patience = serializers.IntegerField()
    freeze = serializers.IntegerField()
    seed = serializers.IntegerField()
    augmentation = serializers.ChoiceField(choices=list(AUGMENTATIONS))


class TrainingCountsAnswer(serializers.Serializer[Any]):
    """Images to train and to choose the best epoch by, and those of the holdout, which the run never sees.

    `validation`: what divided them: val (the dataset version), group or image (a share taken off by the run)."""

    train = serializers.IntegerField()
    val = serializers.IntegerField()
    validation = serializers.ChoiceField(choices=["val", "group", "image"])
    holdout = serializers.IntegerField()
    boxes = serializers.IntegerField()
    classes = serializers.IntegerField()


class TrainingRunAnswer(serializers.Serializer[Any]):
    """`best`: the epoch whose weights are kept, as measured on the validation images; `base_map50_95`: what the start
    weights reached on the same images. The job's `done` and `total` count batches."""

    run_id = serializers.CharField()
    dataset_id = serializers.CharField()
    dataset_version = serializers.IntegerField()
    feature_extractor_name = serializers.CharField()
    base_version_id = serializers.CharField()
    base_weights = serializers.CharField(allow_blank=True)
    settings = TrainingSettingsAnswer()
    counts = TrainingCountsAnswer()
    phase = serializers.ChoiceField(choices=TrainingRun.Phase.values)
    job = JobAnswer()
    best = serializers.DictField()
    base_map50_95 = serializers.FloatField(allow_null=True)
    runtime = serializers.DictField()
    model_id = serializers.CharField(allow_null=True)
    extractor_version_id = serializers.CharField(allow_null=True)
    version = serializers.CharField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class TrainingEpochAnswer(serializers.Serializer[Any]):
    """Losses by name under train and val; precision, recall and mAP on the validation images."""

    number = serializers.IntegerField()
    losses = serializers.DictField()
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)
    map50 = serializers.FloatField(allow_null=True)
    map50_95 = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField()


class TrainingReportAnswer(TrainingRunAnswer):
    epochs = TrainingEpochAnswer(many=True)


class TrainingCollectionAnswer(serializers.Serializer[Any]):
    collection_id = serializers.CharField()
    collection_name = serializers.CharField()
    batch_ids = serializers.ListField(child=serializers.CharField())


def present_run(row: TrainingRun) -> dict[str, Any]:
    """A row of `runs_of`."""
    version = row.produced_version
    return {
        "run_id": row.public_id,
        "dataset_id": row.dataset_version.dataset.public_id,
        "dataset_version": row.dataset_version.number,
        "feature_extractor_name": row.extractor.name,
        "base_version_id": row.base_version.public_id,
        "base_weights": row.base_weights,
        "settings": row.settings,
        "counts": {name: value for name, value in row.counts.items() if name != "base"},
        "phase": row.phase,
        "job": present_job(row.job),
        "best": row.best,
        "base_map50_95": row.base_map50_95,
        "runtime": row.runtime,
        "model_id": row.model.public_id if row.model else None,
        "extractor_version_id": version.public_id if version else None,
        "version": version.version if version else None,
        "created_by": row.actor,
        "created_at": row.created_at,
    }


def present_epoch(row: TrainingEpoch) -> dict[str, Any]:
    names = ("number", "losses", "precision", "recall", "map50", "map50_95", "seconds")
    return {name: getattr(row, name) for name in names}


def present_report(row: TrainingRun) -> dict[str, Any]:
    return {**present_run(row), "epochs": [present_epoch(one) for one in row.epochs.all()]}
