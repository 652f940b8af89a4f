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


# One live annotation per detection and actor holds one of these; `missed` and labels of the vocabulary stand beside it.
VERDICTS = [Label.CONFIRMED.value, Label.CORRECTED.value, Label.FALSE_POSITIVE.value]


class Source(models.TextChoices):
    QUEUE = "queue"
    AUDIT = "audit"
    GRID = "grid"
    API = "api"
    ADMIN = "admin"


class LabelDefinition(models.Model):
    """A label of a namespace's own, beside the four verdicts. It has no effect on ground truth."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=500, blank=True)
    created_by = models.CharField(max_length=200, default="system")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "label"
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="label_name_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Decision(models.Model):
    """The columns that an annotation and each of its versions share."""

    label = models.CharField(max_length=100)
    object_class = models.ForeignKey(
        ObjectClass, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
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
    class and box; a label of the vocabulary by actor, detection (or document) and label. `actor` is who made it; each
    version names who made that one. `decided_at`: since when label, class and box hold. Boxes: centre, width and
    height in pixels of the upright image.
    """

    public_id = models.CharField(max_length=40, unique=True, default=annotation_id)
    # The compound indexes below serve these keys as well; classes and versions are never deleted.
    namespace = models.ForeignKey(
        Namespace, on_delete=models.CASCADE, related_name="annotations", db_index=False
    )
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="annotations", db_index=False)
    collection = models.ForeignKey(
        Collection,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="annotations",
        db_index=False,
    )
    document = models.ForeignKey(
        Document, null=True, blank=True, on_delete=models.PROTECT, related_name="annotations", db_index=False
    )
    detection = models.ForeignKey(
        Detection, null=True, blank=True, on_delete=models.PROTECT, related_name="annotations"
    )
    predicted_class = models.ForeignKey(
        ObjectClass, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    predicted_confidence = models.FloatField(null=True, blank=True)
    extractor_version = models.ForeignKey(
        ExtractorVersion, null=True, blank=True, on_delete=models.PROTECT, db_index=False
    )
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["detection", "actor"],
                condition=models.Q(detection__isnull=False, deleted_at__isnull=True, label__in=VERDICTS),
                name="annotation_one_per_actor",
            ),
            models.UniqueConstraint(
                fields=["detection", "actor", "label"],
                condition=models.Q(detection__isnull=False, deleted_at__isnull=True)
                & ~models.Q(label__in=[*VERDICTS, Label.MISSED.value]),
                name="annotation_one_per_label",
            ),
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

    # Its unique constraint is the index.
    annotation = models.ForeignKey(
        Annotation, on_delete=models.CASCADE, related_name="versions", db_index=False
    )
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


class AnnotationCount(models.Model):
    """How many live annotations there are, by day of creation (UTC) and what statistics ask for.

    Every write adds rows of its own (`n` is what it adds or takes away), so that no two writers wait for one row; a
    task folds them into one row per key. The sum over a key is exact at any time. `object_class` is what the detector
    called it, for a missed object what it is.
    """

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="+", db_index=False)
    collection = models.ForeignKey(
        Collection, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    day = models.DateField()
    label = models.CharField(max_length=100)
    object_class = models.ForeignKey(
        ObjectClass, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    extractor_version = models.ForeignKey(
        ExtractorVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.CharField(max_length=10)
    n = models.IntegerField()
    folded = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("namespace", "collection", "day", "label"),
                    *("object_class", "extractor_version", "source"),
                ],
                condition=models.Q(folded=True),
                nulls_distinct=False,
                name="annotation_count_once",
            )
        ]
        indexes = [
            models.Index(fields=["namespace", "day"], name="annotation_count_day"),
            models.Index(fields=["id"], name="annotation_count_open", condition=models.Q(folded=False)),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.label} {self.n:+}"
