"""`/v1/documents` and `/v1/collections/{collection}/documents`: single ones, changed and deleted.

Lists stand in the room of search, which knows the filters.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.runs import domain
from extraction.runs.models import Detection, Document
from extraction.runs.presenters import (
    DocumentAnswer,
    add_vectors,
    documents_shown,
    present_document,
    present_single,
)
from extraction.runs.queries import Found, find_documents
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import DomainError, InvalidInput
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView

EXAMPLE = {
    "document_id": "doc_frame_001",
    "collection_id": "col_detected_objects",
    "image_width": 1920,
    "image_height": 1080,
    "metadata": {"camera_id": "cam_lobby_01"},
    "detections": [
        {
            "document_id": "doc_frame_001_det_0",
            "class": "person",
            "confidence": 0.91,
            "bbox": {"x": 640, "y": 300, "w": 90, "h": 200},
        }
    ],
}
# What the server says of a document; nobody writes it.
_OWN = frozenset(
    {
        *("document_id", "collection_id", "root_object_id", "root_bucket_id", "source_type", "image_width"),
        *("image_height", "generation", "top_confidence", "detections", "created_at", "updated_at"),
    }
)


class VectorsQuery(serializers.Serializer[Any]):
    return_vectors = serializers.BooleanField(required=False, default=False)
    collection_id = serializers.CharField(required=False, max_length=120)


class FreeBody(serializers.Serializer[Any]):
    """`{"metadata": {…}}`, or its fields at the root."""

    metadata = serializers.DictField(required=False)


class BatchGetBody(StrictSerializer):
    document_ids = serializers.ListField(child=serializers.CharField(max_length=300), max_length=1000)
    collection_id = serializers.CharField(required=False, allow_null=True, max_length=120)
    return_vectors = serializers.BooleanField(required=False, default=False)
    tolerated = frozenset({"return_presigned_urls"})


class BatchGetAnswer(serializers.Serializer[Any]):
    results = DocumentAnswer(many=True)
    documents = DocumentAnswer(many=True)
    not_found = serializers.ListField(child=serializers.CharField())


class UpdateEntry(StrictSerializer):
    document_id = serializers.CharField(max_length=300)
    update_data = serializers.DictField()


class BatchUpdateBody(StrictSerializer):
    updates = UpdateEntry(many=True)


class UpdateOutcome(serializers.Serializer[Any]):
    document_id = serializers.CharField()
    success = serializers.BooleanField()
    error = serializers.CharField(allow_null=True)


class BatchUpdateAnswer(serializers.Serializer[Any]):
    updated_count = serializers.IntegerField()
    failed_count = serializers.IntegerField()
    results = UpdateOutcome(many=True)


class BatchDeleteBody(StrictSerializer):
    document_ids = serializers.ListField(child=serializers.CharField(max_length=300), max_length=1000)
    tolerated = frozenset({"reason"})


class BatchDeleteAnswer(serializers.Serializer[Any]):
    deleted_count = serializers.IntegerField()
    failed_count = serializers.IntegerField()
    results = UpdateOutcome(many=True)


def fields_of(data: Any) -> dict[str, Any]:
    """The metadata that a free body stands for. Raises InvalidInput naming what is the server's own."""
    if not isinstance(data, dict):
        raise InvalidInput("The body must be a JSON object.")
    if own := sorted(set(data) & _OWN):
        raise InvalidInput(
            f"{', '.join(own)} is set by the server. Send the fields of metadata.", field=own[0]
        )
    metadata = data.get("metadata", {})
    if not isinstance(metadata, dict):
        raise InvalidInput("metadata must be an object.", field="metadata")
    return {**{key: value for key, value in data.items() if key != "metadata"}, **metadata}


