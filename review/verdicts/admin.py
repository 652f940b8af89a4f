from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from mixcv.kernel.admin import PlainAdmin, ReadOnlyAdmin
from mixcv.kernel.errors import DomainError
from mixcv.tenancy.request import actor_of
from review.verdicts.domain import define_label, delete_verdicts, remove_label
from review.verdicts.domain.labels import check_label
from review.verdicts.models import Annotation, AnnotationVersion, LabelDefinition


class VersionInline(admin.TabularInline):  # type: ignore[type-arg]  # not at run time
    model = AnnotationVersion
    fields = (
        "version",
        "label",
        "object_class",
        "confidence",
        "reasoning",
        "actor",
        "takes_back",
        "decided_at",
    )
    ordering = ("version",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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
    inlines = (VersionInline,)
    actions = ("delete_them",)

    @admin.action(description="Delete the chosen annotations (their versions stay)", permissions=["run"])
    def delete_them(self, request: HttpRequest, rows: QuerySet[Annotation]) -> None:
        self.run_each(
            request,
            rows.select_related("namespace"),
            lambda row: _delete(row, request),
            "is deleted",
        )


def _delete(row: Annotation, request: HttpRequest) -> None:
    outcome = delete_verdicts(namespace=row.namespace, annotation_ids=[row.public_id], by=actor_of(request))[
        0
    ]
    if outcome.error:
        raise outcome.error


class LabelForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    class Meta:
        model = LabelDefinition
        fields = ("namespace", "name", "description")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("namespace") and cleaned.get("name"):
            try:
                check_label(cleaned["namespace"], cleaned["name"])
            except DomainError as error:
                raise forms.ValidationError({"name": error.message}) from error
        return cleaned


@admin.register(LabelDefinition)
class LabelDefinitionAdmin(PlainAdmin[LabelDefinition]):
    """Labels of a namespace's own. Made and taken away by their verbs; a name is never changed."""

    list_display = ("name", "namespace", "description", "created_by", "created_at")
    list_select_related = ("namespace",)
    list_filter = ("namespace",)
    search_fields = ("name",)
    form = LabelForm
    ordering = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: LabelDefinition | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: LabelDefinition, form: Any, change: bool) -> None:
        made = define_label(
            namespace=obj.namespace, name=obj.name, description=obj.description, by=actor_of(request)
        )
        obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: LabelDefinition) -> None:
        remove_label(namespace=obj.namespace, name=obj.name, by=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[LabelDefinition]) -> None:
        for row in queryset.select_related("namespace"):
            self.delete_model(request, row)
