"""What the calls of extractors and models take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

from extraction.intake.presigned import LONGEST, SHORTEST
from mixcv.kernel.listing import ListBody
from mixcv.kernel.serializers import StrictSerializer

_FILE: dict[str, Any] = {
    "required": "The archive is missing. Send it as the file part 'file' of a multipart body.",
    "invalid": "The archive part is missing: 'file' came as text. Send the file itself as a part of a multipart body.",
    "empty": "The file is empty.",
    "null": "The archive is missing. Send it as the file part 'file' of a multipart body.",
}
FORMATS = ["safetensors", "onnx", "pytorch", "huggingface"]
Form = TypeVar("Form", bound=serializers.Serializer[Any])


class Signed(StrictSerializer):
    """`file_size_bytes` is a hint here: only that of the confirmation is checked."""

    name = serializers.CharField(max_length=64)
    version = serializers.CharField(max_length=20)
    description = serializers.CharField(max_length=500, required=False, allow_null=True, allow_blank=True)
    file_size_bytes = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**53)
    file_name = serializers.CharField(max_length=200, required=False, allow_null=True)
    presigned_url_expiration = serializers.IntegerField(
        required=False, default=3600, min_value=SHORTEST, max_value=LONGEST
    )


class PluginUploadBody(Signed):
    """A package is to be sent."""


class ResourcesBody(StrictSerializer):
    num_cpus = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1024)
    num_gpus = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1024)
    memory = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**53)


class ModelUploadBody(Signed):
    """Weights are to be sent."""

    model_format = serializers.ChoiceField(choices=FORMATS)
    framework = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    task_type = serializers.CharField(max_length=40, required=False, allow_null=True, allow_blank=True)
    resource_requirements = ResourcesBody(required=False, allow_null=True)
    # A field named as an attribute that DRF has as well: its metaclass takes it away.
    source = serializers.ChoiceField(choices=["customer", "mixpeek", "system"], required=False)  # type: ignore[assignment]


class ArchiveConfirmBody(StrictSerializer):
    etag = serializers.CharField(required=False, allow_null=True, max_length=100)
    file_size_bytes = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=2**53)


class PluginForm(StrictSerializer):
    """A package sent at once."""

    file = serializers.FileField(error_messages=_FILE)
    name = serializers.CharField(max_length=64)
    version = serializers.CharField(max_length=20)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)


class ModelForm(StrictSerializer):
    """Weights sent at once; `memory_gb` and the others are wishes."""

    file = serializers.FileField(error_messages=_FILE)
    name = serializers.CharField(max_length=64)
    version = serializers.CharField(max_length=20)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)
    model_format = serializers.ChoiceField(choices=FORMATS, required=False)
    framework = serializers.CharField(max_length=40, required=False, allow_blank=True)
    task_type = serializers.CharField(max_length=40, required=False, allow_blank=True)
    num_cpus = serializers.FloatField(required=False, min_value=0, max_value=1024)
    num_gpus = serializers.FloatField(required=False, min_value=0, max_value=1024)
    memory_gb = serializers.FloatField(required=False, min_value=0, max_value=10_000)


class NextVersionBody(StrictSerializer):
    """Newer weights for the same code."""

    model_id = serializers.CharField(max_length=200)
    version = serializers.CharField(max_length=20, required=False, allow_null=True)
    deploy = serializers.BooleanField(required=False, default=True)


class DeployQuery(serializers.Serializer[Any]):
    deployment_type = serializers.ChoiceField(choices=["batch_only", "realtime"], required=False)


class DownloadQuery(serializers.Serializer[Any]):
    return_presigned_urls = serializers.BooleanField(required=False)


class ExtractorQuery(serializers.Serializer[Any]):
    # A field named as an attribute that DRF has as well: its metaclass takes it away.
    source = serializers.ChoiceField(choices=["builtin", "custom"], required=False)  # type: ignore[assignment]
    include_disabled = serializers.BooleanField(required=False, default=False)


class ExtractorListBody(ListBody):
    # A field named as an attribute that DRF has as well: its metaclass takes it away.
    source = serializers.ChoiceField(choices=["builtin", "custom"], required=False, allow_null=True)  # type: ignore[assignment]
    include_disabled = serializers.BooleanField(required=False, default=False)


def read_form(request: Request, form: type[Form]) -> dict[str, Any]:
    """A multipart body, checked: every fault at once. A file that came as text is one of them."""
    data: Any = request.data
    fields = data.dict() if hasattr(data, "dict") else data
    checked = form(data=fields if isinstance(fields, Mapping) else {})
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values
