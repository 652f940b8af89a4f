"""Programs show a key; a key opens one namespace.

Apart from `api_auth`, which imports DRF's views: those read these classes from the settings while they load.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from mixcv.kernel.errors import Forbidden, Unauthenticated
from mixcv.tenancy.domain import hash_key
from mixcv.tenancy.models import ApiKey, Scope

if TYPE_CHECKING:
    from rest_framework.views import APIView


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthenticated("No API key. Send the header Authorization: Bearer <key>.")
        key = (
            ApiKey.objects.select_related("namespace")
            .filter(sha256=hash_key(text.strip()), revoked_at=None)
            .first()
        )
        if key is None:
            raise Unauthenticated("This API key is unknown or revoked. An admin makes a new one.")
        now = timezone.now()
        if key.last_used_at is None or key.last_used_at < now - timedelta(minutes=1):
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """read for looking, delete for deleting, write for the rest, unless the view's operation says otherwise."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            raise Unauthenticated("No API key. Send the header Authorization: Bearer <key>.")
        method = request.method or "GET"
        by_method = {"GET": Scope.READ, "HEAD": Scope.READ, "OPTIONS": Scope.READ, "DELETE": Scope.DELETE}
        handler = getattr(view, method.lower(), None)
        told = getattr(handler, "operation", None)
        wanted = (told and told.scope) or getattr(view, "scope", None) or by_method.get(method, Scope.WRITE)
        if wanted not in key.scopes and Scope.ADMIN not in key.scopes:
            raise Forbidden(f"This key has the scopes {', '.join(key.scopes)}; this call needs {wanted}.")
        return True
