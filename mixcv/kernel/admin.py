"""What the admin pages of all apps share, and the kernel's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from mixcv.kernel.errors import DomainError
from mixcv.kernel.models import Event, Job

admin.site.site_header = "mixcv"
admin.site.site_title = "mixcv admin"
admin.site.index_title = "Rows and switches"
admin.site.empty_value_display = "–"

Row = TypeVar("Row", bound=Model)


class EstimatedPaginator(Paginator):  # type: ignore[type-arg]  # not at run time
    """Counts exactly up to EXACT rows; beyond, the database's own estimate for a whole table, else "at least"."""

    EXACT = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)
        seen = rows.order_by()[: self.EXACT + 1].count()
        if seen <= self.EXACT or rows.query.where:
            return seen
        return max(seen, _estimate(rows))


def _estimate(rows: QuerySet[Any]) -> int:
    with connections[rows.db].cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table]
        )
        return int(cursor.fetchone()[0])


if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
else:

    class _ModelAdmin(admin.ModelAdmin):
        """Takes the row's type in brackets at run time too."""

        def __class_getitem__(cls, _row: object) -> type:
            return cls


class PlainAdmin(_ModelAdmin[Row]):
    """No count of whole tables on any page."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = EstimatedPaginator
    list_per_page = 50


class ReadOnlyAdmin(PlainAdmin[Row]):
    """Rows that verbs own: to be looked at here, and changed by actions that call those verbs."""

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Who may use an action of `@admin.action(permissions=["run"])`: those with Django's change permission."""
        return super().has_change_permission(request)

    def run_each(
        self, request: HttpRequest, rows: Iterable[Row], verb: Callable[[Row], object], done: str
    ) -> None:
        """Call a verb on each row; what one refuses is said, and the others go on."""
        for row in rows:
            try:
                verb(row)
            except DomainError as error:
                self.message_user(request, f"{row}: {error.message}", messages.ERROR)
            else:
                self.message_user(request, f"{row} {done}.", messages.SUCCESS)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin[Job]):
    list_display = ("public_id", "kind", "subject", "state", "done", "total", "created_at", "finished_at")
    list_filter = ("state", "kind")
    search_fields = ("public_id__exact", "subject__exact")
    ordering = ("-id",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    list_display = ("event_id", "type", "subject", "subject_seq", "actor", "occurred_at", "dispatched_at")
    search_fields = ("event_id__exact", "subject__exact")
    ordering = ("-id",)
