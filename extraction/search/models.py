"""Retrievers, and the record of each time one was run."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.runs.models import Collection
from mixcv.kernel.ids import random_id
from mixcv.tenancy.models import Namespace


def execution_id() -> str:
    return random_id("exec")


class Unit(models.TextChoices):
    """What a search returns: images with their detections, or single detections."""

    DOCUMENT = "document"
    DETECTION = "detection"


class Retriever(models.Model):
    """A named search: stages over the documents or detections of collections.

    Without collections it searches every collection that has the features it names.
    """

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="retrievers")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=110)
    description = models.TextField(blank=True)
    stages = models.JSONField(default=list)
    unit = models.CharField(max_length=10, choices=Unit.choices, default=Unit.DOCUMENT)
    input_schema = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=list, blank=True)
    collections = models.ManyToManyField(Collection, related_name="retrievers", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "public_id"], name="retriever_id_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Execution(models.Model):
    """One run of a search: what annotations name as the occasion on which a box was shown.

    `definition` is what ran: stages, collections, unit. `stages` says what each took, returned and cost in
    milliseconds. `results` are the first hits, each `[id, key, score]`, so that it can be read again and paged on.
    """

    class Status(models.TextChoices):
        COMPLETED = "completed"
        FAILED = "failed"

    class Mode(models.TextChoices):
        RETRIEVER = "retriever"
        ADHOC = "adhoc"
        QUEUE = "queue"

    public_id = models.CharField(max_length=40, unique=True, default=execution_id)
    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="executions")
    retriever = models.ForeignKey(
        Retriever, null=True, blank=True, on_delete=models.SET_NULL, related_name="executions"
    )
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.RETRIEVER)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.COMPLETED)
    error = models.TextField(blank=True)
    definition = models.JSONField(default=dict, blank=True)
    unit = models.CharField(max_length=10, choices=Unit.choices, default=Unit.DOCUMENT)
    inputs = models.JSONField(default=dict, blank=True)
    filters = models.JSONField(default=dict, blank=True)
    stages = models.JSONField(default=list, blank=True)
    results = models.JSONField(default=list, blank=True)
    warnings = models.JSONField(default=list, blank=True)
    actor = models.CharField(max_length=200, default="system")
    result_count = models.PositiveIntegerField(default=0, help_text="all that matched")
    duration_ms = models.FloatField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["retriever", "-created_at"], name="execution_newest"),
            models.Index(fields=["namespace", "-created_at"], name="execution_of_namespace"),
        ]

    def __str__(self) -> str:
        return self.public_id
