"""A detector's work over a bucket: collections, batches, documents, detections, embeddings."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from pgvector.django import HalfVectorField

from extraction.classes.models import ObjectClass
from extraction.intake.models import Bucket, Image, Object
from extraction.packages.models import ExtractorVersion, Feature
from mixcv.kernel.ids import random_id
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Namespace


def batch_id() -> str:
    return random_id("btch")


class Collection(models.Model):
    """One extractor version's results over one or more buckets, for ever of that version."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="collections")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=110)
    description = models.TextField(blank=True)
    extractor_version = models.ForeignKey(
        ExtractorVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="collections"
    )
    source = models.CharField(max_length=20, default="bucket")
    buckets = models.ManyToManyField(Bucket, related_name="collections", blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(
        default=True, help_text="detect new objects of the source buckets by itself"
    )
    document_count = models.PositiveIntegerField(default=0)
    detection_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "public_id"], name="collection_id_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Batch(models.Model):
    """A set of objects to run through collections. New objects of a bucket gather in an open automatic one."""

    class State(models.TextChoices):
        DRAFT = "DRAFT"
        OPEN = "OPEN"
        PROCESSING = "PROCESSING"
        COMPLETED = "COMPLETED"
        COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
        FAILED = "FAILED"
        CANCELED = "CANCELED"

    class Dedup(models.TextChoices):
        SKIP = "skip"
        REPLACE = "replace"
        FORCE = "force"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="batches")
    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, related_name="batches")
    public_id = models.CharField(max_length=40, unique=True, default=batch_id)
    name = models.CharField(max_length=200, blank=True)
    automatic = models.BooleanField(default=False)
    dedup = models.CharField(max_length=8, choices=Dedup.choices, default=Dedup.SKIP)
    state = models.CharField(max_length=24, choices=State.choices, default=State.DRAFT)
    collections = models.ManyToManyField(Collection, related_name="batches", blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    webhook_url = models.TextField(blank=True, help_text="told once when the batch is over")
    webhook_attempts = models.PositiveSmallIntegerField(default=0)
    webhook_due_at = models.DateTimeField(null=True, blank=True)
    webhook_sent_at = models.DateTimeField(null=True, blank=True)
    webhook_error = models.TextField(blank=True)
    item_count = models.PositiveIntegerField(default=0)
    done_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(
                fields=["bucket"],
                condition=models.Q(automatic=True, state="OPEN"),
                name="batch_one_open_automatic",
            )
        ]
        indexes = [
            models.Index(fields=["namespace", "-created_at"], name="batch_newest"),
            models.Index(
                fields=["webhook_due_at"],
                name="batch_webhook_due",
                condition=models.Q(webhook_due_at__isnull=False),
            ),
            models.Index(
                fields=["id"], name="batch_live", condition=models.Q(state__in=["OPEN", "PROCESSING"])
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.public_id

    @property
    def is_over(self) -> bool:
        return self.state not in {self.State.DRAFT, self.State.OPEN, self.State.PROCESSING}


class BatchItem(models.Model):
    """One object for one collection. A worker owns it while `lease_until` lies ahead."""

    class State(models.TextChoices):
        PENDING = "PENDING"
        RUNNING = "RUNNING"
        DONE = "DONE"
        SKIPPED = "SKIPPED"
        FAILED = "FAILED"
        CANCELED = "CANCELED"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="items")
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="items")
    object = models.ForeignKey(Object, on_delete=models.CASCADE, related_name="items")
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    reason = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "collection", "object"], name="batch_item_once"),
        ]
        indexes = [
            models.Index(fields=["batch", "state"], name="batch_item_state"),
            models.Index(
                fields=["collection", "id"], name="batch_item_pending", condition=models.Q(state="PENDING")
            ),
            models.Index(
                fields=["lease_until"], name="batch_item_running", condition=models.Q(state="RUNNING")
            ),
            # One piece of work under way per object and collection, whatever batches ask for it.
            models.Index(
                fields=["collection", "object"],
                name="batch_item_live",
                condition=models.Q(state__in=["PENDING", "RUNNING"]),
            ),
        ]

    def __str__(self) -> str:
        return f"item {self.pk}"


class Document(models.Model):
    """One object in one collection; `doc_<slug>` outside."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="documents")
    object = models.ForeignKey(Object, on_delete=models.CASCADE, related_name="documents")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="documents")
    slug = models.CharField(max_length=220)
    metadata = models.JSONField(default=dict, blank=True)
    generation = models.PositiveIntegerField(default=1)
    next_ordinal = models.PositiveIntegerField(default=0)
    detection_count = models.PositiveIntegerField(default=0, help_text="of the current generation")
    top_confidence = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["collection", "object"], name="document_object_once"),
            models.UniqueConstraint(fields=["collection", "slug"], name="document_slug_once"),
        ]
        indexes = [
            models.Index(fields=["slug"], name="document_slug"),
            models.Index(fields=["collection", "top_confidence"], name="document_confidence"),
        ]

    def __str__(self) -> str:
        return self.slug


class Detection(models.Model):
    """A box that a version found; centre, width and height in pixels of the upright image.

    `ordinal` names it for ever (`<document>_det_<ordinal>`); `rank` is its place by falling confidence in its
    generation. `decided_label`, `decided_class` and `revision` are written by review, `enrichment` by taxonomy,
    through verbs of this room.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="detections")
    ordinal = models.PositiveIntegerField()
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="detections")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="detections")
    extractor_version = models.ForeignKey(
        ExtractorVersion, on_delete=models.PROTECT, related_name="detections"
    )
    generation = models.PositiveIntegerField(default=1)
    current = models.BooleanField(
        default=True, db_default=True, help_text="of its document's current generation"
    )
    rank = models.PositiveIntegerField()
    object_class = models.ForeignKey(ObjectClass, on_delete=models.PROTECT, related_name="detections")
    confidence = models.FloatField()
    cx = models.FloatField()
    cy = models.FloatField()
    w = models.FloatField()
    h = models.FloatField()
    class_scores = models.JSONField(null=True, blank=True)
    extra = models.JSONField(null=True, blank=True)
    enrichment = models.JSONField(null=True, blank=True)
    decided_label = models.CharField(max_length=100, blank=True, db_default="")
    decided_class = models.ForeignKey(
        ObjectClass, null=True, blank=True, on_delete=models.PROTECT, related_name="decided_detections"
    )
    revision = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "ordinal"], name="detection_ordinal_once")]
        indexes = [
            models.Index(fields=["image"], name="detection_image"),
            models.Index(
                fields=["collection", "confidence"],
                name="detection_doubtful",
                condition=models.Q(current=True, decided_label=""),
            ),
            models.Index(fields=["collection", "object_class"], name="detection_class"),
        ]

    def __str__(self) -> str:
        return f"detection {self.pk}"


class Embedding(models.Model):
    """A detection's vector in a feature's space."""

    pk = models.CompositePrimaryKey("feature", "detection")
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="embeddings")
    detection = models.ForeignKey(Detection, on_delete=models.CASCADE, related_name="embeddings")
    vector = HalfVectorField()

    def __str__(self) -> str:
        return f"embedding of {self.detection_id}"
