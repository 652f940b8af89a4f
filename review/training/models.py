"""Runs of fine-tuning: what was trained on what, how it went, and the version that came of it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.intake.models import Blob
from extraction.packages.models import Extractor, ExtractorVersion, RegistryModel
from mixcv.kernel.ids import random_id
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetVersion


def run_id() -> str:
    return random_id("train")


class TrainingRun(models.Model):
    """One fine-tune of a version's weights on a dataset version. Its job says how far it is: done of total batches.

    `base_weights` names what stands for the base version's weights where its package loads its own: a file of the
    weights folder, or a model of the registry; `base_blob` are the bytes. `settings` as `settings.Settings`; `samples`:
    what the newest epoch sees on some validation images; `best`: the epoch whose weights are kept, with its figures.
    """

    class Phase(models.TextChoices):
        WAITING = "waiting"
        PREPARING = "preparing"
        TRAINING = "training"
        REGISTERING = "registering"
        DONE = "done"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="training_runs")
    extractor = models.ForeignKey(Extractor, on_delete=models.PROTECT, related_name="training_runs")
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.PROTECT, related_name="training_runs"
    )
    base_version = models.ForeignKey(
        ExtractorVersion, on_delete=models.PROTECT, related_name="training_runs_from"
    )
    base_weights = models.CharField(max_length=200, blank=True)
    base_blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="training_run")
    public_id = models.CharField(max_length=40, unique=True, default=run_id)
    settings = models.JSONField(default=dict)
    phase = models.CharField(max_length=12, choices=Phase.choices, default=Phase.WAITING)
    counts = models.JSONField(default=dict, blank=True, help_text="images to train and to validate, classes")
    best = models.JSONField(default=dict, blank=True)
    samples = models.JSONField(default=list, blank=True)
    runtime = models.JSONField(default=dict, blank=True, help_text="device and library versions")
    model = models.ForeignKey(
        RegistryModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="training_runs"
    )
    produced_version = models.ForeignKey(
        ExtractorVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="training_runs"
    )
    actor = models.CharField(max_length=200, default="system")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["namespace", "-created_at"], name="training_run_newest")]

    @property
    def base_map50_95(self) -> float | None:
        """What the start weights reached on the same validation images, where it was measured."""
        found: float | None = self.counts.get("base", {}).get("map50_95")
        return found

    @property
    def worse_than_base(self) -> bool:
        best, base = self.best.get("map50_95"), self.base_map50_95
        return best is not None and base is not None and best < base

    def __str__(self) -> str:
        return f"training of {self.extractor.name} on {self.dataset_version}"


class TrainingEpoch(models.Model):
    """What one epoch measured. Losses without unit; precision, recall and mAP on the validation images, 0 to 1."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="epochs")
    number = models.PositiveIntegerField(help_text="from 1")
    losses = models.JSONField(default=dict, help_text="train and val by name")
    precision = models.FloatField(null=True, blank=True)
    recall = models.FloatField(null=True, blank=True)
    map50 = models.FloatField(null=True, blank=True)
    map50_95 = models.FloatField(null=True, blank=True)
    seconds = models.FloatField(default=0)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="training_epoch_once")]

    def __str__(self) -> str:
        return f"epoch {self.number}"