class DocumentBase(NamespacedView):
    tag = "Documents"

    def find(self, ref: str, collection_ref: str | None) -> Found:
        if collection_ref is not None:
            collection_ref = domain.get_collection(self.namespace, collection_ref).public_id
        found = find_documents(self.namespace, [(ref, collection_ref)])[ref, collection_ref]
        if isinstance(found, DomainError):
            raise found
        return found

    def show(self, ref: str, collection_ref: str | None, *, vectors: bool = False) -> dict[str, Any]:
        found = self.find(ref, collection_ref)
        row = documents_shown(Document.objects.filter(pk=found.document.pk)).get()
        detections = list(row.detections.all())
        shown = present_document(row)
        if found.detection is not None:
            # One of an earlier generation is shown as well: annotations refer to it.
            rows = Detection.objects.select_related("object_class", "decided_class")
            detections = [rows.get(pk=found.detection.pk)]
            shown = present_single(row, detections[0])
        if vectors:
            for detection in detections:
                detection.document = row
            add_vectors([shown], detections)
        return shown

    def whole(self, ref: str, collection_ref: str | None) -> Document:
        """A document to be changed. Raises InvalidInput for a detection's id."""
        found = self.find(ref, collection_ref)
        if found.detection is not None:
            raise InvalidInput(
                f"{ref} is a detection; fields belong to its document, {ref.rpartition('_det_')[0]}. "
                "What people say of a detection is an annotation.",
                field="document_id",
            )
        return found.document

    def change(self, request: Request, ref: str, collection_ref: str | None, *, replace: bool) -> Response:
        document = self.whole(ref, collection_ref)
        domain.update_documents(changes=[(document, fields_of(request.data))], by=self.actor, replace=replace)
        return Response(self.show(ref, document.collection.public_id))

    def remove(self, ref: str, collection_ref: str | None) -> Response:
        document = self.whole(ref, collection_ref)
        domain.delete_documents(documents=[document], by=self.actor)
        return Response({"success": True, "message": f"{ref} is deleted."})


class DocumentView(DocumentBase):
    """By its id alone, or with `?collection_id=` where several collections have it."""

    @operation(
        "get_document",
        "A document with its current detections, or one detection.",
        query=VectorsQuery,
        answer=DocumentAnswer,
        answer_example=EXAMPLE,
    )
    def get(self, request: Request, document_id: str) -> Response:
        query = self.query
        shown = self.show(document_id, query.get("collection_id"), vectors=query["return_vectors"])
        return Response(shown)

    @operation(
        "update_document",
        "Merge fields into a document's metadata.",
        documented_body=FreeBody,
        query=VectorsQuery,
        answer=DocumentAnswer,
        example={"metadata": {"shift": "night"}},
    )
    def patch(self, request: Request, document_id: str) -> Response:
        return self.change(request, document_id, self.query.get("collection_id"), replace=False)

    @operation(
        "replace_document",
        "Set a document's metadata as a whole.",
        documented_body=FreeBody,
        query=VectorsQuery,
        answer=DocumentAnswer,
        example={"metadata": {"shift": "night"}},
    )
    def put(self, request: Request, document_id: str) -> Response:
        return self.change(request, document_id, self.query.get("collection_id"), replace=True)

    @operation(
        "delete_document",
        "Delete a document with its detections. Refused once people decided about them.",
        query=VectorsQuery,
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "doc_frame_001 is deleted."},
    )
    def delete(self, request: Request, document_id: str) -> Response:
        return self.remove(document_id, self.query.get("collection_id"))


class CollectionDocumentView(DocumentBase):
    """The same under its collection."""

    @operation(
        "get_collection_document",
        "A collection's document with its current detections, or one detection.",
        query=VectorsQuery,
        answer=DocumentAnswer,
        answer_example=EXAMPLE,
    )
    def get(self, request: Request, collection_ref: str, document_id: str) -> Response:
        return Response(self.show(document_id, collection_ref, vectors=self.query["return_vectors"]))

    @operation(
        "update_collection_document",
        "Merge fields into the metadata of a collection's document.",
        documented_body=FreeBody,
        answer=DocumentAnswer,
        example={"metadata": {"shift": "night"}},
    )
    def patch(self, request: Request, collection_ref: str, document_id: str) -> Response:
        return self.change(request, document_id, collection_ref, replace=False)

    @operation(
        "replace_collection_document",
        "Set the metadata of a collection's document as a whole.",
        documented_body=FreeBody,
        answer=DocumentAnswer,
        example={"metadata": {"shift": "night"}},
    )
    def put(self, request: Request, collection_ref: str, document_id: str) -> Response:
        return self.change(request, document_id, collection_ref, replace=True)

    @operation(
        "delete_collection_document",
        "Delete a collection's document. Refused once people decided about its detections.",
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "doc_frame_001 is deleted."},
    )
    def delete(self, request: Request, collection_ref: str, document_id: str) -> Response:
        return self.remove(document_id, collection_ref)


