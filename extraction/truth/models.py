"""What is really on an image, and how completely that is known."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.intake.models import Image
from extraction.runs.models import Detection


class GroundTruthBox(models.Model):
    """One real object on an image: one row, whoever detected or drew it. Pixels of the upright image, centre form.

    Export, evaluation, references and completeness read only these rows. `evidence` is the annotation's public id.
    `imported` is what an import told: `{"class": id, "box": [cx, cy, w, h]}`, which holds again when a
    person's decision about it is taken back.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        DISPUTED = "disputed"
        REMOVED = "removed"

    class Origin(models.TextChoices):
        ANNOTATION = "annotation"
        IMPORT = "import"
        ACCEPTED = "accepted"

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="truth")
    object_class = models.ForeignKey(ObjectClass, on_delete=models.PROTECT, related_name="truth")
    cx = models.FloatField()
    cy = models.FloatField()
    w = models.FloatField()
    h = models.FloatField()
    version = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.ANNOTATION)
    detection = models.ForeignKey(
        Detection, null=True, blank=True, on_delete=models.SET_NULL, related_name="truth"
    )
    evidence = models.CharField(max_length=40, blank=True)
    imported = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "ground truth boxes"
        constraints = [
            models.UniqueConstraint(
                fields=["detection"], condition=models.Q(detection__isnull=False), name="truth_detection_once"
            ),
            models.CheckConstraint(condition=models.Q(w__gt=0, h__gt=0), name="truth_box_has_area"),
        ]
        indexes = [
            models.Index(fields=["image"], name="truth_image"),
            models.Index(fields=["evidence"], name="truth_evidence"),
        ]

    def __str__(self) -> str:
        return f"{self.object_class.name} on {self.image_id}"


class DetectionMatch(models.Model):
    """A detection that needs no decision of its own, since another look at the image has decided this object.

    `truth`: the object that it covers, of the same class. `rejected`: the detection, of the same class and place, of
    which a person said that it is no object. One of the two; neither where that detection is gone: then the match holds
    until the next matching. `iou`: how well they cover each other, 0 to 1.
    """

    detection = models.OneToOneField(Detection, on_delete=models.CASCADE, related_name="match")
    truth = models.ForeignKey(
        GroundTruthBox, null=True, blank=True, on_delete=models.CASCADE, related_name="matches"
    )
    rejected = models.ForeignKey(
        Detection, null=True, blank=True, on_delete=models.SET_NULL, related_name="found_again"
    )
    iou = models.FloatField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "detection matches"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(truth__isnull=True) | models.Q(rejected__isnull=True),
                name="match_to_one_thing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.detection_id} is known"


class MatchWish(models.Model):
    """An image whose detections are to be matched again; appended with the change that asks for it, never updated."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"match {self.image_id}"


class ImageReview(models.Model):
    """How far an image is reviewed, and who has it open.

    The lease is on the image, so that two people never get boxes of one picture at the same time.
    """

    class Completeness(models.TextChoices):
        UNSEEN = "unseen"
        PARTIAL = "partial"
        COMPLETE = "complete"
        VERIFIED_EMPTY = "verified_empty"

    image = models.OneToOneField(Image, on_delete=models.CASCADE, related_name="review")
    completeness = models.CharField(max_length=14, choices=Completeness.choices, default=Completeness.UNSEEN)
    declared = models.BooleanField(default=False, help_text="a person said that nothing is missing")
    revision = models.PositiveIntegerField(default=0)
    lease_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.image_id}: {self.completeness}"
