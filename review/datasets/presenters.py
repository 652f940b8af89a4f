"""Datasets in the API's form."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from review.datasets.models import Dataset, DatasetVersion
from review.datasets.queries import Plan


class DatasetPolicyAnswer(serializers.Serializer[Any]):
    """accept_above: detections from this confidence on count as true, or null: images not reviewed whole stay out."""

    buckets = serializers.ListField(child=serializers.CharField())
    accept_above = serializers.FloatField(allow_null=True)
    background_share = serializers.FloatField()
    validation_share = serializers.FloatField()
    seed = serializers.IntegerField()
    only_included = serializers.BooleanField()


class DatasetAnswer(serializers.Serializer[Any]):
    dataset_id = serializers.CharField()
    dataset_name = serializers.CharField()
    feature_extractor_name = serializers.CharField()
    policy = DatasetPolicyAnswer()
    version_count = serializers.IntegerField()
    latest_version = serializers.IntegerField(allow_null=True)
    include_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class DatasetClassAnswer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    name = serializers.CharField()


class DatasetCountsAnswer(serializers.Serializer[Any]):
    images = serializers.IntegerField()
    train = serializers.IntegerField()
    val = serializers.IntegerField()
    holdout = serializers.IntegerField()
    boxes = serializers.IntegerField()


class DatasetVersionAnswer(serializers.Serializer[Any]):
    """`counts`: what each rule took or left. `manifest_sha256`: the hash of `manifest.jsonl` in every export."""

    dataset_id = serializers.CharField()
    version = serializers.IntegerField()
    policy = DatasetPolicyAnswer()
    classes = DatasetClassAnswer(many=True)
    image_count = serializers.IntegerField()
    box_count = serializers.IntegerField()
    counts = serializers.DictField(child=DatasetCountsAnswer())
    manifest_sha256 = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class DatasetWaitingAnswer(serializers.Serializer[Any]):
    queue_id = serializers.CharField()
    queue_name = serializers.CharField()
    images = serializers.IntegerField()
    boxes = serializers.IntegerField()


class DatasetRuleAnswer(serializers.Serializer[Any]):
    rule = serializers.CharField()
    takes = serializers.BooleanField()
    why = serializers.CharField()
    images = serializers.IntegerField()
    train = serializers.IntegerField()
    val = serializers.IntegerField()
    holdout = serializers.IntegerField()
    boxes = serializers.IntegerField()
    hard_negatives = serializers.IntegerField()
    queues = DatasetWaitingAnswer(many=True)


class DatasetPlanAnswer(serializers.Serializer[Any]):
    """`refusal`: why no version can be built now; empty where one can."""

    dataset_id = serializers.CharField()
    policy = DatasetPolicyAnswer()
    images = serializers.IntegerField()
    train = serializers.IntegerField()
    val = serializers.IntegerField()
    boxes = serializers.IntegerField()
    hard_negatives = serializers.IntegerField()
    left_out = serializers.IntegerField()
    refusal = serializers.CharField(allow_blank=True)
    rules = DatasetRuleAnswer(many=True)


class DatasetIncludedAnswer(serializers.Serializer[Any]):
    dataset_id = serializers.CharField()
    images = serializers.IntegerField()


def present_dataset(row: Dataset) -> dict[str, Any]:
    """A row of `datasets_of`."""
    return {
        "dataset_id": row.public_id,
        "dataset_name": row.name,
        "feature_extractor_name": row.extractor.name,
        "policy": row.policy,
        "version_count": row.version_count,  # type: ignore[attr-defined]
        "latest_version": row.latest_version,  # type: ignore[attr-defined]
        "include_count": row.include_count,  # type: ignore[attr-defined]
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def present_version(row: DatasetVersion) -> dict[str, Any]:
    return {
        "dataset_id": row.dataset.public_id,
        "version": row.number,
        "policy": row.policy,
        "classes": [{"index": one["index"], "name": one["name"]} for one in row.classes],
        "image_count": row.image_count,
        "box_count": row.box_count,
        "counts": row.counts,
        "manifest_sha256": row.manifest_sha256,
        "created_by": row.actor,
        "created_at": row.created_at,
    }


def present_plan(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    names = ("images", "train", "val", "holdout", "boxes", "hard_negatives")
    return {
        "dataset_id": dataset.public_id,
        "policy": plan.policy.as_json(),
        "images": plan.images,
        "train": plan.train,
        "val": plan.val,
        "boxes": plan.boxes,
        "hard_negatives": plan.hard_negatives,
        "left_out": plan.left,
        "refusal": plan.refusal,
        "rules": [
            {
                "rule": row.rule,
                "takes": row.takes,
                "why": row.why,
                **{name: getattr(row, name) for name in names},
                "queues": [
                    {
                        "queue_id": one.queue.public_id,
                        "queue_name": one.queue.name,
                        "images": one.images,
                        "boxes": one.boxes,
                    }
                    for one in row.queues
                ],
            }
            for row in plan.rows
        ],
    }
