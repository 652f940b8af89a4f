"""What the calls of extractors and models answer; see `extraction.packages.presenters`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from mixcv.kernel.listing import PaginationAnswer

Plain = serializers.Serializer[Any]
STATUSES = ["QUEUED", "PENDING", "IN_PROGRESS", "DEPLOYED", "FAILED", "NOT_DEPLOYED"]
DEPLOYMENTS = ["deployed", "pending", "failed", "not_deployed"]
VALIDATIONS = ["pending", "passed", "failed"]


def list_answer(name: str, key: str, item: type[Plain], **more: Any) -> Any:
    """A list under a name of its own, with the page beside it."""
    fields: dict[str, Any] = {key: item(many=True), "total": serializers.IntegerField()}
    fields |= {"namespace_id": serializers.CharField(), "pagination": PaginationAnswer(), **more}
    return inline_serializer(name, fields)


def _texts() -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField())


class PluginUploadAnswer(Plain):
    upload_id = serializers.CharField()
    presigned_url = serializers.CharField()
    s3_key = serializers.CharField()
    expires_at = serializers.DateTimeField()
    namespace_id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()


class PluginConfirmedAnswer(Plain):
    success = serializers.BooleanField()
    upload_id = serializers.CharField(allow_null=True)
    plugin_id = serializers.CharField(allow_blank=True)
    validation_status = serializers.ChoiceField(choices=VALIDATIONS)
    validation_errors = _texts()
    deployment_status = serializers.ChoiceField(choices=DEPLOYMENTS)
    feature_uri = serializers.CharField(allow_blank=True)
    s3_archive_url = serializers.CharField(allow_blank=True)
    message = serializers.CharField()


class FeatureAnswer(Plain):
    feature_name = serializers.CharField()
    feature_type = serializers.CharField()
    feature_uri = serializers.CharField()
    embedding_dim = serializers.IntegerField(allow_null=True)
    distance_metric = serializers.CharField(allow_null=True)


class DeploymentInfoAnswer(Plain):
    status = serializers.ChoiceField(choices=STATUSES)
    deployment_type = serializers.ChoiceField(choices=["batch_only"])
    device = serializers.CharField(allow_null=True)
    warnings = _texts()
    error = serializers.CharField(allow_null=True)


class PluginAnswer(Plain):
    plugin_id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    code_hash = serializers.CharField()
    validation_status = serializers.ChoiceField(choices=VALIDATIONS)
    validation_errors = _texts()
    security_scan_passed = serializers.BooleanField()
    deployed = serializers.BooleanField()
    in_production = serializers.BooleanField()
    deployment_info = DeploymentInfoAnswer()
    feature_uri = serializers.CharField(allow_blank=True)
    features = FeatureAnswer(many=True)
    manifest = serializers.DictField()
    models = _texts()
    warnings = _texts()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deployed_at = serializers.DateTimeField(allow_null=True)


class OnePluginAnswer(Plain):
    success = serializers.BooleanField()
    plugin = PluginAnswer()
    presigned_download_url = serializers.CharField(allow_null=True)


class PluginDeployedAnswer(Plain):
    success = serializers.BooleanField()
    plugin_id = serializers.CharField()
    status = serializers.ChoiceField(choices=["queued", "deployed", "batch_only"])
    deployment_type = serializers.ChoiceField(choices=["batch_only"])
    route_prefix = serializers.CharField(allow_null=True)
    warnings = _texts()
    message = serializers.CharField()


class PluginStatusAnswer(Plain):
    plugin_id = serializers.CharField()
    namespace_id = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    name = serializers.CharField()
    version = serializers.CharField()
    realtime_enabled = serializers.BooleanField()
    message = serializers.CharField()
    queued_at = serializers.DateTimeField(allow_null=True)
    estimated_completion_seconds = serializers.IntegerField(allow_null=True)
    deployed = serializers.BooleanField()
    route_prefix = serializers.CharField(allow_null=True)
    feature_uri = serializers.CharField(allow_blank=True)
    deployed_at = serializers.DateTimeField(allow_null=True)
    warnings = _texts()
    error = serializers.CharField(allow_null=True)


class PluginUndeployedAnswer(Plain):
    success = serializers.BooleanField()
    plugin_id = serializers.CharField()
    status = serializers.ChoiceField(choices=["not_deployed"])
    message = serializers.CharField()


class PluginDeletedAnswer(Plain):
    success = serializers.BooleanField()
    plugin_id = serializers.CharField()
    message = serializers.CharField()
    deployment_removed = serializers.BooleanField()


class ExtractorAnswer(Plain):
    feature_extractor_name = serializers.CharField()
    version = serializers.CharField()
    feature_extractor_id = serializers.CharField()
    # A field named as an attribute that DRF has as well: its metaclass takes it away.
    source = serializers.ChoiceField(choices=["builtin", "custom"])  # type: ignore[assignment]
    description = serializers.CharField(allow_blank=True)
    input_schema = serializers.DictField()
    output_schema = serializers.DictField()
    features = FeatureAnswer(many=True)
    status = serializers.ChoiceField(choices=STATUSES)
    in_production = serializers.BooleanField()
    class_names = _texts()
    warnings = _texts()
    created_at = serializers.DateTimeField()


class FeatureExtractorAnswer(Plain):
    feature_extractor_name = serializers.CharField()
    version = serializers.CharField()
    feature_extractor_id = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    icon = serializers.CharField()
    input_schema = serializers.DictField()
    output_schema = serializers.DictField()
    parameter_schema = serializers.DictField()
    supported_input_types = _texts()
    max_inputs = serializers.DictField(child=serializers.IntegerField())
    default_parameters = serializers.DictField()
    required_vector_indexes = serializers.ListField(child=serializers.DictField())
    required_payload_indexes = serializers.ListField(child=serializers.DictField())
    features = FeatureAnswer(many=True)


class ResourcesAnswer(Plain):
    num_cpus = serializers.FloatField()
    num_gpus = serializers.FloatField()
    memory = serializers.IntegerField()


class WeightsAnswer(Plain):
    path = serializers.CharField()
    size = serializers.IntegerField()


class ModelDeploymentAnswer(Plain):
    status = serializers.ChoiceField(choices=STATUSES)
    weights = WeightsAnswer(many=True)
    error = serializers.CharField(allow_null=True)


class ModelAnswer(Plain):
    model_id = serializers.CharField()
    namespace_id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    model_archive_url = serializers.CharField()
    model_format = serializers.ChoiceField(choices=["safetensors", "onnx", "pytorch", "huggingface"])
    model_hash = serializers.CharField()
    size_bytes = serializers.IntegerField()
    # A field named as an attribute that DRF has as well: its metaclass takes it away.
    source = serializers.ChoiceField(choices=["customer"])  # type: ignore[assignment]
    framework = serializers.CharField(allow_null=True)
    task_type = serializers.CharField(allow_null=True)
    deployed = serializers.BooleanField()
    deployment_status = serializers.ChoiceField(choices=DEPLOYMENTS)
    deployment_info = ModelDeploymentAnswer()
    endpoint = serializers.CharField()
    resource_requirements = ResourcesAnswer()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OneModelAnswer(Plain):
    model = ModelAnswer()


class ModelUploadedAnswer(Plain):
    success = serializers.BooleanField()
    model_id = serializers.CharField()
    deployment_status = serializers.ChoiceField(choices=DEPLOYMENTS)
    endpoint = serializers.CharField()
    model_archive_url = serializers.CharField()


class ModelDeployedAnswer(Plain):
    success = serializers.BooleanField()
    model_id = serializers.CharField()
    namespace_id = serializers.CharField()
    deployment_status = serializers.ChoiceField(choices=DEPLOYMENTS)
    message = serializers.CharField()


class ModelDownloadAnswer(Plain):
    model_id = serializers.CharField()
    download_url = serializers.CharField()
    expires_at = serializers.DateTimeField()
    filename = serializers.CharField()
    size_bytes = serializers.IntegerField()
    model_hash = serializers.CharField()


class ModelDeletedAnswer(Plain):
    success = serializers.BooleanField()
    model_id = serializers.CharField()
    message = serializers.CharField()


class ModelUploadAnswer(Plain):
    upload_id = serializers.CharField()
    presigned_url = serializers.CharField()
    s3_key = serializers.CharField()
    expires_at = serializers.DateTimeField()
    organization_id = serializers.CharField()
    namespace_id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    model_format = serializers.ChoiceField(choices=["safetensors", "onnx", "pytorch", "huggingface"])


class ModelConfirmedAnswer(Plain):
    success = serializers.BooleanField()
    upload_id = serializers.CharField()
    model_id = serializers.CharField(allow_blank=True)
    validation_status = serializers.ChoiceField(choices=VALIDATIONS)
    validation_errors = _texts()
    deployment_status = serializers.ChoiceField(choices=DEPLOYMENTS)
    message = serializers.CharField()
