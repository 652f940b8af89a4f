"""Measurements of versions on a frozen holdout, and what a version must show to go into production."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from extraction.packages.models import Extractor, ExtractorVersion
from mixcv.kernel.ids import random_id
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetItem, DatasetVersion


def evaluation_id() -> str:
    return random_id("eval")


class Evaluation(models.Model):
    """Some versions on the holdout of one dataset version. Its job counts images, once per version.

    `settings`: `threshold` (null: each version's own), `iou` at which a box counts as found, and how classes were
    called when it began: `names` (class key by name) and `merged` (key of the class that another was merged into).
    `classes`: `{class_id, name, colour, boxes}`, those of the dataset in the order of their indices first; `boxes`
    counts the holdout's truth.
    """

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="evaluations")
    extractor = models.ForeignKey(Extractor, on_delete=models.PROTECT, related_name="evaluations")
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="evaluations")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="evaluation")
    public_id = models.CharField(max_length=40, unique=True, default=evaluation_id)
    settings = models.JSONField(default=dict)
    classes = models.JSONField(default=list, blank=True)
    image_count = models.PositiveIntegerField(default=0)
    box_count = models.PositiveIntegerField(default=0)
    actor = models.CharField(max_length=200, default="system")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["namespace", "-created_at"], name="evaluation_newest")]

    def __str__(self) -> str:
        return f"evaluation {self.public_id}"


class EvaluatedVersion(models.Model):
    """One version's result; `metrics` as `review.evaluation.metrics` says, empty until it is computed.

    `threshold`: the confidence from which on a box counts in all that is not a curve or a mean over one.
    """

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="versions")
    extractor_version = models.ForeignKey(
        ExtractorVersion, on_delete=models.PROTECT, related_name="evaluated"
    )
    position = models.PositiveIntegerField(default=0)
    threshold = models.FloatField(default=0.25)
    metrics = models.JSONField(default=dict, blank=True)
    milliseconds = models.FloatField(null=True, blank=True, help_text="per image, median")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["evaluation", "extractor_version"], name="evaluated_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.extractor_version} in {self.evaluation_id}"


class ImagePrediction(models.Model):
    """What a version finds on one holdout image, down to a very low confidence, and how that fits the truth.

    `boxes`: `[class id, confidence, cx, cy, w, h]` by falling confidence, pixels of the upright image. `outcome`:
    `{"found": [[truth, box]], "wrong": [[truth, box]], "missed": [truth], "false": [box]}` at the working threshold,
    numbers of `DatasetBox` rows in the order of their keys and of `boxes`; `errors` is the sum of the last three.
    `cells`: `"<class of the truth>><class found>"`, 0 for none, each cell of the confusion matrix that the image
    counts in, errors and hits. `marks`: by class (and `"all"`) `[least, most]`, so that at a threshold t the image has
    a missed object where `least < t` and a false alarm where `most >= t`.
    """

    evaluated = models.ForeignKey(EvaluatedVersion, on_delete=models.CASCADE, related_name="predictions")
    item = models.ForeignKey(DatasetItem, on_delete=models.CASCADE, related_name="predictions")
    boxes = models.JSONField(default=list)
    error = models.TextField(blank=True)
    outcome = models.JSONField(default=dict)
    cells = ArrayField(models.CharField(max_length=43), default=list)
    marks = models.JSONField(default=dict)
    errors = models.PositiveIntegerField(default=0)
    misses = models.PositiveIntegerField(default=0)
    false_alarms = models.PositiveIntegerField(default=0)
    wrong_classes = models.PositiveIntegerField(default=0)
    milliseconds = models.FloatField(null=True, blank=True, help_text="of its chunk, per image")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evaluated", "item"], name="image_prediction_once")]

    def __str__(self) -> str:
        return f"{self.evaluated_id} on {self.item_id}"


class Comparison(models.Model):
    """Two versions of an evaluation against each other: `results` has differences with their intervals."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="comparisons")
    old = models.ForeignKey(EvaluatedVersion, on_delete=models.CASCADE, related_name="+")
    new = models.ForeignKey(EvaluatedVersion, on_delete=models.CASCADE, related_name="+")
    results = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["old", "new"], name="comparison_once")]

    def __str__(self) -> str:
        return f"{self.old_id} against {self.new_id}"


class PromotionPolicy(models.Model):
    """What the gate asks of an extractor's versions; without a row the defaults hold."""

    extractor = models.OneToOneField(Extractor, on_delete=models.CASCADE, related_name="promotion_policy")
    class_bound = models.FloatField(default=0.03, help_text="by how much AP no class may fall")
    least_boxes = models.PositiveIntegerField(default=20, help_text="checked boxes that each class needs")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "promotion policies"

    def __str__(self) -> str:
        return f"gate of {self.extractor.name}"
