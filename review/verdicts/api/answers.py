"""What calls about annotations answer. Boxes: {x, y, w, h}, the centre, in pixels of the upright image."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from extraction.runs.domain.naming import detection_ref, document_ref
from mixcv.kernel.answers import BoxAnswer
from mixcv.kernel.geometry import Box
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.payload import warnings_of
from review.verdicts.models import Annotation, AnnotationVersion
from review.verdicts.queries import Told, changed_fields


class RevisionAnswer(serializers.Serializer[Any]):
    """One change: `version` is the one that it made, `prior` what held before."""

    version = serializers.IntegerField()
    prior = serializers.DictField()
    edited_at = serializers.DateTimeField()
    edited_by = serializers.CharField()
    edited_by_type = serializers.CharField()


class NamedRetriever(serializers.Serializer[Any]):
    retriever_id = serializers.CharField()
    name = serializers.CharField()


class NamedExecution(serializers.Serializer[Any]):
    execution_id = serializers.CharField()
    retriever_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class AnnotationAnswer(serializers.Serializer[Any]):
    """`payload` is as sent. `class` and `bbox` are what holds; predicted_class, predicted_confidence and the image's
    size are the server's own, and `warnings` say where the payload differs from them. `revisions`: the latest changes,
    up to 100, in lists up to 10; `version` counts them all, and /versions lists them."""

    annotation_id = serializers.CharField()
    document_id = serializers.CharField()
    collection_id = serializers.CharField(allow_null=True)
    namespace_id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    bbox = BoxAnswer(allow_null=True)
    predicted_class = serializers.CharField(allow_null=True)
    predicted_confidence = serializers.FloatField(allow_null=True)
    image_width = serializers.IntegerField()
    image_height = serializers.IntegerField()
    confidence = serializers.FloatField(allow_null=True)
    reasoning = serializers.CharField(allow_null=True)
    payload = serializers.DictField()
    metadata = serializers.DictField()
    retriever_id = serializers.CharField(allow_null=True)
    execution_id = serializers.CharField(allow_null=True)
    stage_name = serializers.CharField(allow_null=True)
    retriever = NamedRetriever(allow_null=True)
    execution = NamedExecution(allow_null=True)
    actor_id = serializers.CharField()
    actor_type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    version = serializers.IntegerField()
    revisions = RevisionAnswer(many=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    warnings = serializers.ListField(child=serializers.CharField())

    def get_fields(self) -> dict[str, Any]:
        # `class` is no name that Python lets a field have.
        return super().get_fields() | {"class": serializers.CharField(allow_null=True)}


class AnnotationPage(serializers.Serializer[Any]):
    results = AnnotationAnswer(many=True)
    total_count = serializers.IntegerField()
    next_cursor = serializers.CharField(allow_null=True)


class VersionAnswer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    current = serializers.BooleanField()
    edited_at = serializers.DateTimeField()
    edited_by = serializers.CharField()
    edited_by_type = serializers.CharField()
    changed_fields = serializers.ListField(child=serializers.CharField())


class VersionsAnswer(serializers.Serializer[Any]):
    annotation_id = serializers.CharField()
    current_version = serializers.IntegerField()
    deleted_at = serializers.DateTimeField(allow_null=True)
    versions = VersionAnswer(many=True)


class BulkResult(serializers.Serializer[Any]):
    """`index`: the operation's place in its list. `annotation_id` is null where nothing was written."""

    annotation_id = serializers.CharField(allow_null=True)
    operation = serializers.ChoiceField(choices=["create", "update", "delete"])
    index = serializers.IntegerField()
    success = serializers.BooleanField()
    error = serializers.CharField(allow_null=True)
    code = serializers.CharField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())


class BulkAnswer(serializers.Serializer[Any]):
    results = BulkResult(many=True)
    total = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    deleted = serializers.IntegerField()


class LabelAnswer(serializers.Serializer[Any]):
    """`builtin`: one of the four verdicts, which make ground truth. Other labels have no effect on it."""

    label = serializers.CharField()  # type: ignore[assignment]
    description = serializers.CharField()
    builtin = serializers.BooleanField()
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)


class LabelsAnswer(serializers.Serializer[Any]):
    results = LabelAnswer(many=True)
    total_count = serializers.IntegerField()


def warnings_for(row: Annotation, values: Annotation | AnnotationVersion | None = None) -> list[str]:
    values = values or row
    return warnings_of(
        values.label,
        values.payload,
        predicted_class=row.predicted_class.name if row.predicted_class else None,
        width=row.image.width,
        height=row.image.height,
    )


def present_annotation(told: Told, namespace: Namespace) -> dict[str, Any]:
    row, values = told.row, told.values
    return {
        "annotation_id": row.public_id,
        "document_id": _document_ref(row),
        "collection_id": row.collection.public_id if row.collection else None,
        "namespace_id": namespace.public_id,
        **_decision(values),
        "predicted_class": row.predicted_class.name if row.predicted_class else None,
        "predicted_confidence": row.predicted_confidence,
        "image_width": row.image.width,
        "image_height": row.image.height,
        "retriever": (
            {"retriever_id": told.retriever.public_id, "name": told.retriever.name}
            if told.retriever
            else None
        ),
        "execution": (
            {
                "execution_id": told.execution.public_id,
                "retriever_id": told.execution.retriever.public_id if told.execution.retriever else None,
                "created_at": told.execution.created_at,
            }
            if told.execution
            else None
        ),
        "actor_id": row.actor,
        "actor_type": row.actor_type,
        "source": values.source,
        "version": values.version,
        "revisions": [
            {
                "version": after.version,
                "prior": _decision(before),
                "edited_at": after.decided_at,
                "edited_by": after.actor,
                "edited_by_type": after.actor_type,
            }
            for before, after in zip(told.versions, told.versions[1:], strict=False)
        ],
        "created_at": row.created_at,
        "updated_at": told.updated_at,
        "warnings": warnings_for(row, values),
    }


def _document_ref(row: Annotation) -> str:
    if row.document is None:
        return ""
    return (
        detection_ref(row.document.slug, row.detection.ordinal)
        if row.detection
        else document_ref(row.document.slug)
    )


def _decision(values: Annotation | AnnotationVersion) -> dict[str, Any]:
    """What each version has of its own."""
    box = None
    if values.cx is not None and values.cy is not None and values.w is not None and values.h is not None:
        box = Box(values.cx, values.cy, values.w, values.h).as_bbox()
    return {
        "label": values.label,
        "class": values.object_class.name if values.object_class else None,
        "bbox": box,
        "confidence": values.confidence,
        "reasoning": values.reasoning or None,
        "payload": values.payload,
        "metadata": values.metadata,
        "retriever_id": values.retriever_ref or None,
        "execution_id": values.execution_ref or None,
        "stage_name": values.stage_name or None,
    }


def present_versions(row: Annotation, versions: list[AnnotationVersion]) -> dict[str, Any]:
    earlier: list[AnnotationVersion | None] = [None, *versions]
    return {
        "annotation_id": row.public_id,
        "current_version": row.version,
        "deleted_at": row.deleted_at,
        "versions": [
            {
                "version": one.version,
                "current": one.version == row.version,
                "edited_at": one.decided_at,
                "edited_by": one.actor,
                "edited_by_type": one.actor_type,
                "changed_fields": changed_fields(before, one),
            }
            for before, one in zip(earlier, versions, strict=False)
        ],
    }
