"""The one family of errors that people and programs get to read.

Each subclass names a code and an HTTP status; its message says what was wrong, what is allowed and how to mend it.
One handler turns it into the API's error body, a form error or a toast.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """Something that a caller asked for cannot be done."""

    code: ClassVar[str] = "bad_request"
    status: ClassVar[int] = 400

    def __init__(
        self, message: str, *, field: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.details = details or {}


class InvalidInput(DomainError):
    """A field has a value that is not allowed."""

    code = "invalid_input"
    status = 422


class NotFound(DomainError):
    """The named thing does not exist, or not in this namespace."""

    code = "not_found"
    status = 404


class AlreadyExists(DomainError):
    """Another row has this name or id."""

    code = "already_exists"
    status = 409


class Conflict(DomainError):
    """The row changed since the caller read it."""

    code = "conflict"
    status = 409


class Forbidden(DomainError):
    """The caller's role or key does not allow this."""

    code = "forbidden"
    status = 403


class Unauthenticated(DomainError):
    """No key, or one that is unknown or revoked."""

    code = "unauthenticated"
    status = 401


class TooLarge(DomainError):
    """The body or the file is larger than the server takes."""

    code = "too_large"
    status = 413


class Unavailable(DomainError):
    """A part that this needs does not answer; nothing was stored."""

    code = "unavailable"
    status = 503
