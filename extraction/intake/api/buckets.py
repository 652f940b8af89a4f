"""`/v1/buckets`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake import presenters
from extraction.intake.api.answers import BucketAnswer
from extraction.intake.domain import create_bucket, delete_bucket, update_bucket
from extraction.intake.models import Bucket
from extraction.intake.queries import get_bucket
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView

BUCKETS = Listing(
    columns={
        "bucket_id": "public_id",
        "bucket_name": "name",
        "description": "description",
        "object_count": "object_count",
        "total_size_bytes": "total_bytes",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    free={"metadata": "metadata"},
    search=("name", "public_id", "description"),
    order="bucket_name",
)
BUCKET_PAGE = page_answer(BucketAnswer)
EXAMPLE = {
    "bucket_name": "security_footage",
    "bucket_schema": {
        "properties": {"image": {"type": "image", "required": True}, "camera_id": {"type": "text"}}
    },
}
ANSWER_EXAMPLE = {
    "bucket_id": "bkt_security_footage",
    "bucket_name": "security_footage",
    "object_count": 120,
    "total_size_bytes": 31_457_280,
}


class BucketBody(StrictSerializer):
    """`bucket_schema.properties`: a field's name → {type, required}. `split_key`: the metadata field that keeps
    near-duplicates on one side of the holdout."""

    description = serializers.JSONField(required=False)
    bucket_schema = serializers.JSONField(required=False)
    schema = serializers.JSONField(required=False)
    metadata = serializers.JSONField(required=False)
    split_key = serializers.JSONField(required=False)
    unique_key = serializers.JSONField(required=False)
    tolerated = frozenset({"storage_class", "destination", "ingest_filter", "source_adapter"})


class BucketCreateBody(BucketBody):
    bucket_name = serializers.JSONField(required=False)
    name = serializers.JSONField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("bucket_name", attrs.get("name")) is None:
            raise serializers.ValidationError({"bucket_name": ["bucket_name is missing."]})
        return attrs


class DeleteBucketQuery(serializers.Serializer[Any]):
    force = serializers.BooleanField(required=False, default=False)
    force_foreclose = serializers.BooleanField(required=False, default=False)


class Buckets(NamespacedView):
    tag = "Buckets"

    @operation(
        "list_buckets",
        "The namespace's buckets.",
        listing=BUCKETS,
        answer=BUCKET_PAGE,
        answer_example={"results": [ANSWER_EXAMPLE], "pagination": {"page": 1}, "total_count": 1},
    )
    def get(self, request: Request) -> Response:
        return Response(self.page(request))

    @operation(
        "create_bucket",
        "Make a bucket.",
        body=BucketCreateBody,
        answer=BucketAnswer,
        creates=True,
        example=EXAMPLE,
        answer_example=ANSWER_EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        data = self.data
        bucket = create_bucket(
            namespace=self.namespace,
            name=data["bucket_name"] if "bucket_name" in data else data["name"],
            schema=data.get("bucket_schema", data.get("schema")),
            description=data.get("description") or "",
            metadata=data.get("metadata"),
            split_key=data.get("split_key") or "",
            unique_key=data.get("unique_key"),
            by=self.actor,
        )
        return Response(presenters.bucket(bucket))

    def page(self, request: Request) -> dict[str, Any]:
        rows = Bucket.objects.filter(namespace=self.namespace).select_related("namespace")
        return BUCKETS.page(rows, presenters.bucket, request, self.data)


class BucketList(Buckets):
    http_method_names = ["post", "options"]

    @operation(
        "search_buckets",
        "The namespace's buckets, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=BUCKETS,
        answer=BUCKET_PAGE,
        scope="read",
        example={"search": "footage", "sort": {"field": "created_at", "direction": "desc"}},
    )
    def post(self, request: Request) -> Response:
        return Response(self.page(request))


class OneBucket(NamespacedView):
    tag = "Buckets"

    @operation("get_bucket", "A bucket by id or name.", answer=BucketAnswer, answer_example=ANSWER_EXAMPLE)
    def get(self, request: Request, bucket_ref: str) -> Response:
        return Response(presenters.bucket(get_bucket(self.namespace, bucket_ref)))

    @operation(
        "update_bucket",
        "Change a bucket's description, metadata, schema or keys; its name and id stay.",
        body=BucketBody,
        answer=BucketAnswer,
        example={"description": "Lobby and yard"},
    )
    def patch(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        data = self.data
        row = update_bucket(
            bucket=bucket,
            by=self.actor,
            description=data.get("description"),
            metadata=data.get("metadata"),
            schema=data.get("bucket_schema", data.get("schema")),
            split_key=data.get("split_key"),
            unique_key=data.get("unique_key"),
        )
        return Response(presenters.bucket(row))

    @operation(
        "delete_bucket",
        "Delete a bucket that nothing refers to; with `force` its objects too.",
        query=DeleteBucketQuery,
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "bkt_security_footage is deleted."},
    )
    def delete(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        delete_bucket(bucket=bucket, by=self.actor, with_objects=any(self.query.values()))
        return Response({"success": True, "message": f"{bucket.public_id} is deleted."})
