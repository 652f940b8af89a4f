"""Writes of tenancy: namespaces, keys, the first start."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.kernel.events import Happening, publish
from mixcv.kernel.ids import named_id
from mixcv.kernel.jobs import kind_of
from mixcv.kernel.models import Job
from mixcv.tenancy.actors import SYSTEM, Actor
from mixcv.tenancy.models import ApiKey, Membership, Namespace, Role, Scope, User, all_scopes

KEY_PREFIX = "mxcv_"
_BOOTSTRAP_LOCK = 0x6D697863


@dataclass(frozen=True)
class NewLogin:
    """Printed once; only the password's hash is kept."""

    login: str
    password: str


def create_namespace(*, name: str, description: str = "", by: Actor = SYSTEM) -> Namespace:
    """A new namespace. Raises InvalidInput for an empty name, AlreadyExists where its id is taken."""
    name = name.strip()
    if not name or len(name) > 100:
        raise InvalidInput("A namespace's name has 1 to 100 characters.", field="namespace_name")
    public_id = named_id("ns", name)
    with transaction.atomic():
        namespace, created = Namespace.objects.get_or_create(
            public_id=public_id, defaults={"name": name, "description": description}
        )
        if not created:
            raise AlreadyExists(
                f"The namespace {namespace.name!r} has the id {public_id} already.", field="namespace_name"
            )
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("namespace.created", public_id, {"name": name})],
        )
    return namespace


def open_namespace(*, key: ApiKey, name: str, description: str = "", by: Actor) -> Namespace:
    """A new namespace that `key` opens beside its own, with the same admins. Raises what `create_namespace` does."""
    with transaction.atomic():
        namespace = create_namespace(name=name, description=description, by=by)
        key.also_opens.add(namespace)
        admins = Membership.objects.filter(namespace=key.namespace, role=Role.ADMIN).select_related("user")
        for membership in admins:
            set_membership(namespace=namespace, user=membership.user, role=Role.ADMIN, by=by)
    return namespace


def describe_namespace(*, namespace: Namespace, description: str, by: Actor) -> Namespace:
    """Change what a namespace says of itself; its name and id stay, since addresses and keys name it by them."""
    with transaction.atomic():
        namespace.description = description
        namespace.save(update_fields=["description"])
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("namespace.updated", namespace.public_id, {"description": description})],
        )
    return namespace


def ensure_namespace(*, name: str) -> Namespace:
    """The namespace of this name or id, made where there is none."""
    found = Namespace.objects.filter(name=name).first() or Namespace.objects.filter(public_id=name).first()
    if found:
        return found
    try:
        return create_namespace(name=name)
    except AlreadyExists:
        return Namespace.objects.get(public_id=named_id("ns", name))


def create_api_key(
    *,
    namespace: Namespace,
    label: str = "key",
    scopes: list[str] | None = None,
    rate_limit: int | None = None,
    by: Actor = SYSTEM,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is not kept. `rate_limit`: calls a minute, 0 for any, None for the installation's.

    Raises InvalidInput for an unknown scope.
    """
    scopes = scopes if scopes is not None else all_scopes()
    if unknown := sorted(set(scopes) - set(Scope.values)):
        raise InvalidInput(
            f"Unknown scope {', '.join(unknown)}. Allowed: {', '.join(Scope.values)}.", field="scopes"
        )
    text = KEY_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        key = ApiKey.objects.create(
            namespace=namespace,
            label=label.strip()[:100] or "key",
            prefix=text[:12],
            sha256=hash_key(text),
            scopes=scopes,
            rate_limit=rate_limit,
            created_by_id=by.user_id,
        )
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[
                Happening("api_key.created", f"key_{key.pk}", {"label": key.label, "prefix": key.prefix})
            ],
        )
    return key, text


def revoke_api_keys(*, keys: list[ApiKey], by: Actor) -> int:
    """From now on these keys answer 401. Returns how many were live."""
    with transaction.atomic():
        live = [key for key in keys if key.revoked_at is None]
        ApiKey.objects.filter(pk__in=[key.pk for key in live]).update(revoked_at=timezone.now())
        for key in live:
            publish(
                namespace_id=key.namespace_id,
                actor=by.name,
                happenings=[Happening("api_key.revoked", f"key_{key.pk}", {"label": key.label})],
            )
    return len(live)


def hash_key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def first_start() -> NewLogin | None:
    """The admin `admin` with a random password where there is no superuser yet; None where there is one."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_BOOTSTRAP_LOCK])
        if User.objects.filter(is_superuser=True).exists():
            return None
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser("admin", password=password)
    return NewLogin("admin", password)


def set_membership(*, namespace: Namespace, user: User, role: Role, by: Actor) -> Membership:
    """Give a person a role in a namespace, in place of the one that they had."""
    with transaction.atomic():
        membership, _ = Membership.objects.update_or_create(
            namespace=namespace, user=user, defaults={"role": role}
        )
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[
                Happening("membership.set", f"user_{user.pk}", {"role": role, "user": user.username})
            ],
        )
    return membership


def remove_membership(*, namespace: Namespace, user: User, by: Actor) -> bool:
    """Take a person out of a namespace. Returns whether they were in it."""
    with transaction.atomic():
        gone, _ = Membership.objects.filter(namespace=namespace, user=user).delete()
        if gone:
            publish(
                namespace_id=namespace.pk,
                actor=by.name,
                happenings=[Happening("membership.removed", f"user_{user.pk}", {"user": user.username})],
            )
    return bool(gone)


def set_theme(*, user: User, theme: str) -> None:
    """Raises InvalidInput for a theme that there is not."""
    if theme not in User.Theme.values:
        raise InvalidInput(f"Theme is one of {', '.join(User.Theme.values)}.", field="theme")
    User.objects.filter(pk=user.pk).update(theme=theme)


def cancel_job(*, job: Job, by: Actor) -> None:
    """Ask a piece of long work to stop, in the way of its kind. Asked once it is over, nothing happens."""
    with transaction.atomic():
        # What the work is about is locked before its job, as by the workers.
        cancel = kind_of(job).cancel
        if cancel is not None:
            cancel(job, by)
        Job.objects.filter(pk=job.pk, state__in=[Job.State.PENDING, Job.State.RUNNING]).update(
            cancel_requested=True
        )
