from __future__ import annotations

from django.contrib import admin

from mixcv.kernel.admin import ReadOnlyAdmin
from review.queues.models import Queue


@admin.register(Queue)
class QueueAdmin(ReadOnlyAdmin[Queue]):
    list_display = (
        "name",
        "namespace",
        "collection",
        "kind",
        "doubtful_below",
        "waiting_count",
        "done_count",
        "created_at",
    )
    list_select_related = ("namespace", "collection")
    list_filter = ("namespace", "kind")
    search_fields = ("name", "public_id")
