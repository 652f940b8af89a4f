from __future__ import annotations

from django.contrib import admin

from extraction.intake.models import Bucket, Object
from mixcv.kernel.admin import ReadOnlyAdmin


@admin.register(Bucket)
class BucketAdmin(ReadOnlyAdmin[Bucket]):
    list_display = ("name", "namespace", "public_id", "object_count", "total_bytes", "created_at")
    list_select_related = ("namespace",)
    list_filter = ("namespace",)
    search_fields = ("name", "public_id")


@admin.register(Object)
class ObjectAdmin(ReadOnlyAdmin[Object]):
    list_display = ("public_id", "key", "bucket", "state", "image", "created_at")
    list_select_related = ("bucket", "image")
    list_filter = ("state",)
    search_fields = ("public_id__exact", "key__istartswith")
    ordering = ("-id",)
