"""`/v1/annotations`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.schema import check_json
from extraction.runs.domain import get_collection
from extraction.runs.domain.naming import detection_ref, document_ref
from extraction.runs.queries import find_documents
from mixcv.kernel.api import page_numbers
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box, parse_bbox
from mixcv.kernel.serializers import StrictSerializer, or_empty
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Namespace, Scope
from review.verdicts.domain import Verdict, record_verdicts
from review.verdicts.models import Annotation, Label


class AnnotationBody(StrictSerializer):
    """payload: predicted_class, true_class, bbox {x, y, w, h} (centre, pixels), image_width, image_height."""

    document_id = serializers.CharField(max_length=300)
    collection_id = serializers.CharField(max_length=120, required=False)
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]
    confidence = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)
    reasoning = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    payload = serializers.DictField(required=False, allow_null=True)
    metadata = serializers.DictField(required=False, allow_null=True)
    retriever_id = serializers.CharField(required=False, allow_blank=True, max_length=200)
    execution_id = serializers.CharField(required=False, allow_blank=True, max_length=200)
    stage_name = serializers.CharField(required=False, allow_blank=True, max_length=200)


class ListBody(StrictSerializer):
    document_id = serializers.CharField(max_length=300, required=False)
    collection_id = serializers.CharField(max_length=120, required=False)
    label = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]
    actor_id = serializers.CharField(max_length=200, required=False)
    retriever_id = serializers.CharField(max_length=200, required=False)
    skip = serializers.IntegerField(required=False, min_value=0)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=500)


def present_annotation(row: Annotation, namespace: Namespace) -> dict[str, Any]:
    """An annotation in the API's form; bbox: x, y the centre, in pixels of the upright image."""
    document_id = ""
    if row.detection and row.document:
        document_id = detection_ref(row.document.slug, row.detection.ordinal)
    elif row.document:
        document_id = document_ref(row.document.slug)
    box = None
    if row.cx is not None and row.cy is not None and row.w is not None and row.h is not None:
        box = Box(row.cx, row.cy, row.w, row.h).as_bbox()
    return {
        "annotation_id": row.public_id,
        "document_id": document_id,
        "collection_id": row.collection.public_id if row.collection else None,
        "namespace_id": namespace.public_id,
        "label": row.label,
        "class": row.object_class.name if row.object_class else None,
        "bbox": box,
        "predicted_class": row.predicted_class.name if row.predicted_class else None,
        "predicted_confidence": row.predicted_confidence,
        "image_width": row.image.width,
        "image_height": row.image.height,
        "confidence": row.confidence,
        "reasoning": row.reasoning or None,
        "payload": row.payload,
        "metadata": row.metadata,
        "retriever_id": row.retriever_ref or None,
        "execution_id": row.execution_ref or None,
        "stage_name": row.stage_name or None,
        "actor_id": row.actor,
        "actor_type": row.actor_type,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _rows(namespace: Namespace) -> QuerySet[Annotation]:
    return Annotation.objects.filter(namespace=namespace, deleted_at=None).select_related(
        "document", "detection", "collection", "object_class", "predicted_class", "image"
    )


def _class_of(payload: dict[str, Any]) -> str | None:
    for key in ("true_class", "predicted_class"):
        value = payload.get(key)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidInput(f"{key} is {value!r}; it must be a class's name.", field=f"payload.{key}")
        return value
    return None


def verdict_of(namespace: Namespace, data: dict[str, Any]) -> Verdict:
    """The verdict that a request body stands for. Raises NotFound, Ambiguous or InvalidInput naming the field."""
    ref = (data["document_id"], data.get("collection_id"))
    found = find_documents(namespace, [ref])[ref]
    if isinstance(found, Exception):
        raise found
    payload = data.get("payload") or {}
    for name in ("payload", "metadata"):
        check_json(data.get(name) or {}, field=name)
    label = data["label"]
    wants_class = label in {Label.CORRECTED, Label.MISSED, Label.CONFIRMED}
    class_name = _class_of(payload) if wants_class else None
    if label == Label.CORRECTED and "true_class" not in payload:
        class_name = None  # the predicted class is no correction
    detection = found.detection
    if detection is None and label != Label.MISSED:
        raise InvalidInput(
            f"{ref[0]} is an image. {label} is about one detection: {ref[0]}_det_0 and so on.",
            field="document_id",
        )
    return Verdict(
        label=label,
        detection_id=detection.pk if detection else None,
        image_id=found.document.image_id,
        class_name=class_name,
        box=parse_bbox(payload["bbox"], field="payload.bbox") if payload.get("bbox") is not None else None,
        confidence=data.get("confidence"),
        reasoning=data.get("reasoning") or "",
        payload=payload,
        metadata=data.get("metadata") or {},
        retriever_ref=data.get("retriever_id") or "",
        execution_ref=data.get("execution_id") or "",
        stage_name=data.get("stage_name") or "",
        collection_id=found.document.collection_id,
        document_id=found.document.pk,
    )


class AnnotationsView(NamespacedView):
    """Record one decision."""

    def post(self, request: Request) -> Response:
        body = AnnotationBody(data=request.data)
        body.is_valid(raise_exception=True)
        verdict = verdict_of(self.namespace, body.validated_data)
        outcome = record_verdicts(namespace=self.namespace, verdicts=[verdict], by=self.actor)[0]
        if outcome.error or outcome.annotation is None:
            raise outcome.error or InvalidInput("The annotation was not written.")
        row = _rows(self.namespace).get(pk=outcome.annotation.pk)
        return Response(present_annotation(row, self.namespace))

    def get(self, request: Request) -> Response:
        return _listing(self.namespace, request, request.query_params.dict())


class AnnotationListView(NamespacedView):
    """Annotations by document, collection, label, actor or retriever, newest first."""

    scope = Scope.READ

    def post(self, request: Request) -> Response:
        return _listing(self.namespace, request, or_empty(request.data))


def _listing(namespace: Namespace, request: Request, data: Any) -> Response:
    body = ListBody(data=data)
    body.is_valid(raise_exception=True)
    wanted = body.validated_data
    paging = {"limit": wanted.get("limit"), "offset": wanted.get("skip")}
    query = {"limit": request.query_params.get("limit"), "offset": request.query_params.get("skip")}
    limit, offset = page_numbers({k: v for k, v in paging.items() if v is not None}, query, most=500)
    rows = _rows(namespace)
    if ref := wanted.get("document_id"):
        key = (ref, wanted.get("collection_id"))
        found = find_documents(namespace, [key])[key]
        if isinstance(found, Exception):
            raise found
        rows = (
            rows.filter(detection=found.detection)
            if found.detection
            else rows.filter(document=found.document)
        )
    if ref := wanted.get("collection_id"):
        rows = rows.filter(collection=get_collection(namespace, ref))
    for name, column in (("label", "label"), ("actor_id", "actor"), ("retriever_id", "retriever_ref")):
        if name in wanted:
            rows = rows.filter(**{column: wanted[name]})
    page = rows.order_by("-created_at", "-pk")[offset : offset + limit]
    results = [present_annotation(row, namespace) for row in page]
    return Response({"results": results, "total_count": rows.count()})
