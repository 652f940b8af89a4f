"""What comes in: buckets, the objects in them, and the images that objects are."""

from __future__ import annotations

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from mixcv.kernel.ids import random_id
from mixcv.tenancy.models import Namespace


def object_id() -> str:
    return random_id("obj")


def upload_id() -> str:
    return random_id("upl")


class Bucket(models.Model):
    """A named pile of objects with a schema.

    `unique_key` lists metadata fields whose values together name one object; `unique_policy` says what happens to a
    second one of the same values. `split_key` names the metadata key whose value decides the holdout, so that
    near-duplicates (one camera, one session) stay together; empty: the image's content decides.
    """

    class Policy(models.TextChoices):
        INSERT = "insert"
        UPDATE = "update"
        UPSERT = "upsert"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="buckets")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=110)
    description = models.TextField(blank=True)
    schema = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    split_key = models.CharField(max_length=100, blank=True)
    unique_key = models.JSONField(default=list, blank=True)
    unique_policy = models.CharField(max_length=6, choices=Policy.choices, blank=True)
    object_count = models.PositiveIntegerField(default=0)
    total_bytes = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["namespace", "public_id"], name="bucket_id_once"),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Blob(models.Model):
    """Bytes in the store, once per namespace, named by their SHA-256."""

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="blobs")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    mime_type = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "sha256"], name="blob_content_once")]

    def __str__(self) -> str:
        return self.sha256[:12]

    @property
    def storage_name(self) -> str:
        return f"{self.namespace_id}/{self.sha256[:2]}/{self.sha256}"


class Image(models.Model):
    """A picture by its content. Boxes are in pixels of the upright working image, `width` × `height`.

    The working blob is the original where that is upright and of a common format already, else a re-encoding.
    `split` is set once, at first sight, and never computed again.
    """

    class Split(models.TextChoices):
        TRAIN = "train"
        HOLDOUT = "holdout"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="images")
    sha256 = models.CharField(max_length=64)
    original = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    working = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    group_key = models.CharField(max_length=200, blank=True)
    split = models.CharField(max_length=8, choices=Split.choices, default=Split.TRAIN)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["namespace", "sha256"], name="image_content_once")]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} {self.width} × {self.height}"


class Object(models.Model):
    """One thing that somebody put into a bucket. Its image is there once the bytes are fetched and verified."""

    class State(models.TextChoices):
        PENDING = "PENDING"
        READY = "READY"
        FAILED = "FAILED"

    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, related_name="contents")
    public_id = models.CharField(max_length=40, unique=True, default=object_id)
    key = models.CharField(max_length=500)
    property = models.CharField(max_length=100, default="image")
    metadata = models.JSONField(default=dict, blank=True)
    source_url = models.TextField(blank=True)
    image = models.ForeignKey(
        Image, null=True, blank=True, on_delete=models.PROTECT, related_name="occurrences"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    error = models.TextField(blank=True)
    # What the sender calls this object, so that a repeated call adds nothing.
    idempotency_key = models.CharField(max_length=255, blank=True)
    # The values of the bucket's `unique_key`, hashed; empty where the bucket has none.
    unique_value = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["bucket", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="object_idempotency_once",
            ),
            models.UniqueConstraint(
                fields=["bucket", "unique_value"],
                condition=~models.Q(unique_value=""),
                name="object_unique_key_once",
            ),
        ]
        indexes = [
            models.Index(fields=["bucket", "-id"], name="object_newest"),
            models.Index(fields=["bucket", "image"], name="object_image"),
            models.Index(OpClass(Upper("key"), name="text_pattern_ops"), name="object_key_prefix"),
            models.Index(fields=["id"], name="object_waiting", condition=models.Q(state="PENDING")),
        ]

    def __str__(self) -> str:
        return self.key


class Upload(models.Model):
    """Room for bytes that somebody is going to send to a signed address: an image, a package, weights or ground truth.

    The sender PUTs the bytes, then confirms; `params` is what the confirmation needs to know.
    """

    class Kind(models.TextChoices):
        OBJECT = "object"
        PACKAGE = "package"
        MODEL = "model"
        TRUTH = "truth"

    class State(models.TextChoices):
        PENDING = "PENDING"
        UPLOADED = "UPLOADED"
        COMPLETED = "COMPLETED"
        FAILED = "FAILED"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="uploads")
    public_id = models.CharField(max_length=40, unique=True, default=upload_id)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    bucket = models.ForeignKey(
        Bucket, null=True, blank=True, on_delete=models.CASCADE, related_name="uploads"
    )
    object = models.ForeignKey(Object, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    filename = models.CharField(max_length=500)
    content_type = models.CharField(max_length=100, blank=True)
    params = models.JSONField(default=dict, blank=True)
    blob = models.ForeignKey(Blob, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    etag = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    error = models.TextField(blank=True)
    actor = models.CharField(max_length=200, default="system")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["namespace", "-created_at"], name="upload_newest"),
            models.Index(fields=["expires_at"], name="upload_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.filename}"