class BatchGetView(DocumentBase):
    @operation(
        "get_documents",
        "Up to 1,000 documents or detections by their ids; ids that are not there are listed.",
        body=BatchGetBody,
        answer=BatchGetAnswer,
        scope="read",
        example={"document_ids": ["doc_frame_001", "doc_frame_002_det_1"]},
    )
    def post(self, request: Request) -> Response:
        refs = list(dict.fromkeys(self.data["document_ids"]))
        found = find_documents(self.namespace, [(ref, self.data.get("collection_id")) for ref in refs])
        there = {ref[0]: one for ref, one in found.items() if isinstance(one, Found)}
        rows = {
            row.pk: row
            for row in documents_shown(
                Document.objects.filter(pk__in=[one.document.pk for one in there.values()])
            )
        }
        singles = self._singles(there)
        shown, detections = [], []
        for one in there.values():
            row = rows[one.document.pk]
            if one.detection is not None:
                single = singles[one.detection.pk]
                single.document = row
                detections.append(single)
                shown.append(present_single(row, single))
            else:
                detections += list(row.detections.all())
                shown.append(present_document(row))
        if self.data["return_vectors"]:
            add_vectors(shown, detections)
        missing = [ref for ref in refs if ref not in there]
        return Response({"results": shown, "documents": shown, "not_found": missing})

    @staticmethod
    def _singles(there: dict[str, Found]) -> dict[int, Detection]:
        keys = [one.detection.pk for one in there.values() if one.detection is not None]
        rows = Detection.objects.filter(pk__in=keys).select_related("object_class", "decided_class")
        return {row.pk: row for row in rows}


class DocumentBatchView(DocumentBase):
    """Several documents of a collection, each with its outcome."""

    @operation(
        "update_documents",
        "Merge fields into the metadata of up to 1,000 documents; each has its outcome.",
        body=BatchUpdateBody,
        answer=BatchUpdateAnswer,
        example={"updates": [{"document_id": "doc_frame_001", "update_data": {"shift": "night"}}]},
    )
    def post(self, request: Request, collection_ref: str) -> Response:
        updates = self.data["updates"]
        if not 1 <= len(updates) <= 1000:
            raise InvalidInput("updates has 1 to 1,000 entries.", field="updates")
        found = self._look(collection_ref, [entry["document_id"] for entry in updates])
        changes, outcomes = [], []
        for entry in updates:
            one = found[entry["document_id"]]
            error = one.message if isinstance(one, DomainError) else None
            if isinstance(one, Document):
                try:
                    changes.append((one, fields_of(entry["update_data"])))
                except DomainError as fault:
                    error = fault.message
            outcomes.append({"document_id": entry["document_id"], "success": error is None, "error": error})
        domain.update_documents(changes=changes, by=self.actor)
        failed = sum(not outcome["success"] for outcome in outcomes)
        return Response(
            {"updated_count": len(outcomes) - failed, "failed_count": failed, "results": outcomes}
        )

    @operation(
        "delete_documents",
        "Delete up to 1,000 documents of a collection; each has its outcome.",
        body=BatchDeleteBody,
        answer=BatchDeleteAnswer,
        example={"document_ids": ["doc_frame_001"]},
    )
    def delete(self, request: Request, collection_ref: str) -> Response:
        refs = list(dict.fromkeys(self.data["document_ids"]))
        outcomes = []
        for ref, one in self._look(collection_ref, refs).items():
            error = one.message if isinstance(one, DomainError) else None
            if isinstance(one, Document):
                try:
                    domain.delete_documents(documents=[one], by=self.actor)
                except DomainError as fault:
                    error = fault.message
            outcomes.append({"document_id": ref, "success": error is None, "error": error})
        failed = sum(not outcome["success"] for outcome in outcomes)
        return Response(
            {"deleted_count": len(outcomes) - failed, "failed_count": failed, "results": outcomes}
        )

    def _look(self, collection_ref: str, refs: list[str]) -> dict[str, Document | DomainError]:
        collection = domain.get_collection(self.namespace, collection_ref).public_id
        found = find_documents(self.namespace, [(ref, collection) for ref in refs])
        looked: dict[str, Document | DomainError] = {}
        for ref in refs:
            one = found[ref, collection]
            if isinstance(one, DomainError):
                looked[ref] = one
            elif one.detection is not None:
                looked[ref] = InvalidInput(f"{ref} is a detection; name its document.")
            else:
                looked[ref] = one.document
        return looked
