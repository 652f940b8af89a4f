"""Frozen training sets. The rows stand here from the start, since versions refer to annotation versions for ever."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.intake.models import Image
from extraction.packages.models import Extractor
from mixcv.tenancy.models import Namespace


class Dataset(models.Model):
    """A named policy for an extractor."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="datasets")
    extractor = models.ForeignKey(Extractor, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=110)
    policy = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "public_id"], name="dataset_id_once")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """One freeze of a dataset."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    policy = models.JSONField(default=dict)
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_once")]

    def __str__(self) -> str:
        return f"{self.dataset.name} {self.number}"


class DatasetItem(models.Model):
    """One image of a version: a frozen copy of what identifies it. Its blobs are protected by the image."""

    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="items")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="dataset_items")
    image_sha256 = models.CharField(max_length=64)
    split = models.CharField(max_length=8)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset_version", "image"], name="dataset_image_once"),
        ]

    def __str__(self) -> str:
        return self.image_sha256[:12]


class DatasetBox(models.Model):
    """One box of a frozen image; centre form, pixels of the upright image."""

    item = models.ForeignKey(DatasetItem, on_delete=models.CASCADE, related_name="boxes")
    class_index = models.PositiveIntegerField()
    cx = models.FloatField()
    cy = models.FloatField()
    w = models.FloatField()
    h = models.FloatField()
    annotation_id = models.CharField(max_length=40, blank=True)
    annotation_version = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.class_index} in {self.item_id}"
