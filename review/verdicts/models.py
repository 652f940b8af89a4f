"""What people decided, with every version of it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.intake.models import Image
from extraction.packages.models import ExtractorVersion
from extraction.runs.models import Collection, Detection, Document
from mixcv.kernel.ids import random_id
from mixcv.tenancy.models import Namespace


def annotation_id() -> str:
    return random_id("ann")


class Label(models.TextChoices):
    """The four verdicts. A namespace's vocabulary may add labels of its own."""

    CONFIRMED = "confirmed", "Confirmed"
    CORRECTED = "corrected", "Corrected"
    FALSE_POSITIVE = "false_positive", "Not an object"
    MISSED = "missed", "Missed"


class Source(models.TextChoices):
    QUEUE = "queue"
    AUDIT = "audit"
    GRID = "grid"
    API = "api"
    ADMIN = "admin"


class Decision(models.Model):
    """The columns that an annotation and each of its versions share."""

    label = models.CharField(max_length=100)
    object_class = models.ForeignKey(
        ObjectClass, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    cx = models.FloatField(null=True, blank=True)
    cy = models.FloatField(null=True, blank=True)
    w = models.FloatField(null=True, blank=True)
    h = models.FloatField(null=True, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    reasoning = models.TextField(blank=True)
    payload = models.JSONField(default=dict, blank=True, help_text="as sent")
    metadata = models.JSONField(default=dict, blank=True)
    actor = models.CharField(max_length=200)
    actor_type = models.CharField(max_length=20, default="user")
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.API)
    retriever_ref = models.CharField(max_length=200, blank=True)
    execution_ref = models.CharField(max_length=200, blank=True)
    stage_name = models.CharField(max_length=200, blank=True)
    seconds = models.FloatField(null=True, blank=True, help_text="from being shown to being decided")

    class Meta:
        abstract = True


class Annotation(Decision):
    """A decision about a detection, or about an object that none was found for; the row holds the latest version.

    One live annotation per detection and actor for the three verdicts; a missed object is told by actor, image,
    class and box. Boxes: centre, width and height in pixels of the upright image.
    """

    public_id = models.CharField(max_length=40, unique=True, default=annotation_id)
    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="annotations")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="annotations")
    collection = models.ForeignKey(
        Collection, null=True, blank=True, on_delete=models.PROTECT, related_name="annotations"
    )
    document = models.ForeignKey(
        Document, null=True, blank=True, on_delete=models.PROTECT, related_name="annotations"
    )
    detection = models.ForeignKey(
        Detection, null=True, blank=True, on_delete=models.PROTECT, related_name="annotations"
    )
    predicted_class = models.ForeignKey(
        ObjectClass, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    predicted_confidence = models.FloatField(null=True, blank=True)
    extractor_version = models.ForeignKey(ExtractorVersion, null=True, blank=True, on_delete=models.PROTECT)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["detection", "actor"],
                condition=models.Q(detection__isnull=False, deleted_at__isnull=True),
                name="annotation_one_per_actor",
            )
        ]
        indexes = [
            models.Index(fields=["namespace", "-created_at"], name="annotation_newest"),
            models.Index(fields=["collection", "label"], name="annotation_label"),
            models.Index(fields=["image"], name="annotation_image"),
            models.Index(fields=["document"], name="annotation_document"),
            models.Index(fields=["namespace", "actor", "-updated_at"], name="annotation_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.public_id}"


class AnnotationVersion(Decision):
    """One version of an annotation, as it was decided. Written once, never changed."""

    annotation = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    takes_back = models.BooleanField(default=False, help_text="this version takes back the one before it")
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotation", "version"], name="annotation_version_once")
        ]
        ordering = ["annotation", "version"]

    def __str__(self) -> str:
        return f"{self.annotation_id} version {self.version}"
