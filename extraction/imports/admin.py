from __future__ import annotations

from django.contrib import admin

from extraction.imports.models import TruthImport
from mixcv.kernel.admin import ReadOnlyAdmin


@admin.register(TruthImport)
class TruthImportAdmin(ReadOnlyAdmin[TruthImport]):
    list_display = ("public_id", "name", "bucket", "format", "job", "actor", "created_at")
    list_select_related = ("bucket", "job")
    list_filter = ("format",)
    search_fields = ("public_id__exact", "name__istartswith")
    ordering = ("-id",)
