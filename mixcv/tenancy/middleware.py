"""How a page finds its namespace: by the `ns` of its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase

from mixcv.tenancy.models import Namespace, User
from mixcv.tenancy.queries import role_in


class CurrentNamespace:
    """Takes `ns` out of a view's arguments and sets `request.namespace` and `request.role`.

    A namespace that is not there and one that is somebody else's answer alike, with 404.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if "ns" not in kwargs:
            return None
        slug = kwargs.pop("ns")
        user = request.user
        if not isinstance(user, User):
            if request.headers.get("HX-Request"):
                # A fragment has no place for a login page: the browser goes there as a whole.
                return HttpResponse(status=401, headers={"HX-Refresh": "true"})
            return redirect_to_login(request.get_full_path())
        namespace = Namespace.objects.filter(public_id=f"ns_{slug}").first()
        role = role_in(user, namespace) if namespace else None
        if namespace is None or role is None:
            raise Http404(f"There is no namespace {slug!r} that you belong to.")
        request.namespace = namespace  # type: ignore[attr-defined]
        request.role = role  # type: ignore[attr-defined]
        return None
