"""`/v1/retrievers`: made, listed, changed, copied, deleted; the stages there are."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from extraction.runs.domain import get_collection
from extraction.runs.models import Collection
from extraction.search import domain
from extraction.search.api.answers import (
    ChangedRetrieverAnswer,
    ClonedRetrieverAnswer,
    RetrieverAnswer,
    StageKindAnswer,
    present_retriever,
    present_stage_kind,
)
from extraction.search.api.bodies import CloneBody, RetrieverBody, RetrieverFields
from extraction.search.queries import get_retriever, retrievers_of
from extraction.search.stages import stages
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView

RETRIEVERS = Listing(
    columns={
        "retriever_name": "name",
        "retriever_id": "public_id",
        "name": "name",
        "description": "description",
        "unit": "unit",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    free={"metadata": "metadata"},
    search=("name", "public_id", "description"),
    order="retriever_name",
    total_name="total",
)
PAGE = page_answer(RetrieverAnswer, "total")
STAGE = {
    "stage_name": "doubtful",
    "stage_type": "filter",
    "config": {
        "stage_id": "attribute_filter",
        "parameters": {"filters": {"field": "detections.0.confidence", "operator": "lt", "value": 0.7}},
    },
}
EXAMPLE = {
    "retriever_name": "doubtful",
    "collection_identifiers": ["col_detected_objects"],
    "stages": [STAGE],
    "tags": ["review"],
}
SHOWN = {
    "retriever_id": "ret_doubtful",
    "retriever_name": "doubtful",
    "description": "",
    "stages": [
        {
            **STAGE,
            "stage_id": "attribute_filter",
            "description": None,
            "parameters": {"filters": {"field": "detections.0.confidence", "operator": "lt", "value": 0.7}},
        }
    ],
    "fusion": "rrf",
    "collection_identifiers": ["col_detected_objects"],
    "input_schema": {},
    "unit": "document",
    "metadata": {},
    "tags": ["review"],
    "created_at": "2026-05-03T14:30:00Z",
    "updated_at": "2026-05-03T14:30:00Z",
}


class RetrieversView(NamespacedView):
    tag = "Retrievers"

    def collections(self) -> list[Collection] | None:
        """Those that the body names; None where it says nothing of them."""
        refs = self.data.get("collection_identifiers")
        return None if refs is None else [get_collection(self.namespace, ref) for ref in refs]

    def changes(self) -> dict[str, Any]:
        """What the body changes, by the verbs' names."""
        names = {"retriever_name": "name"}
        found = {names.get(key, key): value for key, value in self.data.items()}
        found.pop("collection_identifiers", None)
        if found.get("unit", "") is None:
            found.pop("unit")
        if found.get("description", "") is None:
            found["description"] = ""
        return found

    def shown(self, pk: int) -> dict[str, Any]:
        return present_retriever(retrievers_of(self.namespace).get(pk=pk))


class Retrievers(RetrieversView):
    @operation(
        "list_retrievers",
        "The namespace's retrievers.",
        listing=RETRIEVERS,
        answer=PAGE,
        answer_example={"results": [SHOWN], "pagination": {"page": 1, "page_size": 100}, "total": 1},
    )
    def get(self, request: Request) -> Response:
        return Response(RETRIEVERS.page(retrievers_of(self.namespace), present_retriever, request))

    @operation(
        "create_retriever",
        "Make a retriever: a named search in stages. The features that it names may come later.",
        body=RetrieverBody,
        answer=RetrieverAnswer,
        creates=True,
        example=EXAMPLE,
        answer_example=SHOWN,
    )
    def post(self, request: Request) -> Response:
        row = domain.create_retriever(
            namespace=self.namespace,
            name=self.data["retriever_name"],
            stages=self.data["stages"],
            collections=self.collections() or [],
            unit=self.data.get("unit"),
            input_schema=self.data.get("input_schema"),
            description=self.data.get("description") or "",
            metadata=self.data.get("metadata"),
            tags=self.data.get("tags"),
            by=self.actor,
        )
        return Response(self.shown(row.pk))


class RetrieverList(RetrieversView):
    @operation(
        "search_retrievers",
        "The namespace's retrievers, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=RETRIEVERS,
        answer=PAGE,
        scope="read",
        example={"search": "doubtful", "include_total": True},
        answer_example={"results": [SHOWN], "pagination": {"page": 1, "page_size": 100}, "total": 1},
    )
    def post(self, request: Request) -> Response:
        rows = retrievers_of(self.namespace)
        return Response(RETRIEVERS.page(rows, present_retriever, request, self.data))


class OneRetriever(RetrieversView):
    @operation("get_retriever", "One retriever.", answer=RetrieverAnswer, answer_example=SHOWN)
    def get(self, request: Request, retriever_ref: str) -> Response:
        return Response(present_retriever(get_retriever(self.namespace, retriever_ref)))

    @operation(
        "update_retriever",
        "Change some of a retriever. Its id stays.",
        body=RetrieverFields,
        answer=ChangedRetrieverAnswer,
        example={"description": "Boxes that the model is least sure of", "tags": ["review"]},
        answer_example={"retriever": SHOWN},
    )
    def patch(self, request: Request, retriever_ref: str) -> Response:
        row = get_retriever(self.namespace, retriever_ref)
        domain.update_retriever(
            retriever=row, changes=self.changes(), collections=self.collections(), by=self.actor
        )
        return Response({"retriever": self.shown(row.pk)})

    @operation(
        "delete_retriever",
        "Delete a retriever. Its executions stay; one that fills a review queue is refused.",
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "doubtful is deleted."},
    )
    def delete(self, request: Request, retriever_ref: str) -> Response:
        row = get_retriever(self.namespace, retriever_ref)
        domain.delete_retriever(retriever=row, by=self.actor)
        return Response({"success": True, "message": f"{row.name} is deleted."})


class CloneRetriever(RetrieversView):
    @operation(
        "clone_retriever",
        "Copy a retriever under another name, with some of it changed.",
        body=CloneBody,
        answer=ClonedRetrieverAnswer,
        creates=True,
        example={"retriever_name": "doubtful at night", "collection_identifiers": ["col_night"]},
        answer_example={"retriever": SHOWN, "source_retriever_id": "ret_doubtful"},
    )
    def post(self, request: Request, retriever_ref: str) -> Response:
        source = get_retriever(self.namespace, retriever_ref)
        changes = self.changes()
        row = domain.clone_retriever(
            retriever=source,
            name=changes.pop("name"),
            changes=changes,
            collections=self.collections(),
            by=self.actor,
        )
        return Response({"retriever": self.shown(row.pk), "source_retriever_id": source.public_id})


class Stages(APIView):
    """Says nothing of anybody's rows, and clients ask for it without a key."""

    tag = "Retrievers"
    authentication_classes = ()
    permission_classes = ()

    @operation(
        "list_retriever_stages",
        "The stages that a search can have, with their parameters.",
        answer=StageKindAnswer(many=True),
        answer_example=[
            {
                "stage_id": "limit",
                "description": "Keeps the first ones.",
                "category": "reduce",
                "icon": "limit",
                "parameter_schema": {"type": "object"},
            }
        ],
    )
    def get(self, request: Request, namespace_ref: str = "") -> Response:
        return Response([present_stage_kind(stage) for stage in stages])
