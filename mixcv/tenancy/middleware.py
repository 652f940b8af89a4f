"""How a page finds its namespace: by the `ns` of its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import Resolver404, resolve

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


class WayBack:
    """A page's address that only takes forms, opened by hand or reloaded, leads to the page that has the form.

    That is the nearest address above it; scripts keep their 405.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        asked_by_script = request.headers.get("HX-Request") or "text/html" not in request.headers.get(
            "Accept", "text/html"
        )
        if response.status_code != 405 or request.method not in {"GET", "HEAD"} or asked_by_script:
            return response
        above = _page_above(request.path_info) if request.path_info.startswith("/n/") else ""
        return HttpResponseRedirect(above) if above else response


def _page_above(path: str) -> str:
    while (path := path.rstrip("/").rpartition("/")[0] + "/") != "/n/":
        try:
            resolve(path)
        except Resolver404:
            continue
        return path
    return ""
