"""The content security policy, and domain errors of pages."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from mixcv.kernel.api import error_response
from mixcv.kernel.errors import DomainError

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

Handler = Callable[[HttpRequest], HttpResponseBase]


class ContentSecurityPolicy:
    """A strict policy on every answer that has none of its own (served user files have a sandboxing one)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response


class DomainErrors:
    """A DomainError that a page's view let through: a toast for HTMX, JSON for the API, else a page in words."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        if not isinstance(error, DomainError):
            return None
        if request.path.startswith("/v1/") or request.headers.get("Accept", "").startswith(
            "application/json"
        ):
            return error_response(error)
        if request.headers.get("HX-Request"):
            response: HttpResponse = render(request, "toast.html", {"error": error}, status=error.status)
            response["HX-Retarget"] = "#toasts"
            response["HX-Reswap"] = "afterbegin"
            return response
        return render(request, "error.html", {"error": error, "status": error.status}, status=error.status)
