from __future__ import annotations

from django.contrib import admin

from mixcv.kernel.admin import ReadOnlyAdmin
from review.verdicts.models import Annotation


@admin.register(Annotation)
class AnnotationAdmin(ReadOnlyAdmin[Annotation]):
    list_display = (
        "public_id",
        "label",
        "predicted_class",
        "object_class",
        "confidence",
        "actor",
        "source",
        "collection",
        "version",
        "created_at",
        "deleted_at",
    )
    list_select_related = ("predicted_class", "object_class", "collection")
    list_filter = ("label", "source", "namespace")
    search_fields = ("public_id__exact", "actor__exact")
    ordering = ("-id",)
