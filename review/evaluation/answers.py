"""Evaluations, gates and the history of production in the API's form. Classes go by their names."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from extraction.packages.models import Extractor, ProductionChange
from mixcv.kernel.answers import JobAnswer, present_job
from review.evaluation.gate import Gate
from review.evaluation.models import EvaluatedVersion, Evaluation
from review.evaluation.queries import FIGURES


class BoundsField(serializers.ListField):
    """Low and high of the 95 % interval, or null."""

    child = serializers.FloatField()


class EvaluatedSummaryAnswer(serializers.Serializer[Any]):
    """The figures are null until the evaluation is done. `milliseconds`: per image, median, without reading."""

    extractor_version_id = serializers.CharField()
    feature_extractor_name = serializers.CharField()
    version = serializers.CharField()
    threshold = serializers.FloatField()
    map50_95 = serializers.FloatField(allow_null=True)
    map50 = serializers.FloatField(allow_null=True)
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)
    milliseconds = serializers.FloatField(allow_null=True)


class EvaluationAnswer(serializers.Serializer[Any]):
    """The job's `done` and `total` count images, once for each version."""

    evaluation_id = serializers.CharField()
    dataset_id = serializers.CharField()
    dataset_version = serializers.IntegerField()
    feature_extractor_name = serializers.CharField()
    threshold = serializers.FloatField(allow_null=True)
    iou = serializers.FloatField()
    image_count = serializers.IntegerField()
    box_count = serializers.IntegerField()
    versions = EvaluatedSummaryAnswer(many=True)
    job = JobAnswer()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class ClassFiguresAnswer(serializers.Serializer[Any]):
    """`boxes`: of the truth; without any ap50_95 and ap50 are null. `interval` is of ap50_95."""

    class_name = serializers.CharField()
    boxes = serializers.IntegerField()
    ap50_95 = serializers.FloatField(allow_null=True)
    ap50 = serializers.FloatField(allow_null=True)
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)
    f1 = serializers.FloatField(allow_null=True)
    interval = BoundsField(allow_null=True)


class MatrixAnswer(serializers.Serializer[Any]):
    """`rows[t][f]`: boxes whose truth is class t and in whose place f was found; the last class, null, is none."""

    classes = serializers.ListField(child=serializers.CharField(allow_null=True))
    rows = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class CurveAnswer(serializers.Serializer[Any]):
    """At IoU 0.5; `class_name` null is all classes together. Points are [recall, precision, threshold]."""

    class_name = serializers.CharField(allow_null=True)
    points = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))


class FailedImageAnswer(serializers.Serializer[Any]):
    file_name = serializers.CharField()
    error = serializers.CharField()


class EvaluationMetricsAnswer(serializers.Serializer[Any]):
    """precision, recall, f1, counts, error_counts and matrix are of the boxes at or above `threshold`."""

    threshold = serializers.FloatField()
    iou = serializers.FloatField()
    images = serializers.IntegerField()
    failed_images = serializers.IntegerField()
    failed = FailedImageAnswer(many=True)
    boxes = serializers.IntegerField()
    predictions = serializers.IntegerField()
    map50_95 = serializers.FloatField(allow_null=True)
    map50 = serializers.FloatField(allow_null=True)
    map75 = serializers.FloatField(allow_null=True)
    ar100 = serializers.FloatField(allow_null=True)
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)
    f1 = serializers.FloatField(allow_null=True)
    intervals = serializers.DictField(child=BoundsField(allow_null=True))
    counts = serializers.DictField(child=serializers.IntegerField())
    error_counts = serializers.DictField(child=serializers.IntegerField())
    classes = ClassFiguresAnswer(many=True)
    matrix = MatrixAnswer()
    curves = CurveAnswer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    milliseconds = serializers.FloatField(allow_null=True)


class EvaluatedVersionAnswer(EvaluatedSummaryAnswer):
    metrics = EvaluationMetricsAnswer(allow_null=True)


class DifferenceAnswer(serializers.Serializer[Any]):
    """new less old; low and high hold 95 % of what resampled images give."""

    old = serializers.FloatField(allow_null=True)
    new = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class ClassDifferenceAnswer(DifferenceAnswer):
    class_name = serializers.CharField()
    boxes = serializers.IntegerField()


class ComparisonAnswer(serializers.Serializer[Any]):
    """`images`: how many have fewer errors (better), more (worse), as many (same)."""

    old_version_id = serializers.CharField()
    new_version_id = serializers.CharField()
    map50_95 = DifferenceAnswer()
    map50 = DifferenceAnswer()
    precision = DifferenceAnswer()
    recall = DifferenceAnswer()
    classes = ClassDifferenceAnswer(many=True)
    images = serializers.DictField(child=serializers.IntegerField())
    resamples = serializers.IntegerField()
    seed = serializers.IntegerField()


class EvaluationDetailAnswer(EvaluationAnswer):
    versions = EvaluatedVersionAnswer(many=True)
    comparisons = ComparisonAnswer(many=True)


class GateCheckAnswer(serializers.Serializer[Any]):
    key = serializers.CharField()
    passed = serializers.BooleanField()
    text = serializers.CharField()
    numbers = serializers.DictField()


