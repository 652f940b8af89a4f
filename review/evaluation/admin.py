"""Evaluations to look at, and what the gate asks of an extractor."""

from __future__ import annotations

from django.contrib import admin

from mixcv.kernel.admin import PlainAdmin, ReadOnlyAdmin
from review.evaluation.models import EvaluatedVersion, Evaluation, PromotionPolicy


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin[Evaluation]):
    list_display = ("public_id", "extractor", "dataset_version", "image_count", "job", "actor", "created_at")
    list_select_related = ("extractor", "dataset_version__dataset", "job")
    list_filter = ("namespace",)
    search_fields = ("public_id",)
    ordering = ("-id",)


@admin.register(EvaluatedVersion)
class EvaluatedVersionAdmin(ReadOnlyAdmin[EvaluatedVersion]):
    list_display = ("evaluation", "extractor_version", "threshold", "map50_95", "milliseconds")
    list_select_related = ("evaluation", "extractor_version__extractor")
    search_fields = ("evaluation__public_id", "extractor_version__public_id")
    ordering = ("-id",)

    @admin.display(description="mAP50-95")
    def map50_95(self, row: EvaluatedVersion) -> str:
        value = row.metrics.get("map50_95")
        return "–" if value is None else f"{value:.3f}"


@admin.register(PromotionPolicy)
class PromotionPolicyAdmin(PlainAdmin[PromotionPolicy]):
    list_display = ("extractor", "class_bound", "least_boxes", "updated_at")
    list_select_related = ("extractor",)
    ordering = ("extractor__name",)
