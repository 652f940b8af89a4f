"""The request as pages see it, and what a page demands of the person."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase
from django_htmx.middleware import HtmxDetails

from mixcv.kernel.errors import Forbidden
from mixcv.tenancy.actors import Actor, person
from mixcv.tenancy.models import Namespace, Role, User
from mixcv.tenancy.queries import at_least


class AppRequest(HttpRequest):
    """A request behind the login and inside a namespace (pages under `/n/<namespace>/`)."""

    htmx: HtmxDetails
    user: User
    namespace: Namespace
    role: Role


View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def needs(role: Role) -> Callable[[View], View]:
    """Refuse the page (403, in words) to people below `role` in the request's namespace."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: AppRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not at_least(request.role, role):
                raise Forbidden(
                    f"This needs the role {role.label} in {request.namespace.name}; yours is {request.role.label}."
                )
            return view(request, *args, **kwargs)

        return guarded  # type: ignore[return-value]

    return decorate


def actor_of(request: HttpRequest) -> Actor:
    assert isinstance(request.user, User)
    return person(request.user)
