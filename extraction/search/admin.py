from __future__ import annotations

from django.contrib import admin

from extraction.search.models import Execution, Retriever
from mixcv.kernel.admin import ReadOnlyAdmin


@admin.register(Retriever)
class RetrieverAdmin(ReadOnlyAdmin[Retriever]):
    list_display = ("name", "namespace", "public_id", "unit", "updated_at")
    list_select_related = ("namespace",)
    list_filter = ("unit", "namespace")
    search_fields = ("name", "public_id")


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin[Execution]):
    list_display = (
        "public_id",
        "namespace",
        "retriever",
        "mode",
        "status",
        "result_count",
        "duration_ms",
        "created_at",
    )
    list_select_related = ("namespace", "retriever")
    list_filter = ("mode", "status", "namespace")
    search_fields = ("public_id", "actor")
