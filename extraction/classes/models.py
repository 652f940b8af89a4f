"""What a box can be called."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from mixcv.tenancy.models import Namespace

COLOURS = 12


class ObjectClass(models.Model):
    """One class of object in a namespace: the same id, name and colour wherever it appears.

    A class keeps its colour for ever. One that an API payload names first is `proposed`: it has no index in any
    extractor until it enters a dataset version.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed"
        ACTIVE = "active"
        RETIRED = "retired"

    namespace = models.ForeignKey(Namespace, on_delete=models.CASCADE, related_name="classes")
    name = models.CharField(max_length=200)
    colour = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(COLOURS)])
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "class"
        verbose_name_plural = "classes"
        constraints = [
            models.UniqueConstraint(fields=["namespace", "name"], name="class_name_once"),
            models.CheckConstraint(
                condition=models.Q(colour__gte=1, colour__lte=COLOURS), name="class_colour_1_to_12"
            ),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
