"""Imports of ground truth: what was sent, what became of it, and what was wrong in its files."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.intake.models import Blob, Bucket, Image
from mixcv.kernel.ids import random_id
from mixcv.kernel.models import Job


def import_id() -> str:
    return random_id("imp")


class TruthImport(models.Model):
    """One import of pictures with their truth into a bucket. Its job says how far it is.

    It comes as an archive that was sent, or as a folder on the server that a command reads by itself. `counts` is what
    it did so far; it is written with the rows that it counts.
    """

    class Format(models.TextChoices):
        AUTO = "auto"
        YOLO = "yolo"
        COCO = "coco"
        VOC = "voc"

    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, related_name="truth_imports")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="truth_import")
    public_id = models.CharField(max_length=40, unique=True, default=import_id)
    name = models.CharField(max_length=500, help_text="of the file or folder")
    archive = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    format = models.CharField(max_length=4, choices=Format.choices, default=Format.AUTO)
    counts = models.JSONField(default=dict, blank=True)
    actor = models.CharField(max_length=200, default="system")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["bucket", "-id"], name="import_newest")]

    def __str__(self) -> str:
        return self.name


class ImportedImage(models.Model):
    """An image that an import told of, under the first path that had its content."""

    truth_import = models.ForeignKey(TruthImport, on_delete=models.CASCADE, related_name="images")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")
    path = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["truth_import", "image"], name="imported_image_once")]

    def __str__(self) -> str:
        return self.path


class ImportFault(models.Model):
    """Something wrong in a file of an import. `line` 0: the file as a whole."""

    class Cost(models.TextChoices):
        KEPT = "kept", "Look at it"
        LEFT_OUT = "left_out", "Left out"
        HIDDEN = "hidden", "Left out, image not complete"

    truth_import = models.ForeignKey(TruthImport, on_delete=models.CASCADE, related_name="faults")
    image = models.ForeignKey(Image, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    file = models.TextField()
    line = models.PositiveIntegerField(default=0)
    message = models.TextField()
    cost = models.CharField(max_length=8, choices=Cost.choices)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return (
            f"{self.file}, line {self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"
        )
