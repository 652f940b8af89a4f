"""The content security policy, domain errors of pages, and characters that PostgreSQL refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
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


class HasNul(DomainError):
    code = "nul_character"
    status: ClassVar[int] = 400


class NoNulInAddress:
    """No row's name has a NUL, so an address with one leads nowhere."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path:
            raise Http404("There is nothing here.")
        return self.get_response(request)


class ApiAddress:
    """The API's addresses have no slash at their end, and one there does no harm."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path.startswith("/v1/") and path.endswith("/"):
            request.path_info = path.rstrip("/")
        return self.get_response(request)


class NoNulInForm:
    """Refuses a page's form with a NUL in a field. The API checks its own bodies."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        # CSRF's check has read the form already; it leaves the API's bodies alone, and so does this.
        if request.method != "POST" or request.path.startswith("/v1/"):
            return None
        for name, values in request.POST.lists():
            if "\0" in name or any("\0" in str(value) for value in values):
                shown = name.replace("\0", "")
                return answer_error(
                    request, HasNul(f"{shown} has a NUL character. Leave it out.", field=shown)
                )
        return None


class DomainErrors:
    """A DomainError that a page's view let through: a toast for HTMX, JSON for the API, else a page in words."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        return answer_error(request, error) if isinstance(error, DomainError) else None


def answer_error(request: HttpRequest, error: DomainError) -> HttpResponse:
    if request.path.startswith("/v1/") or request.headers.get("Accept", "").startswith("application/json"):
        return error_response(error)
    if request.headers.get("HX-Request"):
        response: HttpResponse = render(request, "toast.html", {"error": error}, status=error.status)
        response["HX-Retarget"] = "#toasts"
        response["HX-Reswap"] = "afterbegin"
        return response
    return render(request, "error.html", {"error": error, "status": error.status}, status=error.status)
