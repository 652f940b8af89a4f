"""Collections, batches and what they found."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from extraction.runs.domain import cancel_batch, retry_failed
from extraction.runs.models import Batch, Collection, Detection, Document
from mixcv.kernel.admin import ReadOnlyAdmin
from mixcv.tenancy.request import actor_of


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin[Collection]):
    list_display = (
        "name",
        "namespace",
        "extractor_version",
        "enabled",
        "document_count",
        "detection_count",
        "created_at",
    )
    list_select_related = ("namespace", "extractor_version__extractor")
    list_filter = ("enabled", "namespace")
    search_fields = ("name", "public_id")


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin[Batch]):
    list_display = (
        "public_id",
        "name",
        "bucket",
        "state",
        "item_count",
        "done_count",
        "failed_count",
        "created_at",
        "finished_at",
    )
    list_select_related = ("bucket",)
    list_filter = ("state", "automatic", "namespace")
    search_fields = ("public_id__exact", "name")
    ordering = ("-id",)
    actions = ("retry", "cancel")

    @admin.action(description="Try the failed images again", permissions=["run"])
    def retry(self, request: HttpRequest, rows: QuerySet[Batch]) -> None:
        self.run_each(request, rows, lambda row: retry_failed(batch=row, by=actor_of(request)), "tries again")

    @admin.action(description="Cancel the chosen batches", permissions=["run"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Batch]) -> None:
        self.run_each(request, rows, lambda row: cancel_batch(batch=row, by=actor_of(request)), "is canceled")


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin[Document]):
    list_display = ("slug", "collection", "generation", "detection_count", "top_confidence", "updated_at")
    list_select_related = ("collection",)
    search_fields = ("slug__exact",)
    ordering = ("-id",)


@admin.register(Detection)
class DetectionAdmin(ReadOnlyAdmin[Detection]):
    list_display = ("id", "collection", "document", "object_class", "confidence", "current", "decided_label")
    list_select_related = ("collection", "document", "object_class")
    search_fields = ("document__slug__exact",)
    ordering = ("-id",)
