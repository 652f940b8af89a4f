"""Lists of documents by filters, their number, and the values of a field."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.runs.api.documents import EXAMPLE
from extraction.runs.domain import get_collection
from extraction.runs.models import Document
from extraction.runs.presenters import DocumentAnswer, add_vectors, documents_shown, present_document
from extraction.search.fields import resolver, value_of
from extraction.search.models import Unit
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.filters import parse, tell_faults, to_q
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView

DOCUMENTS = Listing(
    columns={
        "created_at": "created_at",
        "updated_at": "updated_at",
        "top_confidence": "top_confidence",
        "detection_count": "detection_count",
        "generation": "generation",
        "document_id": "slug",
        "collection_id": "collection__public_id",
        "image_width": "image__width",
        "image_height": "image__height",
    },
    resolve=resolver(Unit.DOCUMENT),
    search=("slug",),
    order="created_at",
    default=10,
    total_name=None,
)
DOCUMENT_PAGE = page_answer(DocumentAnswer, None)
FILTERS = {"AND": [{"field": "detections.*.confidence", "operator": "lt", "value": 0.7}]}
PAGE_EXAMPLE = {"results": [EXAMPLE], "pagination": {"page": 1, "page_size": 10}}


class DocumentListBody(ListBody):
    return_vectors = serializers.BooleanField(required=False, default=False)
    tolerated = frozenset(
        {"return_presigned_urls", "return_vector_names", "select", "expand", "partition", "group_by"}
    )


class AllDocumentsBody(DocumentListBody):
    collection_ids = serializers.ListField(
        child=serializers.CharField(), required=False, allow_null=True, max_length=1000
    )


class CountBody(StrictSerializer):
    filters = serializers.DictField(required=False, allow_null=True)


class CountAnswer(serializers.Serializer[Any]):
    collection_id = serializers.CharField()
    count = serializers.IntegerField()


class DistinctBody(StrictSerializer):
    field = serializers.CharField(max_length=200)
    filters = serializers.DictField(required=False, allow_null=True)
    limit = serializers.IntegerField(required=False, default=100, min_value=1, max_value=1000)


class DistinctValue(serializers.Serializer[Any]):
    value = serializers.JSONField()
    count = serializers.IntegerField()


class DistinctAnswer(serializers.Serializer[Any]):
    field = serializers.CharField()
    values = DistinctValue(many=True)
    total_distinct = serializers.IntegerField()


class DocumentPages(NamespacedView):
    tag = "Documents"

    def rows(self, refs: list[str] | None) -> QuerySet[Document]:
        rows = Document.objects.filter(collection__namespace=self.namespace)
        if refs is None:
            return rows
        if not refs:
            raise InvalidInput(
                "collection_ids is empty; leave it out for all collections.", field="collection_ids"
            )
        return rows.filter(collection__in=[get_collection(self.namespace, ref) for ref in refs])

    def page(self, request: Request, refs: list[str] | None) -> Response:
        rows = documents_shown(self.rows(refs))
        kept: list[Document] = []

        def present(row: Document) -> dict[str, Any]:
            kept.append(row)
            return present_document(row)

        found = DOCUMENTS.page(rows, present, request, self.data)
        wants = self.data.get("return_vectors") or request.query_params.get("return_vectors") == "true"
        if wants:
            detections = [detection for row in kept for detection in row.detections.all()]
            add_vectors(found["results"], detections)
        total = found["pagination"]["total"]
        return Response(found if total is None else found | {"total_documents": total})


class Documents(DocumentPages):
    @operation(
        "list_documents",
        "Documents of all collections with their current detections.",
        listing=DOCUMENTS,
        answer=DOCUMENT_PAGE,
        answer_example=PAGE_EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        return self.page(request, None)


class DocumentListView(DocumentPages):
    @operation(
        "search_documents",
        "Documents of some or all collections, by filters, search and sort.",
        body=AllDocumentsBody,
        body_optional=True,
        listing=DOCUMENTS,
        answer=DOCUMENT_PAGE,
        scope="read",
        example={"collection_ids": ["col_detected_objects"], "filters": FILTERS},
        answer_example=PAGE_EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        return self.page(request, self.data.get("collection_ids"))


class CollectionDocuments(DocumentPages):
    @operation(
        "list_collection_documents",
        "A collection's documents with their current detections.",
        listing=DOCUMENTS,
        answer=DOCUMENT_PAGE,
        answer_example=PAGE_EXAMPLE,
    )
    def get(self, request: Request, collection_ref: str) -> Response:
        return self.page(request, [collection_ref])


class CollectionDocumentList(DocumentPages):
    @operation(
        "search_collection_documents",
        "A collection's documents, by filters, search and sort.",
        body=DocumentListBody,
        body_optional=True,
        listing=DOCUMENTS,
        answer=DOCUMENT_PAGE,
        scope="read",
        example={"filters": FILTERS, "sort": {"field": "top_confidence", "direction": "asc"}},
        answer_example=PAGE_EXAMPLE,
    )
    def post(self, request: Request, collection_ref: str) -> Response:
        return self.page(request, [collection_ref])


class DocumentCount(DocumentPages):
    @operation(
        "count_documents",
        "How many documents a collection has.",
        answer=CountAnswer,
        answer_example={"collection_id": "col_detected_objects", "count": 120},
    )
    def get(self, request: Request, collection_ref: str) -> Response:
        return self.number(collection_ref)

    @operation(
        "count_matching_documents",
        "How many of a collection's documents pass filters.",
        body=CountBody,
        body_optional=True,
        answer=CountAnswer,
        scope="read",
        example={"filters": FILTERS},
    )
    def post(self, request: Request, collection_ref: str) -> Response:
        return self.number(collection_ref)

    def number(self, collection_ref: str) -> Response:
        collection = get_collection(self.namespace, collection_ref)
        rows = self.rows([collection.public_id])
        with tell_faults():
            if self.data.get("filters"):
                rows = rows.filter(to_q(parse(self.data["filters"]), resolver(Unit.DOCUMENT)))
            return Response({"collection_id": collection.public_id, "count": rows.count()})


class DistinctValues(DocumentPages):
    @operation(
        "distinct_values",
        "The values of a field among a collection's documents, the commonest first.",
        body=DistinctBody,
        answer=DistinctAnswer,
        scope="read",
        example={"field": "metadata.camera_id"},
    )
    def post(self, request: Request, collection_ref: str) -> Response:
        asked = self.data
        rows = self.rows([collection_ref])
        with tell_faults():
            if asked.get("filters"):
                rows = rows.filter(to_q(parse(asked["filters"]), resolver(Unit.DOCUMENT)))
            grouped = (
                rows.annotate(asked_value=value_of(Unit.DOCUMENT, asked["field"]))
                .values("asked_value")
                .annotate(number=Count("pk"))
                .order_by("-number", "asked_value")
            )
            found = list(grouped[: asked["limit"]])
            total = grouped.count()
        return Response(
            {
                "field": asked["field"],
                "values": [{"value": row["asked_value"], "count": row["number"]} for row in found],
                "total_distinct": total,
            }
        )
