"""What an API call is called, takes and answers, said once: checked at run time and shown in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from mixcv.kernel.idempotency import once
from mixcv.kernel.serializers import or_empty

if TYPE_CHECKING:
    from mixcv.kernel.listing import Listing

Form = type[serializers.Serializer[Any]]
Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """One call of the API; see `operation`."""

    id: str
    body: Form | None
    body_optional: bool
    query: Form | None
    creates: bool
    scope: str | None
    takes_files: bool


@dataclass(frozen=True)
class _About:
    """What the OpenAPI document says of an operation."""

    summary: str
    body: Form | None
    multipart: Form | None
    listing: Listing | None
    answer: Any
    status: int
    example: Any
    answer_example: Any


def operation(
    id: str,
    summary: str,
    *,
    body: Form | None = None,
    body_optional: bool = False,
    multipart: Form | None = None,
    documented_body: Form | None = None,
    query: Form | None = None,
    listing: Listing | None = None,
    answer: Any = None,
    status: int = 200,
    creates: bool = False,
    scope: str | None = None,
    example: Any = None,
    answer_example: Any = None,
) -> Callable[[Handler], Handler]:
    """Marks a view's method as the API call `id`.

    `body` is checked before the method runs and lies in `self.data`, checked query parameters in `self.query`. A body
    of multipart is left to the method; `multipart` describes it, as `documented_body` does a JSON body that the method
    reads itself. `listing` adds the parameters of paging and search.
    `creates`: an `Idempotency-Key` makes a repeated call answer as the first one did. `answer` describes a success,
    `example` is one of the body, `answer_example` one of the answer.
    """
    it = Operation(id, body, body_optional, query, creates, scope, multipart is not None)

    about = _About(
        summary, documented_body or body, multipart, listing, answer, status, example, answer_example
    )

    def decorate(method: Handler) -> Handler:
        described: Handler = _describe(_checking(method, it), it, about)
        described.operation = it  # type: ignore[attr-defined]
        return described

    return decorate


def _checking(method: Handler, it: Operation) -> Callable[..., Response]:
    """The method behind the checks of its request, and behind the key that lets it happen once."""

    @wraps(method)
    def run(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        def call() -> Response:
            self.data = _checked(request, it)
            self.query = _asked(request, it)
            done: Response = method(self, request, *args, **kwargs)
            return done

        where = str(getattr(getattr(self, "namespace", None), "pk", ""))
        return once(request, call, where=where) if it.creates else call()

    return run


def _checked(request: Request, it: Operation) -> dict[str, Any]:
    is_json = not (request.content_type or "").startswith(("multipart/", "application/octet-stream"))
    if it.body is None or (it.takes_files and not is_json):
        return {}
    if not is_json and not it.body_optional:
        raise UnsupportedMediaType(request.content_type)
    given = request.data if is_json else None
    form = it.body(data=or_empty(given) if it.body_optional else given)
    form.is_valid(raise_exception=True)
    data: dict[str, Any] = form.validated_data
    return data


def _asked(request: Request, it: Operation) -> dict[str, Any]:
    if it.query is None:
        return {}
    form = it.query(data=request.query_params.dict())
    form.is_valid(raise_exception=True)
    data: dict[str, Any] = form.validated_data
    return data


def _describe(run: Callable[..., Response], it: Operation, about: _About) -> Any:
    request: Any = about.body
    if about.multipart is not None:
        request = {"multipart/form-data": about.multipart}
        if about.body is not None:
            request["application/json"] = about.body
    examples = []
    if about.example is not None:
        examples.append(OpenApiExample("A request", value=about.example, request_only=True))
    if about.answer_example is not None:
        codes = [str(about.status)]
        examples.append(
            OpenApiExample("An answer", value=about.answer_example, response_only=True, status_codes=codes)
        )
    answer = about.answer if about.answer is not None else OpenApiResponse(description="Done.")
    return extend_schema(
        operation_id=it.id,
        summary=about.summary,
        description=about.summary,
        request=request,
        responses={about.status: answer},
        parameters=_parameters(it, about.listing),
        examples=examples,
    )(run)


def _parameters(it: Operation, listing: Listing | None) -> list[Any]:
    parameters: list[Any] = [it.query] if it.query is not None else []
    if listing is not None:
        parameters.append(listing.parameters)
    if it.creates:
        parameters.append(
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="A repeated call with the same key and body answers as the first one did.",
            )
        )
    return parameters
