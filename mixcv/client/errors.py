"""What goes wrong with a call: one exception, with all that the server says of it."""

from __future__ import annotations

from typing import Any

import httpx

WAITABLE = frozenset({429, 503})


class ApiError(Exception):
    """A call that did not succeed.

    `status` is the HTTP status, 0 where no answer came. `code` is the server's word for the reason, `message` says it
    to a person, `details` and `validation_errors` say more: each fault of a body with its location. `retryable`: the
    same call may succeed later. `retry_after`: how long the server asks to wait, in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        kind: str = "",
        details: dict[str, Any] | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.type = kind
        self.details = details or {}
        self.retryable = retryable
        self.retry_after = retry_after

    @property
    def validation_errors(self) -> list[Any]:
        """The faults of the body: `{"type", "location", "message"}` each; of a package or model, sentences."""
        faults = self.details.get("validation_errors")
        return list(faults) if isinstance(faults, list) else []

    def __str__(self) -> str:
        return f"{self.status} {self.message}" if self.status else self.message


def error_of(response: httpx.Response, *, retry_after: float | None = None) -> ApiError:
    """The error that an answer stands for, whether or not it has the API's own form."""
    error = _error_in(response)
    details = error.get("details")
    details = details if isinstance(details, dict) else {}
    text = str(error.get("message") or response.text[:500] or response.reason_phrase)
    return ApiError(
        text,
        status=response.status_code,
        code=str(error.get("code") or ""),
        kind=str(error.get("type") or ""),
        details=details,
        retryable=response.status_code in WAITABLE and details.get("retryable") is not False,
        retry_after=retry_after,
    )


def _error_in(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {"message": error} if error else {}


def no_answer(url: str, reason: Exception) -> ApiError:
    text = str(reason) or type(reason).__name__
    return ApiError(f"{url} does not answer: {text}", code="no_answer", retryable=True)