class GateAnswerBody(serializers.Serializer[Any]):
    """`against`: the version in production, or null. `words`: why it is closed."""

    feature_extractor_name = serializers.CharField()
    version = serializers.CharField()
    extractor_version_id = serializers.CharField()
    against = serializers.CharField(allow_null=True)
    evaluation_id = serializers.CharField(allow_null=True)
    open = serializers.BooleanField()
    words = serializers.CharField(allow_blank=True)
    checks = GateCheckAnswer(many=True)


class ProductionChangeAnswer(serializers.Serializer[Any]):
    """`version` is null for one that was deleted later. `details`: the evaluation, the gate's checks, `override`, or
    what was rolled back from."""

    version = serializers.CharField(allow_null=True)
    extractor_version_id = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    changed_by = serializers.CharField()
    changed_at = serializers.DateTimeField()
    details = serializers.DictField()


class ProductionAnswer(serializers.Serializer[Any]):
    """`history`: the latest 100 changes, the newest first. `rolls_back_to`: where rolling back leads, or null."""

    feature_extractor_name = serializers.CharField()
    version = serializers.CharField(allow_null=True)
    extractor_version_id = serializers.CharField(allow_null=True)
    rolls_back_to = serializers.CharField(allow_null=True)
    history = ProductionChangeAnswer(many=True)


def present_evaluation(row: Evaluation) -> dict[str, Any]:
    """A row of `queries.evaluations_of`, or one of `queries.get_evaluation`."""
    return {
        "evaluation_id": row.public_id,
        "dataset_id": row.dataset_version.dataset.public_id,
        "dataset_version": row.dataset_version.number,
        "feature_extractor_name": row.extractor.name,
        "threshold": row.settings["threshold"],
        "iou": row.settings["iou"],
        "image_count": row.image_count,
        "box_count": row.box_count,
        "versions": [_summary(one) for one in row.versions.all()],
        "job": present_job(row.job),
        "created_by": row.actor,
        "created_at": row.created_at,
    }


def _summary(one: EvaluatedVersion) -> dict[str, Any]:
    version = one.extractor_version
    # Of a list the figures alone are read.
    read = one.metrics.get if "metrics" in one.__dict__ else lambda name: getattr(one, f"figure_{name}")
    return {
        "extractor_version_id": version.public_id,
        "feature_extractor_name": version.extractor.name,
        "version": version.version,
        "threshold": one.threshold,
        **{name: read(name) for name in FIGURES},
        "milliseconds": one.milliseconds,
    }


def present_detail(row: Evaluation) -> dict[str, Any]:
    """One evaluation with all metrics and comparisons."""
    names = {one["class_id"]: one["name"] for one in row.classes}
    versions = list(row.versions.all())
    ids = {one.pk: one.extractor_version.public_id for one in versions}
    return {
        **present_evaluation(row),
        "versions": [{**_summary(one), "metrics": _metrics(one.metrics, names)} for one in versions],
        "comparisons": [
            {
                "old_version_id": ids[one.old_id],
                "new_version_id": ids[one.new_id],
                **one.results,
                "classes": [_named(entry, names) for entry in one.results["classes"]],
            }
            for one in row.comparisons.order_by("old__position", "new__position")
        ],
    }


def _named(entry: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    rest = {key: value for key, value in entry.items() if key not in ("class_id", "name", "colour")}
    return {"class_name": entry.get("name", names.get(entry["class_id"])), **rest}


def _metrics(metrics: dict[str, Any], names: dict[int, str]) -> dict[str, Any] | None:
    if not metrics:
        return None
    matrix = metrics["matrix"]
    rest = {key: value for key, value in metrics.items() if key != "errors"}
    return {
        **rest,
        "error_counts": metrics["errors"],
        "failed": [{"file_name": one["file_name"], "error": one["error"]} for one in metrics["failed"]],
        "classes": [_named(one, names) for one in metrics["classes"]],
        "matrix": {"classes": [names.get(key) for key in matrix["class_ids"]], "rows": matrix["rows"]},
        "curves": [_named(one, names) for one in metrics["curves"]],
    }


def present_gate(gate: Gate) -> dict[str, Any]:
    version = gate.version
    return {
        "feature_extractor_name": version.extractor.name,
        "version": version.version,
        "extractor_version_id": version.public_id,
        "against": gate.against.version if gate.against else None,
        "evaluation_id": gate.evaluation.public_id if gate.evaluation else None,
        "open": gate.open,
        "words": gate.words,
        "checks": [
            {"key": one.key, "passed": one.passed, "text": one.text, "numbers": one.numbers}
            for one in gate.checks
        ],
    }


def present_production(
    extractor: Extractor, history: list[ProductionChange], before: str | None
) -> dict[str, Any]:
    """`history`: rows of `extraction.packages.queries.history_of`, the newest first."""
    current = extractor.production
    return {
        "feature_extractor_name": extractor.name,
        "version": current.version if current else None,
        "extractor_version_id": current.public_id if current else None,
        "rolls_back_to": before,
        "history": [
            {
                "version": one.version.version if one.version else None,
                "extractor_version_id": one.version.public_id if one.version else None,
                "reason": one.reason,
                "changed_by": one.actor,
                "changed_at": one.changed_at,
                "details": one.details,
            }
            for one in history
        ],
    }
