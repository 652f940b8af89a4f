"""The base of API views inside a namespace."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mixcv.kernel.errors import DomainError, NotFound
from mixcv.tenancy.actors import Actor, program
from mixcv.tenancy.models import ApiKey, Namespace
from mixcv.tenancy.queries import opened_by
from mixcv.tenancy.rates import Rate, count_call, refuse


class NulInQuery(DomainError):
    code = "nul_character"


class KeyedView(APIView):
    """An API view that wants a key, counts its calls and says how many are left."""

    # The heading under which the API's page lists the view's operations.
    tag = ""
    actor: Actor
    key: ApiKey
    # What `operation` checked: the body and the query.
    data: dict[str, Any]
    query: dict[str, Any]
    _rate: Rate | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        assert isinstance(request.auth, ApiKey)
        self.key = request.auth
        self.actor = program(self.key)
        self._rate = count_call(self.key)
        if self._rate and self._rate.left < 0:
            raise refuse(self._rate)
        if any("\x00" in name or "\x00" in value for name, value in request.query_params.items()):
            raise NulInQuery("A parameter of the address has a NUL character. Leave it out.")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        if self._rate:
            for name, value in self._rate.headers().items():
                answer.headers[name] = value
            if answer.status_code == 429:
                answer.headers["Retry-After"] = str(answer.data["error"]["details"]["retry_after"])
        return answer


class NamespacedView(KeyedView):
    """An API view inside a namespace: that of the address (`/v1/namespaces/{namespace}/…`), else of the header
    `X-Namespace`, else the key's own."""

    namespace: Namespace

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        wanted = self.kwargs.pop("namespace_ref", None) or request.headers.get("X-Namespace")
        kwargs.pop("namespace_ref", None)
        super().initial(request, *args, **kwargs)
        self.namespace = opened(self.key, wanted) if wanted else self.key.namespace


def opened(key: ApiKey, ref: str) -> Namespace:
    """The namespace of this id or name that the key opens. Raises NotFound."""
    if ref in {key.namespace.public_id, key.namespace.name}:
        return key.namespace
    found = [row for row in opened_by(key) if ref in {row.public_id, row.name}]
    if not found:
        raise NotFound(f"There is no namespace {ref[:200]!r} that this key opens.", field="namespace_id")
    return next((row for row in found if row.public_id == ref), found[0])
