"""`/v1/datasets`: what to train on, frozen and exported."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.models import Object
from extraction.runs.queries import find_documents
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import NotFound
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Namespace
from review.datasets import domain
from review.datasets.export import FORMATS
from review.datasets.models import DatasetInclude, DatasetVersion
from review.datasets.policy import LARGEST_SEED
from review.datasets.presenters import (
    DatasetAnswer,
    DatasetIncludedAnswer,
    DatasetPlanAnswer,
    DatasetVersionAnswer,
    present_dataset,
    present_plan,
    present_version,
)
from review.datasets.queries import (
    datasets_of,
    get_dataset,
    get_extractor,
    get_version,
    plan_of,
    versions_of,
)
from review.datasets.responses import zip_response

TAG = "Datasets"
DATASETS = Listing(
    columns={
        "dataset_id": "public_id",
        "dataset_name": "name",
        "feature_extractor_name": "extractor__name",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    search=("name", "public_id"),
    order="dataset_name",
)
VERSIONS = Listing(
    columns={
        "version": "number",
        "image_count": "image_count",
        "box_count": "box_count",
        "created_at": "created_at",
    },
    order="-version",
)


class DatasetPolicyBody(StrictSerializer):
    """Of what is left out the usual holds: all buckets, no accepting, 10 % background, validation by the holdout."""

    buckets = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=100
    )
    accept_above = serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1)
    background_share = serializers.FloatField(required=False, min_value=0, max_value=1)
    validation_share = serializers.FloatField(required=False, min_value=0, max_value=0.5)
    seed = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_SEED)
    only_included = serializers.BooleanField(required=False)


class DatasetBody(StrictSerializer):
    dataset_name = serializers.CharField(max_length=100)
    feature_extractor_name = serializers.CharField(max_length=100)
    policy = DatasetPolicyBody(required=False)


class DatasetChange(StrictSerializer):
    policy = DatasetPolicyBody()


class DatasetIncludeBody(StrictSerializer):
    """Images by documents (or detections) of collections, or by objects of buckets."""

    document_ids = serializers.ListField(
        child=serializers.CharField(max_length=300), required=False, max_length=10_000
    )
    collection_id = serializers.CharField(max_length=200, required=False)
    object_ids = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, max_length=10_000
    )
    kind = serializers.ChoiceField(choices=DatasetInclude.Kind.values, required=False, default="add")


class ExportQuery(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=sorted(FORMATS), required=False, default="yolo")


class Datasets(NamespacedView):
    tag = TAG

    @operation(
        "list_datasets", "The namespace's datasets.", listing=DATASETS, answer=page_answer(DatasetAnswer)
    )
    def get(self, request: Request) -> Response:
        return Response(DATASETS.page(datasets_of(self.namespace), present_dataset, request))

    @operation(
        "create_dataset",
        "Make a dataset: a policy of which reviewed images an extractor is to be trained on.",
        body=DatasetBody,
        answer=DatasetAnswer,
        creates=True,
        example={
            "dataset_name": "street",
            "feature_extractor_name": "yolo_detector",
            "policy": {"buckets": ["bkt_security_footage"], "accept_above": 0.9},
        },
    )
    def post(self, request: Request) -> Response:
        row = domain.create_dataset(
            namespace=self.namespace,
            extractor=get_extractor(self.namespace, self.data["feature_extractor_name"]),
            name=self.data["dataset_name"],
            policy=self.data.get("policy") or {},
            by=self.actor,
        )
        return Response(present_dataset(get_dataset(self.namespace, row.public_id)))


class DatasetList(NamespacedView):
    tag = TAG

    @operation(
        "search_datasets",
        "The namespace's datasets, filtered and sorted.",
        body=ListBody,
        body_optional=True,
        answer=page_answer(DatasetAnswer),
        scope="read",
        example={"search": "street"},
    )
    def post(self, request: Request) -> Response:
        return Response(DATASETS.page(datasets_of(self.namespace), present_dataset, request, self.data))


class OneDataset(NamespacedView):
    tag = TAG

    @operation("get_dataset", "One dataset.", answer=DatasetAnswer)
    def get(self, request: Request, dataset_id: str) -> Response:
        return Response(present_dataset(get_dataset(self.namespace, dataset_id)))

    @operation(
        "update_dataset",
        "Change some of a dataset's policy; its versions stay as they are.",
        body=DatasetChange,
        answer=DatasetAnswer,
        example={"policy": {"background_share": 0.05}},
    )
    def patch(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        domain.update_policy(dataset=row, changes=self.data["policy"], by=self.actor)
        return Response(present_dataset(get_dataset(self.namespace, row.public_id)))

    @operation("delete_dataset", "Delete a dataset that has no version.", answer=DeletedAnswer)
    def delete(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        domain.delete_dataset(dataset=row, by=self.actor)
        return Response({"success": True, "message": f"The dataset {row.name} is deleted."})


class DatasetPlan(NamespacedView):
    tag = TAG

    @operation(
        "plan_dataset",
        "What a version built now would take, and what it would leave out and why.",
        answer=DatasetPlanAnswer,
    )
    def get(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        return Response(present_plan(row, plan_of(row)))


class DatasetIncludes(NamespacedView):
    tag = TAG

    @operation(
        "include_images",
        "Ask for images one by one: they count whatever the policy's buckets and share of background say.",
        body=DatasetIncludeBody,
        answer=DatasetIncludedAnswer,
        example={"document_ids": ["doc_frame_001"], "kind": "hard_negative"},
    )
    def post(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        keys = _images(self.namespace, self.data)
        number = domain.include_images(dataset=row, image_ids=keys, kind=self.data["kind"], by=self.actor)
        return Response({"dataset_id": row.public_id, "images": number})


class DatasetExcludes(NamespacedView):
    tag = TAG

    @operation(
        "exclude_images",
        "Take back what was asked for one by one.",
        body=DatasetIncludeBody,
        answer=DatasetIncludedAnswer,
        example={"document_ids": ["doc_frame_001"]},
    )
    def post(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        number = domain.exclude_images(
            dataset=row, image_ids=_images(self.namespace, self.data), by=self.actor
        )
        return Response({"dataset_id": row.public_id, "images": number})


def _images(namespace: Namespace, data: dict[str, Any]) -> set[int]:
    """The keys of the images that a body names. Raises NotFound, Ambiguous."""
    keys = set()
    refs = [(ref, data.get("collection_id")) for ref in data.get("document_ids", [])]
    for found in find_documents(namespace, refs).values() if refs else ():
        if isinstance(found, Exception):
            raise found
        keys.add(found.document.image_id)
    wanted = {ref.replace("\x00", "?") for ref in data.get("object_ids", [])}
    rows = Object.objects.filter(bucket__namespace=namespace, public_id__in=wanted, image__isnull=False)
    objects = dict(rows.values_list("public_id", "image_id"))
    if missing := sorted(wanted - set(objects)):
        raise NotFound(
            f"There is no object {missing[0][:100]} with an image here"
            f"{f', nor {len(missing) - 1} others' if len(missing) > 1 else ''}.",
            field="object_ids",
        )
    return keys | {key for key in objects.values() if key is not None}


class DatasetVersions(NamespacedView):
    tag = TAG

    @operation(
        "list_dataset_versions",
        "A dataset's versions, the latest first.",
        listing=VERSIONS,
        answer=page_answer(DatasetVersionAnswer),
    )
    def get(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        return Response(VERSIONS.page(versions_of(row), present_version, request))

    @operation(
        "create_dataset_version",
        "Freeze the dataset as it is now. Refused where it has no image, none that is reviewed whole, or no holdout.",
        answer=DatasetVersionAnswer,
        creates=True,
    )
    def post(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        return Response(present_version(domain.build_version(dataset=row, by=self.actor)))


class DatasetVersionList(NamespacedView):
    tag = TAG

    @operation(
        "search_dataset_versions",
        "A dataset's versions, filtered and sorted.",
        body=ListBody,
        body_optional=True,
        answer=page_answer(DatasetVersionAnswer),
        scope="read",
        example={"limit": 10},
    )
    def post(self, request: Request, dataset_id: str) -> Response:
        row = get_dataset(self.namespace, dataset_id)
        return Response(VERSIONS.page(versions_of(row), present_version, request, self.data))


class OneDatasetVersion(NamespacedView):
    tag = TAG

    @operation("get_dataset_version", "One version of a dataset.", answer=DatasetVersionAnswer)
    def get(self, request: Request, dataset_id: str, version: int) -> Response:
        return Response(present_version(_version(self.namespace, dataset_id, version)))

    @operation(
        "delete_dataset_version",
        "Delete a version; its number is not given again.",
        answer=DeletedAnswer,
    )
    def delete(self, request: Request, dataset_id: str, version: int) -> Response:
        row = _version(self.namespace, dataset_id, version)
        domain.delete_version(version=row, by=self.actor)
        return Response({"success": True, "message": f"{row} is deleted."})


class _AsAsked(DefaultContentNegotiation):
    """`?format=` is the export's, not DRF's."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class DatasetExport(NamespacedView):
    tag = TAG
    content_negotiation_class = _AsAsked

    @extend_schema(
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
        examples=[
            OpenApiExample("A zip", value="PK…", response_only=True, media_type="application/zip"),
        ],
    )
    @operation(
        "export_dataset_version",
        "The version as a zip, streamed: `format=yolo` (the layout of ultralytics) or `coco`. Equal versions are equal "
        "bytes.",
        query=ExportQuery,
    )
    def get(self, request: Request, dataset_id: str, version: int) -> StreamingHttpResponse:
        return zip_response(_version(self.namespace, dataset_id, version), self.query["format"])


def _version(namespace: Namespace, dataset: str, number: int) -> DatasetVersion:
    return get_version(get_dataset(namespace, dataset), number)
