"""`/v1/buckets/{bucket}/uploads`: bytes sent to a signed address, then confirmed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Count, Sum
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.api.answers import ConfirmedAnswer, UploadAnswer, UploadsAnswer
from extraction.intake.api.objects import PolicyQuery
from extraction.intake.domain.confirming import confirm_object, delete_upload
from extraction.intake.models import Bucket, Upload
from extraction.intake.presigned import LONGEST, SHORTEST, create_upload, presigned_url
from extraction.intake.queries import get_bucket
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import NotFound
from mixcv.kernel.listing import ListBody, Listing, PaginationAnswer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView

UPLOADS = Listing(
    columns={
        "upload_id": "public_id",
        "filename": "filename",
        "status": "state",
        "created_at": "created_at",
        "expires_at": "expires_at",
    },
    words={"status": {"PROCESSING": "UPLOADED"}},
    search=("filename", "public_id"),
    order="-created_at",
    default=20,
)
EXAMPLE = {"filename": "frame_001.jpg", "content_type": "image/jpeg"}


class UploadBody(StrictSerializer):
    filename = serializers.CharField(max_length=500)
    content_type = serializers.CharField(max_length=100)
    file_size_bytes = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    presigned_url_expiration = serializers.IntegerField(
        required=False, default=3600, min_value=SHORTEST, max_value=LONGEST
    )
    metadata = serializers.DictField(required=False, allow_null=True)
    create_object_on_confirm = serializers.BooleanField(required=False, default=True)
    object_metadata = serializers.DictField(required=False, allow_null=True)
    blob_property = serializers.CharField(required=False, allow_null=True, max_length=100)
    skip_duplicates = serializers.BooleanField(required=False, default=True)
    tolerated = frozenset({"blob_type", "file_hash"})


class UploadsBody(StrictSerializer):
    uploads = serializers.ListField(child=UploadBody(), min_length=1, max_length=1000)
    shared_metadata = serializers.DictField(required=False, allow_null=True)
    shared_object_metadata = serializers.DictField(required=False, allow_null=True)


class ConfirmBody(StrictSerializer):
    etag = serializers.CharField(required=False, allow_null=True, max_length=100)
    file_size_bytes = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    tolerated = frozenset({"auto_submit_batch"})


def upload_stats(bucket: Bucket) -> dict[str, Any]:
    """How many uploads a bucket has in which state, and how large what came is."""
    rows = Upload.objects.filter(bucket=bucket).values_list("state")
    found = list(rows.annotate(number=Count("pk"), came=Count("blob"), size=Sum("blob__size")))
    size, came = sum(row[3] or 0 for row in found), sum(row[2] for row in found)
    return {
        "total_uploads": sum(row[1] for row in found),
        "total_size_bytes": size,
        "avg_file_size_bytes": size / came if came else 0.0,
        "uploads_by_status": {row[0]: row[1] for row in found},
        "unique_buckets": 1 if found else 0,
    }


def present(row: Upload, request: Request) -> dict[str, Any]:
    open_ = row.state in {Upload.State.PENDING, Upload.State.UPLOADED}
    return {
        "upload_id": row.public_id,
        "bucket_id": row.bucket.public_id if row.bucket else "",
        "filename": row.filename,
        "content_type": row.content_type,
        "file_size_bytes": row.blob.size if row.blob else row.params.get("file_size_bytes"),
        "presigned_url": presigned_url(request._request, row) if open_ else None,
        "presigned_url_expiration": row.params.get("expires_in", 3600),
        "s3_key": f"uploads/{row.public_id}/{row.filename}",
        "status": {"UPLOADED": "PROCESSING"}.get(row.state, row.state),
        "metadata": row.params.get("metadata") or {},
        "create_object_on_confirm": row.params.get("create_object", True),
        "object_metadata": row.params.get("object_metadata") or {},
        "etag": row.etag or None,
        "object_id": row.object.public_id if row.object else None,
        "error": row.error or None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "completed_at": row.completed_at,
    }


class UploadStatsAnswer(serializers.Serializer[Any]):
    total_uploads = serializers.IntegerField()
    total_size_bytes = serializers.IntegerField()
    avg_file_size_bytes = serializers.FloatField()
    uploads_by_status = serializers.DictField(child=serializers.IntegerField())
    unique_buckets = serializers.IntegerField()


class UploadPage(serializers.Serializer[Any]):
    results = UploadAnswer(many=True)
    pagination = PaginationAnswer()
    total_count = serializers.IntegerField()
    stats = UploadStatsAnswer()


class Uploads(NamespacedView):
    tag = "Uploads"

    @operation(
        "list_uploads",
        "Uploads of a bucket, newest first.",
        listing=UPLOADS,
        answer=UploadPage,
        answer_example={"results": [], "pagination": {"page": 1}, "total_count": 0},
    )
    def get(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, bucket_ref))

    @operation(
        "create_upload",
        "Ask for a signed address to PUT an image to; confirming it makes the object.",
        body=UploadBody,
        answer=UploadAnswer,
        creates=True,
        example=EXAMPLE,
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        row = self.make(get_bucket(self.namespace, bucket_ref), self.data, {}, {})
        return Response(present(row, request))

    def make(
        self, bucket: Bucket, data: dict[str, Any], metadata: dict[str, Any], of_object: dict[str, Any]
    ) -> Upload:
        return create_upload(
            namespace=self.namespace,
            kind=Upload.Kind.OBJECT,
            filename=data["filename"],
            content_type=data["content_type"],
            expires_in=data["presigned_url_expiration"],
            bucket=bucket,
            by=self.actor,
            params={
                "metadata": {**metadata, **(data.get("metadata") or {})},
                "object_metadata": {**of_object, **(data.get("object_metadata") or {})},
                "create_object": data["create_object_on_confirm"],
                "property": data.get("blob_property") or "image",
                "skip_duplicates": data["skip_duplicates"],
                "file_size_bytes": data.get("file_size_bytes"),
                "expires_in": data["presigned_url_expiration"],
            },
        )

    def page(self, request: Request, bucket_ref: str) -> dict[str, Any]:
        bucket = get_bucket(self.namespace, bucket_ref)
        rows = Upload.objects.filter(bucket=bucket).select_related("bucket", "blob", "object")
        found = UPLOADS.page(rows, lambda row: present(row, request), request, self.data)
        return found | {"stats": upload_stats(bucket)}


class UploadList(Uploads):
    http_method_names = ["post", "options"]

    @operation(
        "search_uploads",
        "Uploads of a bucket, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=UPLOADS,
        answer=UploadPage,
        scope="read",
        example={"filters": {"field": "status", "operator": "eq", "value": "PENDING"}},
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, bucket_ref))


class UploadBatch(Uploads):
    http_method_names = ["post", "options"]

    @operation(
        "create_uploads",
        "Ask for several signed addresses at once.",
        body=UploadsBody,
        answer=UploadsAnswer,
        creates=True,
        example={"uploads": [EXAMPLE]},
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        shared, of_object = (
            self.data.get("shared_metadata") or {},
            self.data.get("shared_object_metadata") or {},
        )
        with transaction.atomic():
            rows = [self.make(bucket, one, shared, of_object) for one in self.data["uploads"]]
        return Response({"uploads": [present(row, request) for row in rows], "total": len(rows)})


class OneUpload(NamespacedView):
    tag = "Uploads"

    @operation(
        "get_upload", "An upload's state.", answer=UploadAnswer, answer_example={"upload_id": "upl_0abc"}
    )
    def get(self, request: Request, bucket_ref: str, upload_id: str) -> Response:
        return Response(present(self._find(bucket_ref, upload_id), request))

    @operation(
        "delete_upload",
        "Forget an upload; an object made of it stays.",
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "upl_0abc is deleted."},
    )
    def delete(self, request: Request, bucket_ref: str, upload_id: str) -> Response:
        row = self._find(bucket_ref, upload_id)
        delete_upload(upload=row)
        return Response({"success": True, "message": f"{row.public_id} is deleted."})

    def _find(self, bucket_ref: str, upload_id: str) -> Upload:
        bucket = get_bucket(self.namespace, bucket_ref)
        rows = Upload.objects.filter(bucket=bucket, public_id=upload_id)
        row = rows.select_related("bucket", "blob", "object").first()
        if row is None:
            raise NotFound(f"There is no upload {upload_id[:100]!r} of {bucket.name}.", field="upload_id")
        return row


class ConfirmUpload(NamespacedView):
    tag = "Uploads"

    @operation(
        "confirm_upload",
        "The bytes are there: verify them and make the object.",
        body=ConfirmBody,
        body_optional=True,
        query=PolicyQuery,
        answer=ConfirmedAnswer,
        creates=True,
        example={"file_size_bytes": 51_234},
    )
    def post(self, request: Request, bucket_ref: str, upload_id: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        outcome = confirm_object(
            bucket=bucket,
            ref=upload_id,
            file_size_bytes=self.data.get("file_size_bytes"),
            etag=self.data.get("etag"),
            policy=self.query.get("policy", ""),
            by=self.actor,
        )
        made = outcome.object if outcome else None
        return Response(
            {
                "upload_id": upload_id,
                "status": "COMPLETED",
                "object_id": made.public_id if made else None,
                "is_duplicate": bool(outcome and outcome.status == "duplicate"),
                "message": f"{made.key} is in {bucket.name}." if made else "The bytes are kept.",
            }
        )
