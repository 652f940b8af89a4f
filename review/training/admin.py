from __future__ import annotations

from django.contrib import admin

from mixcv.kernel.admin import ReadOnlyAdmin
from review.training.models import TrainingEpoch, TrainingRun


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin[TrainingRun]):
    list_display = (
        *("public_id", "extractor", "dataset_version", "base_version", "produced_version"),
        *("phase", "job", "actor", "created_at"),
    )
    list_select_related = (
        *("extractor", "dataset_version__dataset", "base_version__extractor", "job"),
        "produced_version__extractor",
    )
    list_filter = ("phase",)
    search_fields = ("public_id__exact", "extractor__name__istartswith")
    ordering = ("-id",)


@admin.register(TrainingEpoch)
class TrainingEpochAdmin(ReadOnlyAdmin[TrainingEpoch]):
    list_display = ("run", "number", "map50", "map50_95", "precision", "recall", "seconds")
    list_select_related = ("run__extractor", "run__dataset_version__dataset")
    search_fields = ("run__public_id__exact",)
    ordering = ("-id",)
