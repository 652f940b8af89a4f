"""`/v1/namespaces`, `/v1/me`, `/v1/health`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import KeyedView, opened
from mixcv.tenancy.domain import describe_namespace, open_namespace
from mixcv.tenancy.models import Namespace, Scope
from mixcv.tenancy.queries import opened_by
from mixcv.tenancy.rates import WINDOW

NAMESPACES = Listing(
    columns={
        "namespace_id": "public_id",
        "namespace_name": "name",
        "description": "description",
        "created_at": "created_at",
    },
    search=("name", "public_id", "description"),
    order="namespace_name",
)


class NamespaceAnswer(serializers.Serializer[Any]):
    namespace_id = serializers.CharField()
    namespace_name = serializers.CharField()
    description = serializers.CharField()
    created_at = serializers.DateTimeField()


class NamespaceBody(StrictSerializer):
    namespace_name = serializers.CharField(max_length=100, required=False)
    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=10_000)
    tolerated = frozenset(
        {"feature_extractors", "mode", "payload_indexes", "auto_create_indexes", "features", "vector_configs"}
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["namespace_name"] = attrs.get("namespace_name") or attrs.get("name")
        if not attrs["namespace_name"]:
            raise serializers.ValidationError({"namespace_name": ["This field is required."]})
        return attrs


class NamespaceChange(StrictSerializer):
    description = serializers.CharField(allow_blank=True, max_length=10_000)


class NamespaceListBody(ListBody):
    pass


def present(row: Namespace) -> dict[str, Any]:
    return {
        "namespace_id": row.public_id,
        "namespace_name": row.name,
        "description": row.description,
        "created_at": row.created_at,
    }


class Namespaces(KeyedView):
    """The namespaces that the key opens."""

    tag = "Namespaces"

    @operation(
        "list_namespaces",
        "The namespaces that the key opens.",
        listing=NAMESPACES,
        answer=page_answer(NamespaceAnswer),
        answer_example={"results": [], "pagination": {"page": 1, "page_size": 100}, "total_count": 0},
    )
    def get(self, request: Request) -> Response:
        return Response(_page(self, request))

    @operation(
        "create_namespace",
        "Make a namespace; the key opens it beside its own. Needs the scope admin.",
        body=NamespaceBody,
        answer=NamespaceAnswer,
        creates=True,
        scope="admin",
        example={"namespace_name": "warehouse", "description": "Cameras of the warehouse"},
    )
    def post(self, request: Request) -> Response:
        row = open_namespace(
            key=self.key,
            name=self.data["namespace_name"],
            description=self.data.get("description") or "",
            by=self.actor,
        )
        return Response(present(row))


class NamespaceList(KeyedView):
    tag = "Namespaces"

    @operation(
        "search_namespaces",
        "The namespaces that the key opens, by filters, search and sort.",
        body=NamespaceListBody,
        body_optional=True,
        listing=NAMESPACES,
        answer=page_answer(NamespaceAnswer),
        scope="read",
        example={"search": "ware", "include_total": True},
    )
    def post(self, request: Request) -> Response:
        return Response(_page(self, request))


def _page(view: KeyedView, request: Request) -> dict[str, Any]:
    rows = Namespace.objects.filter(pk__in=[row.pk for row in opened_by(view.key)])
    return NAMESPACES.page(rows, present, request, view.data)


class OneNamespace(KeyedView):
    tag = "Namespaces"

    @operation(
        "get_namespace",
        "A namespace by id or name.",
        answer=NamespaceAnswer,
        answer_example={
            "namespace_id": "ns_demo",
            "namespace_name": "demo",
            "description": "",
            "created_at": "2026-05-03T14:30:00Z",
        },
    )
    def get(self, request: Request, namespace: str) -> Response:
        return Response(present(opened(self.key, namespace)))

    @operation(
        "update_namespace",
        "Change a namespace's description.",
        body=NamespaceChange,
        answer=NamespaceAnswer,
        scope="admin",
        example={"description": "Cameras of the warehouse"},
    )
    def patch(self, request: Request, namespace: str) -> Response:
        row = opened(self.key, namespace)
        return Response(
            present(describe_namespace(namespace=row, description=self.data["description"], by=self.actor))
        )


class KeyAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    key_type = serializers.CharField()
    prefix = serializers.CharField()
    permissions = serializers.ListField(child=serializers.ChoiceField(choices=Scope.values))
    expires_at = serializers.DateTimeField(allow_null=True)


class MeAnswer(serializers.Serializer[Any]):
    organization_id = serializers.CharField()
    organization_name = serializers.CharField()
    account_type = serializers.CharField()
    key = KeyAnswer()
    namespaces = NamespaceAnswer(many=True)
    default_namespace_id = serializers.CharField()
    rate_limits = serializers.DictField(child=serializers.IntegerField())
    principal_scoped = serializers.BooleanField()


class Me(KeyedView):
    """Who is asking."""

    tag = "Account"

    @operation(
        "get_me",
        "The key that asks: its scopes, its limit and the namespaces that it opens.",
        answer=MeAnswer,
        answer_example={
            "organization_id": "mixcv",
            "organization_name": "mixcv",
            "account_type": "self_hosted",
            "key": {
                "name": "demo",
                "key_type": "api_key",
                "prefix": "mxcv_Ab12Cd3",
                "permissions": ["read", "write"],
                "expires_at": None,
            },
            "namespaces": [],
            "default_namespace_id": "ns_demo",
            "rate_limits": {"calls_per_minute": 6000},
            "principal_scoped": False,
        },
    )
    def get(self, request: Request) -> Response:
        key = self.key
        limit = {"calls_per_minute": self._rate.limit, "window_seconds": WINDOW} if self._rate else {}
        return Response(
            {
                "organization_id": "mixcv",
                "organization_name": "mixcv",
                "account_type": "self_hosted",
                "key": {
                    "name": key.label,
                    "key_type": "api_key",
                    "prefix": key.prefix,
                    "permissions": key.scopes,
                    "expires_at": None,
                },
                "namespaces": [present(row) for row in opened_by(key)],
                "default_namespace_id": key.namespace.public_id,
                "rate_limits": limit,
                "principal_scoped": False,
            }
        )


class AliveAnswer(serializers.Serializer[Any]):
    status = serializers.CharField()


class Health(APIView):
    """Whether the server answers; `/healthz` says how its parts are."""

    tag = "Account"
    authentication_classes = ()
    permission_classes = ()

    @operation(
        "get_health", "Whether the server answers.", answer=AliveAnswer, answer_example={"status": "ok"}
    )
    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})
