from __future__ import annotations

from django.contrib import admin

from extraction.classes.models import ObjectClass
from mixcv.kernel.admin import ReadOnlyAdmin


@admin.register(ObjectClass)
class ObjectClassAdmin(ReadOnlyAdmin[ObjectClass]):
    list_display = ("name", "namespace", "colour", "state", "merged_into", "created_at")
    list_select_related = ("namespace", "merged_into")
    list_filter = ("state", "namespace")
    search_fields = ("name",)
