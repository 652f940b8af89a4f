"""Addresses of pages inside a namespace."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse

from mixcv.tenancy.models import Namespace


def slug_of(namespace: Namespace) -> str:
    """What stands for the namespace in `/n/<slug>/`."""
    return namespace.public_id.removeprefix("ns_")


def address(namespace: Namespace, name: str, *args: Any) -> str:
    """The page `name` of this namespace. Raises NoReverseMatch where there is none."""
    return reverse(name, args=[slug_of(namespace), *args])


def address_if_there(namespace: Namespace, name: str, *args: Any) -> str:
    """The same, or an empty text: navigation shows only what exists."""
    try:
        return address(namespace, name, *args)
    except NoReverseMatch:
        return ""
