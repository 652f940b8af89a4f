"""Detectors as versioned packages, and the features and vector spaces that they write."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.classes.models import ObjectClass
from extraction.intake.models import Blob
from mixcv.tenancy.models import Namespace


class Extractor(models.Model):
    """A detector by name; its versions stand beside each other, one of them may be in production."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="extractors")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    production = models.ForeignKey(
        "ExtractorVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="serves"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="extractor_name_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ExtractorVersion(models.Model):
    """Package, weights and fixed parameters: immutable once deployed.

    `package` names a built-in package; an uploaded one has `archive`. `weights` are bytes by hash, or none where the
    package loads its own. `class_names` are the weights' own, by index. `model_overrides`: models of the registry that
    this version loads in place of those that its code names, by id.
    """

    class State(models.TextChoices):
        REGISTERED = "registered"
        DEPLOYING = "deploying"
        READY = "ready"
        FAILED = "failed"
        RETIRED = "retired"

    extractor = models.ForeignKey(Extractor, on_delete=models.CASCADE, related_name="versions")
    version = models.CharField(max_length=20)
    public_id = models.CharField(max_length=140)
    package = models.CharField(max_length=100)
    archive = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    manifest = models.JSONField(default=dict)
    weights = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    weights_name = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    class_names = models.JSONField(default=list, blank=True)
    models_named = models.JSONField(
        default=list, blank=True, help_text="ids of the registry's models that its code names"
    )
    model_overrides = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.REGISTERED)
    error = models.TextField(blank=True)
    warnings = models.JSONField(
        default=list, blank=True, help_text="what runs otherwise than the package asked for, in words"
    )
    runtime = models.JSONField(
        default=dict, blank=True, help_text="device and library versions at deployment"
    )
    created_at = models.DateTimeField(default=timezone.now)
    deployed_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["extractor", "version"], name="extractor_version_once")
        ]
        indexes = [models.Index(fields=["public_id"], name="extractor_version_id")]
        ordering = ["extractor__name", "-created_at"]

    def __str__(self) -> str:
        return f"{self.extractor.name} {self.version}"


class ProductionChange(models.Model):
    """The history of which version was in production since when, and who put it there."""

    extractor = models.ForeignKey(Extractor, on_delete=models.CASCADE, related_name="production_history")
    version = models.ForeignKey(ExtractorVersion, null=True, blank=True, on_delete=models.PROTECT)
    actor = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    details = models.JSONField(
        default=dict, blank=True, help_text="what spoke for it: the evaluation, the gate's checks"
    )
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-changed_at"]

    def __str__(self) -> str:
        return f"{self.extractor.name} → {self.version.version if self.version else 'none'}"


class ClassIndex(models.Model):
    """A class's index in an extractor's weights: given once, never used again for another, never moved."""

    extractor = models.ForeignKey(Extractor, on_delete=models.CASCADE, related_name="class_indices")
    object_class = models.ForeignKey(ObjectClass, on_delete=models.PROTECT, related_name="indices")
    index = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "class indices"
        constraints = [
            models.UniqueConstraint(fields=["extractor", "object_class"], name="class_index_class_once"),
            models.UniqueConstraint(fields=["extractor", "index"], name="class_index_once"),
        ]

    def __str__(self) -> str:
        return f"{self.index} {self.object_class.name}"


class VectorSpace(models.Model):
    """Vectors of one space compare, whatever extractor version made them; those of two never do."""

    embedder = models.CharField(max_length=100)
    version = models.CharField(max_length=40)
    weights_sha256 = models.CharField(max_length=64)
    dimension = models.PositiveIntegerField()
    metric = models.CharField(max_length=12, default="cosine")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["embedder", "version", "weights_sha256", "dimension", "metric"],
                name="vector_space_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.embedder} {self.version}, {self.dimension}"


class Feature(models.Model):
    """What a version writes under a name; known outside as `mixpeek://<extractor>@<version>/<name>`.

    `same_as`: this feature's rows are that one's (the built-in package's vectors are the server's crop embeddings).
    """

    class Kind(models.TextChoices):
        JSON = "json"
        EMBEDDING = "embedding"

    extractor_version = models.ForeignKey(ExtractorVersion, on_delete=models.CASCADE, related_name="features")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    space = models.ForeignKey(
        VectorSpace, null=True, blank=True, on_delete=models.PROTECT, related_name="features"
    )
    same_as = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="aliases"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["extractor_version", "name"], name="feature_name_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def uri(self) -> str:
        version = self.extractor_version
        return f"mixpeek://{version.extractor.name}@{version.version}/{self.name}"


class Deployment(models.Model):
    """Each try to bring a version up, with what came of it. A worker owns it while `lease_until` lies ahead."""

    extractor_version = models.ForeignKey(
        ExtractorVersion, on_delete=models.CASCADE, related_name="deployments"
    )
    actor = models.CharField(max_length=200, default="system")
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.extractor_version} at {self.started_at:%Y-%m-%d %H:%M}"


class RegistryModel(models.Model):
    """Weights with a name and a version, which packages load by `load_namespace_model(public_id)`.

    `archive` are the bytes as they were sent, under `file_name`; `weights` lists the files in it once it is deployed.
    Only a host ever loads them.
    """

    class State(models.TextChoices):
        REGISTERED = "registered"
        DEPLOYING = "deploying"
        DEPLOYED = "deployed"
        FAILED = "failed"

    class Format(models.TextChoices):
        PYTORCH = "pytorch", "PyTorch"
        SAFETENSORS = "safetensors", "Safetensors"
        ONNX = "onnx", "ONNX"
        HUGGINGFACE = "huggingface", "Hugging Face"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="registry_models")
    name = models.CharField(max_length=64)
    version = models.CharField(max_length=20)
    public_id = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    model_format = models.CharField(max_length=12, choices=Format.choices)
    framework = models.CharField(max_length=40, blank=True)
    task_type = models.CharField(max_length=40, blank=True)
    archive = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=200)
    weights = models.JSONField(default=list, blank=True)
    resources = models.JSONField(default=dict, blank=True, help_text="num_cpus, num_gpus, memory as wished")
    state = models.CharField(max_length=12, choices=State.choices, default=State.REGISTERED)
    error = models.TextField(blank=True)
    actor = models.CharField(max_length=200, default="system")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    asked_at = models.DateTimeField(null=True, blank=True, help_text="when its deployment was asked for")
    deployed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["namespace", "name", "version"], name="registry_model_once"),
            models.UniqueConstraint(fields=["namespace", "public_id"], name="registry_model_id_once"),
        ]
        ordering = ["name", "-created_at"]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class ModelUse(models.Model):
    """A version's host asked the registry for this model; it needs it as long as it is there."""

    extractor_version = models.ForeignKey(
        ExtractorVersion, on_delete=models.CASCADE, related_name="model_uses"
    )
    model = models.ForeignKey(RegistryModel, on_delete=models.CASCADE, related_name="uses")
    first_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["extractor_version", "model"], name="model_use_once")]

    def __str__(self) -> str:
        return f"{self.extractor_version} uses {self.model}"
