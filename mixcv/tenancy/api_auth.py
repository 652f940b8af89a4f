"""The base of API views inside a namespace."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from mixcv.kernel.errors import NotFound
from mixcv.tenancy.actors import Actor, program
from mixcv.tenancy.models import ApiKey, Namespace


class NamespacedView(APIView):
    """An API view inside a namespace, under `/v1/…` or `/v1/namespaces/{namespace}/…`."""

    namespace: Namespace
    actor: Actor

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.auth
        assert isinstance(key, ApiKey)
        wanted = self.kwargs.pop("namespace_ref", None) or request.headers.get("X-Namespace")
        kwargs.pop("namespace_ref", None)
        if wanted and wanted not in {key.namespace.public_id, key.namespace.name}:
            raise NotFound(f"There is no namespace {wanted!r} that this key opens.")
        self.namespace = key.namespace
        self.actor = program(key)
