"""Collections, batches, documents and detections as the API shows them, and the description of that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers

from extraction.packages.models import Feature
from extraction.runs.domain.naming import detection_ref, document_ref
from extraction.runs.models import Batch, BatchItem, Collection, Detection, Document, Embedding
from mixcv.kernel.answers import BoxAnswer
from mixcv.kernel.geometry import Box

TASK_TYPE = "api_buckets_batches_process"


class BoundExtractorAnswer(serializers.Serializer[Any]):
    feature_extractor_name = serializers.CharField()
    version = serializers.CharField()
    feature_extractor_id = serializers.CharField()
    parameters = serializers.DictField()


class SourceAnswer(serializers.Serializer[Any]):
    type = serializers.CharField()
    bucket_ids = serializers.ListField(child=serializers.CharField())


class VectorIndexAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    feature_uri = serializers.CharField()


class CollectionAnswer(serializers.Serializer[Any]):
    collection_id = serializers.CharField()
    collection_name = serializers.CharField()
    description = serializers.CharField()
    source = SourceAnswer()  # type: ignore[assignment]  # DRF's own attribute of a field, not of a form
    feature_extractor = BoundExtractorAnswer(allow_null=True)
    vector_indexes = VectorIndexAnswer(many=True)
    parameters = serializers.DictField()
    metadata = serializers.DictField()
    enabled = serializers.BooleanField()
    document_count = serializers.IntegerField()
    detection_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ProgressAnswer(serializers.Serializer[Any]):
    processed = serializers.IntegerField()
    total = serializers.IntegerField()
    percent = serializers.FloatField()
    items_per_second = serializers.FloatField(allow_null=True)
    eta_seconds = serializers.FloatField(allow_null=True)
    errors = serializers.IntegerField()  # type: ignore[assignment]  # DRF's own attribute of a form


class BatchAnswer(serializers.Serializer[Any]):
    batch_id = serializers.CharField()
    batch_name = serializers.CharField()
    bucket_id = serializers.CharField()
    collection_ids = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField()
    automatic = serializers.BooleanField()
    dedup_strategy = serializers.CharField()
    task_id = serializers.CharField(allow_null=True)
    webhook_url = serializers.CharField(allow_null=True)
    webhook_error = serializers.CharField(allow_null=True)
    metadata = serializers.DictField()
    item_count = serializers.IntegerField()
    done_count = serializers.IntegerField()
    failed_count = serializers.IntegerField()
    skipped_count = serializers.IntegerField()
    progress = ProgressAnswer()
    max_node_death_resubmits = serializers.IntegerField()
    max_deploy_resubmits = serializers.IntegerField()
    lifecycle = serializers.CharField(allow_null=True)
    lifecycle_reason = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class SubmittedAnswer(BatchAnswer):
    task_type = serializers.CharField()


class FailedItemAnswer(serializers.Serializer[Any]):
    object_id = serializers.CharField()
    collection_id = serializers.CharField()
    error = serializers.CharField()
    error_type = serializers.ChoiceField(choices=["transient", "permanent", "resource"])
    attempts = serializers.IntegerField()
    timestamp = serializers.DateTimeField(allow_null=True)


class DetectionAnswer(serializers.Serializer[Any]):
    document_id = serializers.CharField()
    confidence = serializers.FloatField()
    bbox = BoxAnswer()
    class_scores = serializers.DictField(allow_null=True)
    decided_label = serializers.CharField(allow_null=True)
    decided_class = serializers.CharField(allow_null=True)
    vectors = serializers.DictField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # `class` is no name that Python takes.
        return {**super().get_fields(), "class": serializers.CharField()}


class DocumentAnswer(serializers.Serializer[Any]):
    """A document; with a detection's id, that detection with its document's fields. The fields of `metadata` stand at
    the root, too."""

    document_id = serializers.CharField()
    collection_id = serializers.CharField()
    root_object_id = serializers.CharField()
    root_bucket_id = serializers.CharField()
    source_type = serializers.CharField()
    image_width = serializers.IntegerField()
    image_height = serializers.IntegerField()
    metadata = serializers.DictField()
    generation = serializers.IntegerField()
    top_confidence = serializers.FloatField(allow_null=True)
    detections = DetectionAnswer(many=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


def present_collection(row: Collection) -> dict[str, Any]:
    """Wants `collections_of(…)` with the version's features prefetched."""
    version = row.extractor_version
    extractor = None
    indexes = []
    if version:
        extractor = {
            "feature_extractor_name": version.extractor.name,
            "version": version.version,
            "feature_extractor_id": version.public_id,
            "parameters": row.parameters,
        }
        indexes = [
            {"name": f.name, "feature_uri": f"mixpeek://{version.extractor.name}@{version.version}/{f.name}"}
            for f in version.features.all()
            if f.kind == Feature.Kind.EMBEDDING
        ]
    return {
        "collection_id": row.public_id,
        "collection_name": row.name,
        "description": row.description,
        "source": {"type": row.source, "bucket_ids": [bucket.public_id for bucket in row.buckets.all()]},
        "feature_extractor": extractor,
        "vector_indexes": indexes,
        "parameters": row.parameters,
        "metadata": row.metadata,
        "enabled": row.enabled,
        "document_count": row.document_count,
        "detection_count": row.detection_count,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def present_batch(row: Batch) -> dict[str, Any]:
    processed = row.done_count + row.failed_count + row.skipped_count
    rate = row.job.rate if row.job and not row.is_over else 0.0
    return {
        "batch_id": row.public_id,
        "batch_name": row.name,
        "bucket_id": row.bucket.public_id,
        "collection_ids": [collection.public_id for collection in row.collections.all()],
        "status": "PENDING" if row.state == Batch.State.OPEN else row.state,
        "automatic": row.automatic,
        "dedup_strategy": row.dedup,
        "task_id": row.job.public_id if row.job else None,
        "webhook_url": row.webhook_url or None,
        "webhook_error": row.webhook_error or None,
        "metadata": row.metadata,
        "item_count": row.item_count,
        "done_count": row.done_count,
        "failed_count": row.failed_count,
        "skipped_count": row.skipped_count,
        "progress": {
            "processed": processed,
            "total": row.item_count,
            "percent": round(100 * processed / row.item_count, 1) if row.item_count else 0.0,
            "items_per_second": rate or None,
            "eta_seconds": (row.item_count - processed) / rate if rate > 0 else None,
            "errors": row.failed_count,
        },
        "max_node_death_resubmits": 0,
        "max_deploy_resubmits": 0,
        "lifecycle": None,
        "lifecycle_reason": None,
        "created_at": row.created_at,
        "submitted_at": row.submitted_at,
        "finished_at": row.finished_at,
    }


def present_submitted(row: Batch) -> dict[str, Any]:
    return {**present_batch(row), "task_id": row.job.public_id if row.job else "", "task_type": TASK_TYPE}


def present_failed(item: BatchItem) -> dict[str, Any]:
    return {
        "object_id": item.object.public_id,
        "collection_id": item.collection.public_id,
        "error": item.reason,
        "error_type": error_type(item),
        "attempts": item.attempt,
        "timestamp": item.finished_at,
    }


def error_type(item: BatchItem) -> str:
    """Whether trying again can help: an image that cannot be read never can, a lack of memory may elsewhere."""
    reason = item.reason.lower()
    if "memory" in reason:
        return "resource"
    broken = "cannot be read" in reason or "retired" in reason
    return "permanent" if broken or item.object.image_id is None else "transient"


def documents_shown(rows: QuerySet[Document]) -> QuerySet[Document]:
    """With all that `present_document` shows, in a constant number of queries."""
    current = Detection.objects.filter(current=True).select_related("object_class", "decided_class")
    return rows.select_related("collection", "object__bucket", "image").prefetch_related(
        Prefetch("detections", queryset=current.order_by("rank", "pk"))
    )


def present_detection(row: Detection, document: Document) -> dict[str, Any]:
    """A detection in the API's form; bbox: x, y the centre, in pixels of the upright image."""
    return {
        "document_id": detection_ref(document.slug, row.ordinal),
        "class": row.object_class.name,
        "confidence": row.confidence,
        "bbox": Box(row.cx, row.cy, row.w, row.h).as_bbox(),
        "class_scores": row.class_scores,
        "decided_label": row.decided_label or None,
        "decided_class": row.decided_class.name if row.decided_class else None,
    }


def present_document(row: Document) -> dict[str, Any]:
    return {
        **row.metadata,
        **document_fields(row),
        "detections": [present_detection(detection, row) for detection in row.detections.all()],
    }


def document_fields(row: Document) -> dict[str, Any]:
    return {
        "document_id": document_ref(row.slug),
        "collection_id": row.collection.public_id,
        "root_object_id": row.object.public_id,
        "root_bucket_id": row.object.bucket.public_id,
        "source_type": row.collection.source,
        "image_width": row.image.width,
        "image_height": row.image.height,
        "metadata": row.metadata,
        "generation": row.generation,
        "top_confidence": row.top_confidence,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def present_single(document: Document, detection: Detection) -> dict[str, Any]:
    """One detection in the place of a document: its own id and fields beside its document's."""
    shown = present_detection(detection, document)
    return {
        **document.metadata,
        **document_fields(document),
        **shown,
        "parent_document_id": document_ref(document.slug),
        "detections": [shown],
    }


def add_vectors(shown: Sequence[dict[str, Any]], rows: Iterable[Detection]) -> None:
    """Put each detection's vectors, by the name of their feature, beside it; in one query."""
    refs = {row.pk: detection_ref(row.document.slug, row.ordinal) for row in rows}
    found = Embedding.objects.filter(detection__in=list(refs)).select_related("feature")
    by_ref: dict[str, dict[str, list[float]]] = {}
    for row in found:
        vectors = by_ref.setdefault(refs[row.detection_id], {})
        vectors[row.feature.name] = [float(value) for value in row.vector]
    for document in shown:
        for detection in document["detections"]:
            detection["vectors"] = by_ref.get(detection["document_id"], {})
