from __future__ import annotations

from django.contrib import admin

from mixcv.kernel.admin import ReadOnlyAdmin
from review.datasets.models import Dataset, DatasetVersion


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin[Dataset]):
    list_display = ("name", "namespace", "extractor", "last_number", "created_at")
    list_select_related = ("namespace", "extractor")
    list_filter = ("namespace",)
    search_fields = ("name", "public_id")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin[DatasetVersion]):
    list_display = ("dataset", "number", "image_count", "box_count", "actor", "created_at")
    list_select_related = ("dataset",)
    search_fields = ("dataset__name", "manifest_sha256")
