"""What the calls of intake answer; see `extraction.intake.presenters`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class UniqueKeyAnswer(serializers.Serializer[Any]):
    default_policy = serializers.CharField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        # `fields` is a name that DRF keeps for itself.
        return {**super().get_fields(), "fields": serializers.ListField(child=serializers.CharField())}


class BucketAnswer(serializers.Serializer[Any]):
    bucket_id = serializers.CharField()
    bucket_name = serializers.CharField()
    namespace_id = serializers.CharField()
    description = serializers.CharField()
    bucket_schema = serializers.DictField()
    metadata = serializers.DictField()
    split_key = serializers.CharField()
    unique_key = UniqueKeyAnswer(allow_null=True)
    object_count = serializers.IntegerField()
    total_size_bytes = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class BlobDetailsAnswer(serializers.Serializer[Any]):
    filename = serializers.CharField()
    size_bytes = serializers.IntegerField(required=False)
    mime_type = serializers.CharField(required=False)
    hash = serializers.CharField(required=False)


class BlobAnswer(serializers.Serializer[Any]):
    property = serializers.CharField()
    type = serializers.CharField()
    details = BlobDetailsAnswer()
    properties = serializers.DictField(required=False)
    presigned_url = serializers.CharField(required=False)


class ObjectAnswer(serializers.Serializer[Any]):
    object_id = serializers.CharField()
    bucket_id = serializers.CharField()
    key_prefix = serializers.CharField(allow_null=True)
    key = serializers.CharField()
    status = serializers.ChoiceField(choices=["PENDING", "COMPLETED", "FAILED"])
    error = serializers.CharField(allow_null=True)
    metadata = serializers.DictField()
    idempotency_key = serializers.CharField(allow_null=True)
    blobs = BlobAnswer(many=True)
    width = serializers.IntegerField(required=False)
    height = serializers.IntegerField(required=False)
    split = serializers.CharField(required=False)
    replayed = serializers.BooleanField(required=False)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ObjectOutcomeAnswer(ObjectAnswer):
    index = serializers.IntegerField()


class FailedObjectAnswer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    key = serializers.CharField()
    error = serializers.DictField()


class ObjectBatchAnswer(serializers.Serializer[Any]):
    succeeded = ObjectOutcomeAnswer(many=True)
    failed = FailedObjectAnswer(many=True)
    total_requested = serializers.IntegerField()
    succeeded_count = serializers.IntegerField()
    failed_count = serializers.IntegerField()


class UploadAnswer(serializers.Serializer[Any]):
    upload_id = serializers.CharField()
    bucket_id = serializers.CharField()
    filename = serializers.CharField()
    content_type = serializers.CharField()
    file_size_bytes = serializers.IntegerField(allow_null=True)
    presigned_url = serializers.CharField(allow_null=True)
    presigned_url_expiration = serializers.IntegerField()
    s3_key = serializers.CharField()
    status = serializers.CharField()
    metadata = serializers.DictField()
    create_object_on_confirm = serializers.BooleanField()
    object_metadata = serializers.DictField()
    etag = serializers.CharField(allow_null=True)
    object_id = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class UploadsAnswer(serializers.Serializer[Any]):
    uploads = UploadAnswer(many=True)
    total = serializers.IntegerField()


class ConfirmedAnswer(serializers.Serializer[Any]):
    upload_id = serializers.CharField()
    status = serializers.CharField()
    object_id = serializers.CharField(allow_null=True)
    is_duplicate = serializers.BooleanField()
    message = serializers.CharField()
