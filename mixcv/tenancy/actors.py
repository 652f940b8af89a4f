"""Who does something: a person, a program with a key, or mixcv itself."""

from __future__ import annotations

from dataclasses import dataclass

from mixcv.tenancy.models import ApiKey, User


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is what annotations, events and histories keep."""

    name: str
    type: str = "user"
    user_id: int | None = None
    key_id: int | None = None


SYSTEM = Actor("system", "system")


def person(user: User) -> Actor:
    return Actor(user.get_username(), "user", user.pk)


def program(key: ApiKey) -> Actor:
    """Two keys of one label are two actors: neither changes nor takes back what the other decided."""
    return Actor(f"key:{key.label}:{key.pk}", "api_key", key_id=key.pk)
