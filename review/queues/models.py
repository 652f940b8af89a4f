"""What waits for a person, in which order."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from extraction.intake.models import Image
from extraction.runs.models import Collection, Detection
from extraction.search.models import Retriever
from mixcv.tenancy.models import Namespace


class Queue(models.Model):
    """A retriever plus an order. Its items are rows with a stored score, so that 'next' is one index lookup."""

    class Kind(models.TextChoices):
        DOUBTFUL = "doubtful"
        RETRIEVER = "retriever"
        HOLDOUT = "holdout"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="queues")
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.DOUBTFUL)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="queues")
    retriever = models.ForeignKey(Retriever, on_delete=models.PROTECT, related_name="queues")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=130)
    doubtful_below = models.FloatField(help_text="boxes with a confidence under this wait here")
    waiting_count = models.IntegerField(default=0)
    done_count = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["namespace", "public_id"], name="queue_id_once"),
            models.CheckConstraint(
                condition=models.Q(doubtful_below__gte=0, doubtful_below__lte=1),
                name="queue_threshold_0_to_1",
            ),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def stage_name(self) -> str:
        """The stage that chose the boxes, as verdicts name it."""
        return str(self.retriever.stages[-1]["stage_name"]) if self.retriever.stages else ""


class QueueItem(models.Model):
    """A detection that waits in a queue, or (without one) an image as a whole. A lower score comes first."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        SUPERSEDED = "superseded"

    class Source(models.TextChoices):
        QUEUE = "queue"
        AUDIT = "audit"

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="items")
    detection = models.ForeignKey(
        Detection, null=True, blank=True, on_delete=models.CASCADE, related_name="queue_items"
    )
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="queue_items")
    score = models.FloatField()
    reason = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    source = models.CharField(max_length=5, choices=Source.choices, default=Source.QUEUE)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "detection"], name="queue_item_once"),
            models.UniqueConstraint(
                fields=["queue", "image"], condition=models.Q(detection=None), name="queue_image_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "score", "id"], name="queue_next", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["image"], name="queue_item_image", condition=models.Q(state="waiting")),
            models.Index(fields=["detection"], name="queue_item_detection"),
        ]

    def __str__(self) -> str:
        return f"{self.queue_id}: {self.score:.2f}"
