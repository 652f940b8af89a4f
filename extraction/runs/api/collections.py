"""`/v1/collections`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.queries import get_bucket
from extraction.intake.schema import check_json
from extraction.packages.manifest import normal_version
from extraction.packages.models import ExtractorVersion
from extraction.runs import domain
from extraction.runs.models import Batch, Collection
from extraction.runs.presenters import CollectionAnswer, present_collection
from extraction.runs.queries import collections_of
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import NotFound
from mixcv.kernel.faults import Faults
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Namespace

COLLECTIONS = Listing(
    columns={
        "collection_id": "public_id",
        "collection_name": "name",
        "description": "description",
        "enabled": "enabled",
        "feature_extractor_name": "extractor_version__extractor__name",
        "version": "extractor_version__version",
        "document_count": "document_count",
        "detection_count": "detection_count",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    free={"metadata": "metadata"},
    search=("name", "public_id", "description"),
    order="collection_name",
)
COLLECTION_PAGE = page_answer(CollectionAnswer)
EXAMPLE = {
    "collection_name": "detected_objects",
    "feature_extractor": {"feature_extractor_name": "yolo_detector", "version": "1.0.0"},
    "source": {"type": "bucket", "bucket_ids": ["bkt_security_footage"]},
}
ANSWER_EXAMPLE = {
    "collection_id": "col_detected_objects",
    "collection_name": "detected_objects",
    "feature_extractor": {
        "feature_extractor_name": "yolo_detector",
        "version": "1.0.0",
        "feature_extractor_id": "yolo_detector_1_0_0",
        "parameters": {},
    },
    "source": {"type": "bucket", "bucket_ids": ["bkt_security_footage"]},
}


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
    bucket_ids = serializers.ListField(child=serializers.CharField(), required=False, max_length=100)
    bucket_id = serializers.CharField(required=False)
    # Written by clients into every source, empty.
    tolerated = frozenset(
        {
            *("field_map", "source_namespace_id", "collection_id", "collection_ids"),
            *("inherited_bucket_ids", "source_filters"),
        }
    )

    def to_internal_value(self, data: Any) -> Any:
        told = [name for name in self.tolerated if isinstance(data, dict) and data.get(name)]
        if told:
            raise serializers.ValidationError(
                {name: ["A collection's source is whole buckets; leave this out."] for name in sorted(told)}
            )
        return super().to_internal_value(data)


class CollectionBody(StrictSerializer):
    """`name` and `feature_extractors` (a list of one) are taken for `collection_name` and `feature_extractor`."""

    collection_name = serializers.CharField(required=False, max_length=100)
    name = serializers.CharField(required=False, max_length=100)
    description = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=10_000)
    feature_extractor = ExtractorBody(required=False)
    feature_extractors = ExtractorBody(required=False, many=True)
    source = SourceBody()  # type: ignore[assignment]  # DRF's own attribute of a field, not of a form
    metadata = serializers.DictField(required=False, allow_null=True)
    enabled = serializers.BooleanField(required=False, default=True)
    tolerated = frozenset({"input_schema", "features", "schedule", "embedding_task"})

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        faults: dict[str, Any] = {}
        attrs["collection_name"] = attrs.get("collection_name") or attrs.get("name")
        if not attrs["collection_name"]:
            faults["collection_name"] = ["This field is required."]
        many = attrs.get("feature_extractors") or []
        if "feature_extractor" not in attrs:
            if len(many) == 1:
                attrs["feature_extractor"] = many[0]
            elif many:
                faults["feature_extractors"] = ["A collection has one extractor; make one for each."]
            else:
                faults["feature_extractor"] = ["This field is required."]
        if faults:
            raise serializers.ValidationError(faults)
        return attrs


class CollectionChange(StrictSerializer):
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    metadata = serializers.DictField(required=False)
    enabled = serializers.BooleanField(required=False)


class TriggerBody(StrictSerializer):
    dedup_strategy = serializers.ChoiceField(choices=Batch.Dedup.values, required=False, default="skip")
    include_buckets = serializers.ListField(child=serializers.CharField(), required=False, max_length=100)
    object_ids = serializers.ListField(child=serializers.CharField(), required=False, max_length=100_000)


class TriggeredAnswer(serializers.Serializer[Any]):
    task_id = serializers.CharField()
    collection_id = serializers.CharField()
    batch_ids = serializers.ListField(child=serializers.CharField())
    total_tiers = serializers.IntegerField()
    message = serializers.CharField()


def shown(namespace: Namespace) -> QuerySet[Collection]:
    return collections_of(namespace).prefetch_related("extractor_version__features")


class CollectionsView(NamespacedView):
    tag = "Collections"

    @operation(
        "list_collections",
        "The namespace's collections.",
        listing=COLLECTIONS,
        answer=COLLECTION_PAGE,
        answer_example={"results": [ANSWER_EXAMPLE], "pagination": {"page": 1}, "total_count": 1},
    )
    def get(self, request: Request) -> Response:
        return Response(self.page(request))

    @operation(
        "create_collection",
        "Bind an extractor's version to buckets: their new images are detected by it.",
        body=CollectionBody,
        answer=CollectionAnswer,
        creates=True,
        example=EXAMPLE,
        answer_example=ANSWER_EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        data = self.data
        extractor, source = data["feature_extractor"], data["source"]
        refs = source.get("bucket_ids") or [ref for ref in [source.get("bucket_id")] if ref]
        faults, version, buckets = Faults(), None, []
        with faults.of():
            check_json(data.get("metadata") or {}, field="metadata")
        with faults.of():
            number = normal_version(extractor["version"])
            version = get_version(self.namespace, extractor["feature_extractor_name"], number)
        for ref in refs:
            with faults.of():
                buckets.append(get_bucket(self.namespace, ref))
        faults.tell()
        assert version is not None
        row = domain.create_collection(
            namespace=self.namespace,
            name=data["collection_name"],
            version=version,
            buckets=buckets,
            parameters=extractor.get("parameters") or {},
            description=data.get("description") or "",
            metadata=data.get("metadata"),
            enabled=data["enabled"],
            by=self.actor,
        )
        return Response(present_collection(shown(self.namespace).get(pk=row.pk)))

    def page(self, request: Request) -> dict[str, Any]:
        return COLLECTIONS.page(shown(self.namespace), present_collection, request, self.data)


class CollectionListView(CollectionsView):
    http_method_names = ["post", "options"]

    @operation(
        "search_collections",
        "The namespace's collections, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=COLLECTIONS,
        answer=COLLECTION_PAGE,
        scope="read",
        example={"filters": {"field": "feature_extractor_name", "operator": "eq", "value": "yolo_detector"}},
    )
    def post(self, request: Request) -> Response:
        return Response(self.page(request))


class CollectionView(NamespacedView):
    tag = "Collections"

    @operation(
        "get_collection",
        "A collection by id or name.",
        answer=CollectionAnswer,
        answer_example=ANSWER_EXAMPLE,
    )
    def get(self, request: Request, collection_ref: str) -> Response:
        row = domain.get_collection(self.namespace, collection_ref)
        return Response(present_collection(shown(self.namespace).get(pk=row.pk)))

    @operation(
        "update_collection",
        "Change a collection's description or metadata, or whether new images are detected by themselves.",
        body=CollectionChange,
        answer=CollectionAnswer,
        example={"enabled": False},
    )
    def patch(self, request: Request, collection_ref: str) -> Response:
        row = domain.get_collection(self.namespace, collection_ref)
        domain.update_collection(collection=row, by=self.actor, **self.data)
        return Response(present_collection(shown(self.namespace).get(pk=row.pk)))

    @operation(
        "delete_collection",
        "Delete a collection with its documents. Refused once people decided about them.",
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "col_detected_objects is deleted."},
    )
    def delete(self, request: Request, collection_ref: str) -> Response:
        row = domain.get_collection(self.namespace, collection_ref)
        domain.delete_collection(collection=row, by=self.actor)
        return Response({"success": True, "message": f"{row.public_id} is deleted."})


class TriggerView(NamespacedView):
    tag = "Collections"

    @operation(
        "trigger_collection",
        "Run everything in the collection's buckets through it: a batch for each bucket.",
        body=TriggerBody,
        body_optional=True,
        answer=TriggeredAnswer,
        creates=True,
        example={"dedup_strategy": "skip"},
    )
    def post(self, request: Request, collection_ref: str) -> Response:
        row = domain.get_collection(self.namespace, collection_ref)
        wanted = self.data.get("include_buckets")
        batches = domain.trigger_collection(
            collection=row,
            buckets=[get_bucket(self.namespace, ref) for ref in wanted] if wanted else None,
            object_ids=self.data.get("object_ids"),
            dedup=self.data["dedup_strategy"],
            by=self.actor,
        )
        return Response(
            {
                "task_id": next((batch.job.public_id for batch in batches if batch.job), ""),
                "collection_id": row.public_id,
                "batch_ids": [batch.public_id for batch in batches],
                "total_tiers": 1,
                "message": f"{len(batches)} batches are under way.",
            }
        )
