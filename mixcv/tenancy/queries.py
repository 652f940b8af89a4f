"""Reads of tenancy that are used twice."""

from __future__ import annotations

from mixcv.tenancy.models import RANK, ApiKey, Membership, Namespace, Role, User


def namespaces_of(user: User) -> list[Namespace]:
    """The namespaces that a person may enter, by name."""
    if user.is_superuser:
        return list(Namespace.objects.order_by("name"))
    return list(Namespace.objects.filter(memberships__user=user).order_by("name"))


def role_in(user: User, namespace: Namespace) -> Role | None:
    if user.is_superuser:
        return Role.ADMIN
    found = Membership.objects.filter(user=user, namespace=namespace).values_list("role", flat=True).first()
    return Role(found) if found else None


def at_least(role: Role | None, wanted: Role) -> bool:
    return role is not None and RANK[role] >= RANK[wanted]


def opened_by(key: ApiKey) -> list[Namespace]:
    """The namespaces that a key opens: its own first, then the others by name."""
    return [key.namespace, *key.also_opens.order_by("name", "pk")]
