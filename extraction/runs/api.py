"""`/v1/collections`, `/v1/buckets/{id}/batches`, `/v1/documents/list`."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.queries import get_bucket
from extraction.intake.schema import check_json
from extraction.packages.models import ExtractorVersion, Feature
from extraction.runs import domain
from extraction.runs.domain.naming import detection_ref, document_ref
from extraction.runs.models import Batch, Collection, Detection, Document
from extraction.runs.queries import batches_of, collections_of
from mixcv.kernel.api import page_numbers, page_of
from mixcv.kernel.errors import InvalidInput, NotFound
from mixcv.kernel.geometry import Box
from mixcv.kernel.serializers import StrictSerializer, or_empty
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Namespace, Scope


def get_version(namespace: Namespace, extractor: str, version: str) -> ExtractorVersion:
    rows = ExtractorVersion.objects.filter(extractor__namespace=namespace, extractor__name=extractor)
    found = rows.filter(version=version).select_related("extractor").first()
    if found is None:
        here = ExtractorVersion.objects.filter(extractor__namespace=namespace).order_by(
            "extractor__name", "pk"
        )
        known = ", ".join(
            f"{name} {number}" for name, number in here.values_list("extractor__name", "version")
        )
        raise NotFound(
            f"There is no extractor {extractor!r} of version {version!r} here. There are: {known or 'none'}.",
            field="feature_extractor",
        )
    return found


class ExtractorBody(StrictSerializer):
    feature_extractor_name = serializers.CharField(max_length=100)
    version = serializers.CharField(max_length=20)
    parameters = serializers.DictField(required=False)
    tolerated = frozenset({"params", "input_mappings", "field_passthrough", "include_all_source_fields"})


class SourceBody(StrictSerializer):
    type = serializers.ChoiceField(choices=["bucket"])
    bucket_ids = serializers.ListField(child=serializers.CharField(), required=False)
    bucket_id = serializers.CharField(required=False)


class CollectionBody(StrictSerializer):
    collection_name = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    feature_extractor = ExtractorBody()
    source = SourceBody()  # type: ignore[assignment]  # DRF's own attribute of a field, not of a form
    metadata = serializers.DictField(required=False)
    enabled = serializers.BooleanField(required=False, default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["collection_name"] = attrs.get("collection_name") or attrs.get("name")
        if not attrs["collection_name"]:
            raise serializers.ValidationError({"collection_name": ["This field is required."]})
        return attrs


def present_collection(row: Collection) -> dict[str, Any]:
    version = row.extractor_version
    body: dict[str, Any] = {
        "collection_id": row.public_id,
        "collection_name": row.name,
        "description": row.description,
        "source": {"type": row.source, "bucket_ids": [bucket.public_id for bucket in row.buckets.all()]},
        "feature_extractor": None,
        "parameters": row.parameters,
        "metadata": row.metadata,
        "enabled": row.enabled,
        "document_count": row.document_count,
        "detection_count": row.detection_count,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
    if version:
        body["feature_extractor"] = {
            "feature_extractor_name": version.extractor.name,
            "version": version.version,
            "feature_extractor_id": version.public_id,
            "parameters": row.parameters,
        }
        body["vector_indexes"] = [
            {"name": f.name, "feature_uri": f"mixpeek://{version.extractor.name}@{version.version}/{f.name}"}
            for f in version.features.all()
            if f.kind == Feature.Kind.EMBEDDING
        ]
    return body


def _collections(namespace: Namespace) -> QuerySet[Collection]:
    return collections_of(namespace).prefetch_related("extractor_version__features")


class CollectionsView(NamespacedView):
    """Make a collection, or list them."""

    def get(self, request: Request) -> Response:
        return self._list(request, {})

    def post(self, request: Request) -> Response:
        body = CollectionBody(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        extractor, source = data["feature_extractor"], data["source"]
        check_json(data.get("metadata") or {}, field="metadata")
        refs = source.get("bucket_ids") or [ref for ref in [source.get("bucket_id")] if ref]
        row = domain.create_collection(
            namespace=self.namespace,
            name=data["collection_name"],
            version=get_version(self.namespace, extractor["feature_extractor_name"], extractor["version"]),
            buckets=[get_bucket(self.namespace, ref) for ref in refs],
            parameters=extractor.get("parameters") or {},
            description=data.get("description", ""),
            metadata=data.get("metadata"),
            enabled=data["enabled"],
            by=self.actor,
        )
        return Response(present_collection(_collections(self.namespace).get(pk=row.pk)))

    def _list(self, request: Request, data: dict[str, Any]) -> Response:
        limit, offset = page_numbers(data, request.query_params)
        return Response(
            page_of(
                _collections(self.namespace),
                present_collection,
                limit=limit,
                offset=offset,
                include_total=True,
            )
        )


class CollectionView(NamespacedView):
    def get(self, request: Request, collection_ref: str) -> Response:
        row = domain.get_collection(self.namespace, collection_ref)
        return Response(present_collection(_collections(self.namespace).get(pk=row.pk)))


class BatchBody(StrictSerializer):
    batch_name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    object_ids = serializers.ListField(child=serializers.CharField(), required=False, max_length=100_000)
    collection_ids = serializers.ListField(child=serializers.CharField(), required=False, max_length=100)
    dedup_strategy = serializers.ChoiceField(choices=Batch.Dedup.values, required=False)
    auto_submit = serializers.BooleanField(required=False, default=False)
    tolerated = frozenset({"metadata", "trigger_processing"})


class SubmitBody(StrictSerializer):
    collection_ids = serializers.ListField(child=serializers.CharField(), required=False, max_length=100)
    tolerated = frozenset({"include_processing_history"})


def present_batch(row: Batch) -> dict[str, Any]:
    return {
        "batch_id": row.public_id,
        "batch_name": row.name,
        "bucket_id": row.bucket.public_id,
        "collection_ids": [collection.public_id for collection in row.collections.all()],
        "status": "PENDING" if row.state == Batch.State.OPEN else row.state,
        "automatic": row.automatic,
        "dedup_strategy": row.dedup,
        "task_id": row.job.public_id if row.job else None,
        "item_count": row.item_count,
        "done_count": row.done_count,
        "failed_count": row.failed_count,
        "skipped_count": row.skipped_count,
        "max_node_death_resubmits": 0,
        "max_deploy_resubmits": 0,
        "lifecycle": None,
        "lifecycle_reason": None,
        "created_at": row.created_at,
        "submitted_at": row.submitted_at,
        "finished_at": row.finished_at,
    }


class BatchesView(NamespacedView):
    """Make a batch of a bucket's objects, or list the bucket's batches."""

    def get(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        limit, offset = page_numbers({}, request.query_params)
        rows = batches_of(self.namespace).filter(bucket=bucket)
        return Response(page_of(rows, present_batch, limit=limit, offset=offset, include_total=True))

    def post(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        body = BatchBody(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        collections = [domain.get_collection(self.namespace, ref) for ref in data.get("collection_ids") or []]
        batch = domain.create_batch(
            bucket=bucket,
            collections=collections or list(bucket.collections.all()),
            object_ids=data.get("object_ids"),
            name=data.get("batch_name", ""),
            dedup=data.get("dedup_strategy", Batch.Dedup.SKIP),
            by=self.actor,
        )
        if data["auto_submit"]:
            batch = domain.submit_batch(batch=batch, by=self.actor)
        return Response(present_batch(batches_of(self.namespace).get(pk=batch.pk)))


def get_batch(namespace: Namespace, ref: str, bucket_ref: str | None) -> Batch:
    rows = batches_of(namespace).filter(public_id=ref)
    found = (rows.filter(bucket=get_bucket(namespace, bucket_ref)) if bucket_ref else rows).first()
    if found is None:
        raise NotFound(f"There is no batch {ref!r} here.", field="batch_id")
    return found


class BatchView(NamespacedView):
    def get(self, request: Request, batch_ref: str, bucket_ref: str | None = None) -> Response:
        return Response(present_batch(get_batch(self.namespace, batch_ref, bucket_ref)))


class SubmitView(NamespacedView):
    """Hand a draft to the workers."""

    def post(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        batch = get_batch(self.namespace, batch_ref, bucket_ref)
        body = SubmitBody(data=or_empty(request.data))
        body.is_valid(raise_exception=True)
        refs = body.validated_data.get("collection_ids") or []
        domain.submit_batch(
            batch=batch,
            collections=[domain.get_collection(self.namespace, ref) for ref in refs],
            by=self.actor,
        )
        row = get_batch(self.namespace, batch_ref, bucket_ref)
        return Response(
            {
                **present_batch(row),
                "task_id": row.job.public_id if row.job else "",
                "task_type": "api_buckets_batches_process",
            }
        )


class DocumentsBody(StrictSerializer):
    collection_ids = serializers.ListField(child=serializers.CharField(), required=False, max_length=1000)
    include_total = serializers.BooleanField(required=False, default=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=1000)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=1000)
    offset = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)
    page = serializers.IntegerField(required=False, min_value=1)


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
        "document_id": document_ref(row.slug),
        "collection_id": row.collection.public_id,
        "root_object_id": row.object.public_id,
        "root_bucket_id": row.object.bucket.public_id,
        "image_width": row.image.width,
        "image_height": row.image.height,
        "metadata": row.metadata,
        "generation": row.generation,
        "top_confidence": row.top_confidence,
        "detections": [present_detection(detection, row) for detection in row.detections.all()],
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


class DocumentListView(NamespacedView):
    """Documents of some or all collections with their current detections, by falling confidence."""

    scope = Scope.READ

    def post(self, request: Request) -> Response:
        body = DocumentsBody(data=or_empty(request.data))
        body.is_valid(raise_exception=True)
        data = body.validated_data
        limit, offset = page_numbers(data, request.query_params, default=10)
        rows = Document.objects.filter(collection__namespace=self.namespace)
        if data.get("collection_ids") is not None:
            if not data["collection_ids"]:
                raise InvalidInput(
                    "collection_ids is empty; leave it out for all collections.", field="collection_ids"
                )
            rows = rows.filter(
                collection__in=[domain.get_collection(self.namespace, ref) for ref in data["collection_ids"]]
            )
        current = Detection.objects.filter(current=True).select_related("object_class", "decided_class")
        rows = (
            rows.select_related("collection", "object__bucket", "image")
            .prefetch_related(Prefetch("detections", queryset=current.order_by("rank", "pk")))
            .order_by("pk")
        )
        found = page_of(
            rows,
            present_document,
            limit=limit,
            offset=offset,
            include_total=data["include_total"],
            total_name=None,
        )
        if data["include_total"]:
            found["total_documents"] = found["pagination"]["total"]
        return Response(found)
