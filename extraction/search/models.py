"""Retrievers, and the record of each time one was run."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.runs.models import Collection
from mixcv.kernel.ids import random_id
from mixcv.tenancy.models import Namespace


def execution_id() -> str:
    return random_id("exec")


class Retriever(models.Model):
    """A named search: stages over the documents or detections of collections."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="retrievers")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=110)
    description = models.TextField(blank=True)
    stages = models.JSONField(default=list)
    collections = models.ManyToManyField(Collection, related_name="retrievers", blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "public_id"], name="retriever_id_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Execution(models.Model):
    """One run of a retriever: what annotations name as the occasion on which a box was shown."""

    public_id = models.CharField(max_length=40, unique=True, default=execution_id)
    retriever = models.ForeignKey(Retriever, on_delete=models.CASCADE, related_name="executions")
    inputs = models.JSONField(default=dict, blank=True)
    actor = models.CharField(max_length=200, default="system")
    result_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["retriever", "-created_at"], name="execution_newest")]

    def __str__(self) -> str:
        return self.public_id
