"""`{% to "batch" batch.public_id %}`: an address inside the request's namespace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template

from mixcv.tenancy.addresses import address, address_if_there
from mixcv.tenancy.models import Namespace

register = template.Library()


def _namespace(context: template.Context) -> Namespace:
    namespace = context.get("namespace") or getattr(context.get("request"), "namespace", None)
    assert isinstance(namespace, Namespace), "`to` is for pages inside a namespace"
    return namespace


@register.simple_tag(takes_context=True)
def to(context: template.Context, name: str, *args: Any) -> str:
    return address(_namespace(context), name, *args)


@register.simple_tag(takes_context=True)
def to_if_there(context: template.Context, name: str, *args: Any) -> str:
    """Empty where no page has this name."""
    return address_if_there(_namespace(context), name, *args)


@register.simple_tag
def home_of(namespace: Namespace) -> str:
    return address(namespace, "home")


@register.simple_tag(takes_context=True)
def on_one_of(context: template.Context, places: Iterable[Any]) -> Any:
    """The place among these that the page says it is (`here`), or None."""
    return next((one for one in places or () if one.name == context.get("here")), None)
