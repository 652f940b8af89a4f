"""The API's one form of errors and of pages of rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from mixcv.kernel.errors import DomainError, InvalidInput

log = logging.getLogger(__name__)

_TYPES = {
    400: "BadRequestError",
    401: "UnauthorizedError",
    403: "ForbiddenError",
    404: "NotFoundError",
    405: "BadRequestError",
    409: "AlreadyExistsError",
    413: "BadRequestError",
    415: "BadRequestError",
    422: "ValidationError",
    429: "TooManyRequestsError",
    500: "InternalServerError",
    503: "InferenceServiceUnavailableError",
}


def envelope(
    status: int, message: str, *, code: str = "", details: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The body of every answer that is not a success."""
    error: dict[str, Any] = {"type": _TYPES.get(status, "BadRequestError"), "message": message}
    if code:
        error["code"] = code
    error["details"] = details or {}
    return {"success": False, "status": status, "error": error}


def error_body(error: DomainError) -> dict[str, Any]:
    details = dict(error.details)
    if error.field:
        details.setdefault(
            "validation_errors",
            [{"type": error.code, "location": ["body", *error.field.split(".")], "message": error.message}],
        )
    return envelope(error.status, error.message, code=error.code, details=details)


def error_response(error: DomainError) -> JsonResponse:
    return JsonResponse(error_body(error), status=error.status)


def _flatten(detail: Any, location: tuple[str, ...]) -> list[dict[str, Any]]:
    """DRF's nested messages as a flat list of faults, each with the place where it stands."""
    if isinstance(detail, dict):
        return [fault for key, value in detail.items() for fault in _flatten(value, (*location, str(key)))]
    if isinstance(detail, list):
        faults = []
        for number, value in enumerate(detail):
            place = (*location, str(number)) if isinstance(value, dict) else location
            faults += _flatten(value, place) if value else []
        return faults
    return [{"type": getattr(detail, "code", "invalid"), "location": list(location), "message": str(detail)}]


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every 4xx in the envelope; what is not expected goes on to the 500 handler."""
    if isinstance(error, DomainError):
        return Response(error_body(error), status=error.status)
    if isinstance(error, exceptions.ValidationError):
        faults = _flatten(error.detail, ("body",))
        first = faults[0] if faults else {"location": ["body"], "message": "The body is not valid."}
        message = f"{'.'.join(first['location'][1:]) or 'body'}: {first['message']}"
        return Response(
            envelope(422, message, code="invalid_input", details={"validation_errors": faults}), status=422
        )
    if isinstance(error, Http404):
        return Response(envelope(404, str(error) or "There is nothing here.", code="not_found"), status=404)
    if isinstance(error, PermissionDenied):
        return Response(envelope(403, str(error) or "Not allowed.", code="forbidden"), status=403)
    if isinstance(error, RequestDataTooBig):
        return Response(
            envelope(413, "The body is larger than the server takes.", code="too_large"), status=413
        )
    if isinstance(error, exceptions.APIException):
        code = error.status_code if error.status_code != 406 else 400
        headers = {}
        if auth := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = auth
        return Response(
            envelope(code, str(error.detail), code=str(error.default_code)), status=code, headers=headers
        )
    return None


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The 404 of unknown API routes."""
    return JsonResponse(
        envelope(404, f"There is no {request.method} {request.path} here.", code="not_found"), status=404
    )


def bad_request() -> HttpResponse:
    return JsonResponse(
        envelope(400, "The request is not one that can be read.", code="bad_request"), status=400
    )


def server_error() -> HttpResponse:
    return JsonResponse(
        envelope(500, "Something went wrong here; it is in the server's log.", code="internal"), status=500
    )


Row = TypeVar("Row")


def page_numbers(
    data: dict[str, Any], query: dict[str, Any], *, default: int = 100, most: int = 1000
) -> tuple[int, int]:
    """`limit` and `offset` from a body and a query string; `limit` wins over `page_size`, `offset` over `page`.

    Raises InvalidInput when one is no whole number or out of range.
    """

    def number(name: str, low: int, high: int) -> int | None:
        raw = data.get(name, query.get(name))
        if raw in (None, ""):
            return None
        try:
            value = int(str(raw))
        except ValueError:
            raise InvalidInput(f"{name} is {raw!r}; it must be a whole number.", field=name) from None
        if not low <= value <= high:
            raise InvalidInput(f"{name} is {value}; it must be {low} to {high}.", field=name)
        return value

    limit = number("limit", 1, most) or number("page_size", 1, most) or default
    offset = number("offset", 0, 1_000_000)
    if offset is None:
        offset = ((number("page", 1, 10_000) or 1) - 1) * limit
    return limit, offset


def page_of(
    rows: QuerySet[Any],
    present: Callable[[Any], dict[str, Any]],
    *,
    limit: int,
    offset: int,
    include_total: bool,
    total_name: str | None = "total_count",
) -> dict[str, Any]:
    """One page of rows in the API's form. The total is counted only where it is asked for."""
    found: Sequence[Any] = list(rows[offset : offset + limit + 1])
    more = len(found) > limit
    total = rows.count() if include_total or total_name else None
    page = offset // limit + 1
    body: dict[str, Any] = {
        "results": [present(row) for row in found[:limit]],
        "pagination": {
            "total": total if include_total else None,
            "page": page,
            "page_size": limit,
            "total_pages": -(-total // limit) if include_total and total is not None else None,
            "next_page": str(page + 1) if more else None,
            "previous_page": str(page - 1) if page > 1 else None,
            "next_cursor": None,
        },
    }
    if total_name:
        body[total_name] = total
    return body
