"""Frozen training sets: what is wanted of a dataset, and what each of its versions holds for ever."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.intake.models import Image
from extraction.packages.models import Extractor
from mixcv.tenancy.models import Namespace


class Dataset(models.Model):
    """A named policy for an extractor, with images that were asked for one by one; see `policy.Policy`."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="datasets")
    extractor = models.ForeignKey(Extractor, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=110)
    policy = models.JSONField(default=dict)
    last_number = models.PositiveIntegerField(default=0, help_text="of the latest version; never given again")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "public_id"], name="dataset_id_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class DatasetInclude(models.Model):
    """An image that is wanted whatever the policy's buckets and share of background say, once it is reviewed."""

    class Kind(models.TextChoices):
        ADD = "add", "added by hand"
        HARD_NEGATIVE = "hard_negative", "hard negative"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="includes")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="dataset_includes")
    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.ADD)
    actor = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "image"], name="dataset_include_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.image_id}"


class DatasetVersion(models.Model):
    """One freeze of a dataset, never changed. `classes`: `{index, name, class_id}` in the order of their indices.

    `counts` is the plan as it was built; `manifest_sha256` is the hash of the file `manifest.jsonl` of every export.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    policy = models.JSONField(default=dict)
    seed = models.PositiveIntegerField(default=0)
    classes = models.JSONField(default=list)
    counts = models.JSONField(default=dict)
    image_count = models.PositiveIntegerField(default=0)
    box_count = models.PositiveIntegerField(default=0)
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=200, default="system")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_once")]
        ordering = ["dataset", "-number"]

    def __str__(self) -> str:
        return f"{self.dataset.name} {self.number}"


class DatasetItem(models.Model):
    """One image of a version: a frozen copy of what identifies it. Its blobs are protected by the image."""

    class Split(models.TextChoices):
        TRAIN = "train"
        VAL = "val"

    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="items")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="dataset_items")
    image_sha256 = models.CharField(max_length=64)
    split = models.CharField(max_length=8, choices=Split.choices)
    holdout = models.BooleanField(default=False, help_text="kept back from every training")
    file_name = models.CharField(max_length=110)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    rule = models.CharField(max_length=20, help_text="why it was taken")
    hard_negatives = models.PositiveIntegerField(
        default=0, help_text="boxes on it that a person said are no object"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset_version", "image"], name="dataset_image_once"),
            models.UniqueConstraint(
                fields=["dataset_version", "split", "file_name"], name="dataset_file_once"
            ),
        ]

    def __str__(self) -> str:
        return self.image_sha256[:12]


class DatasetBox(models.Model):
    """One box of a frozen image; centre form, pixels of the upright image, inside it.

    `annotation_id` and `annotation_version` say which decision it comes from; an accepted detection has none.
    """

    item = models.ForeignKey(DatasetItem, on_delete=models.CASCADE, related_name="boxes")
    class_index = models.PositiveIntegerField()
    object_class = models.ForeignKey(ObjectClass, on_delete=models.PROTECT, related_name="+", db_index=False)
    cx = models.FloatField()
    cy = models.FloatField()
    w = models.FloatField()
    h = models.FloatField()
    origin = models.CharField(max_length=10, help_text="annotation, import or accepted")
    annotation_id = models.CharField(max_length=40, blank=True)
    annotation_version = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.class_index} in {self.item_id}"
