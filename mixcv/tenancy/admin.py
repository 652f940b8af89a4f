"""Namespaces, people and keys in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from mixcv.kernel.admin import EstimatedPaginator, PlainAdmin
from mixcv.tenancy.domain import (
    create_api_key,
    create_namespace,
    remove_membership,
    revoke_api_keys,
    set_membership,
)
from mixcv.tenancy.models import ApiKey, Membership, Namespace, Role, Scope, User, all_scopes
from mixcv.tenancy.request import actor_of

admin.site.unregister(Group)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]  # not at run time
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Namespace)
class NamespaceAdmin(PlainAdmin[Namespace]):
    list_display = ("name", "public_id", "created_at")
    search_fields = ("name", "public_id")
    readonly_fields = ("public_id", "created_at")
    inlines = (MembershipInline,)

    def get_fields(self, request: HttpRequest, obj: Namespace | None = None) -> tuple[str, ...]:
        return ("name", "public_id", "description", "created_at") if obj else ("name", "description")

    def get_readonly_fields(self, request: HttpRequest, obj: Namespace | None = None) -> tuple[str, ...]:
        # Ids are made of the name and stay for ever; so does the name.
        return ("name", "public_id", "created_at") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Namespace | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Namespace, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made = create_namespace(name=obj.name, description=obj.description, by=actor_of(request))
        obj.pk, obj.public_id, obj._state.adding = made.pk, made.public_id, False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Memberships are set and removed by their verbs. A row put to another person is both."""
        by = actor_of(request)
        formset.save(commit=False)  # fills the lists below, which the admin's history reads too
        moved = [row for row, fields in formset.changed_objects if "user" in fields]
        before = {row.pk: row for row in Membership.objects.filter(pk__in=[row.pk for row in moved])}
        for row in (*formset.deleted_objects, *before.values()):
            remove_membership(namespace=formset.instance, user=row.user, by=by)
        for row in (*formset.new_objects, *(row for row, _ in formset.changed_objects)):
            set_membership(namespace=formset.instance, user=row.user, role=Role(row.role), by=by)


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]  # not at run time
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("username", "email", "first_name", "last_name")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = EstimatedPaginator
    filter_horizontal = ()


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=all_scopes,
        widget=forms.CheckboxSelectMultiple,
        help_text="read: look. write: add and change. delete: take away. admin: everything.",
    )

    class Meta:
        model = ApiKey
        fields = ("namespace", "label", "scopes")


@admin.register(ApiKey)
class ApiKeyAdmin(PlainAdmin[ApiKey]):
    """A key's text is shown once, on the page after it was made; only its hash is kept."""

    form = KeyForm
    list_display = ("label", "prefix", "namespace", "scope_names", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("namespace",)
    list_filter = ("namespace",)
    search_fields = ("label", "prefix")
    actions = ("revoke",)
    ordering = ("-id",)

    @admin.display(description="Scopes")
    def scope_names(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("namespace", "label", "scopes")
        return (
            "namespace",
            "label",
            "prefix",
            "scope_names",
            "rate_limit",
            "also_opens",
            "created_by",
            "created_at",
            "last_used_at",
            "revoked_at",
        )

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tenancy.change_apikey")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        made, text = create_api_key(
            namespace=obj.namespace, label=obj.label, scopes=form.cleaned_data["scopes"], by=actor_of(request)
        )
        obj.pk, obj.prefix, obj._state.adding = made.pk, made.prefix, False
        messages.warning(
            request,
            format_html("The key, shown this once: <code>{}</code> Copy it now; it is not kept.", text),
        )

    @admin.action(description="Revoke the chosen keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        gone = revoke_api_keys(keys=list(keys), by=actor_of(request))
        self.message_user(
            request, f"{gone} revoked; programs that use them get 401 from now on.", messages.SUCCESS
        )
