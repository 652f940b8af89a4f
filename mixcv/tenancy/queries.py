"""Reads of tenancy that are used twice."""

from __future__ import annotations

from django.db.models import QuerySet

from mixcv.kernel.models import Job
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import RANK, ApiKey, Membership, Namespace, Role, Scope, User


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


def is_admin(by: Actor, namespace_id: int) -> bool:
    """A person with the role, a program whose key has the scope, or mixcv itself."""
    if by.user_id is not None:
        superuser = User.objects.filter(pk=by.user_id, is_superuser=True).exists()
        admins = Membership.objects.filter(namespace=namespace_id, user=by.user_id, role=Role.ADMIN)
        return superuser or admins.exists()
    if by.key_id is not None:
        return ApiKey.objects.filter(pk=by.key_id, scopes__contains=[Scope.ADMIN.value]).exists()
    return by.type == "system"


def opened_by(key: ApiKey) -> list[Namespace]:
    """The namespaces that a key opens: its own first, then the others by name."""
    return [key.namespace, *key.also_opens.order_by("name", "pk")]


LIVE_JOBS = [Job.State.PENDING, Job.State.RUNNING]


def live_jobs(namespace: Namespace, kind: str = "") -> QuerySet[Job]:
    """Long work that is under way or waits for a worker, newest first; of one kind where it is given."""
    rows = Job.objects.filter(namespace_id=namespace.pk, state__in=LIVE_JOBS).order_by("-created_at", "-pk")
    return rows.filter(kind=kind) if kind else rows


def finished_jobs(namespace: Namespace, kind: str = "") -> QuerySet[Job]:
    """Long work that is over, newest first; of one kind where it is given."""
    over = [state for state in Job.State if state not in LIVE_JOBS]
    rows = Job.objects.filter(namespace_id=namespace.pk, state__in=over).order_by("-created_at", "-pk")
    return rows.filter(kind=kind) if kind else rows
