"""`/v1/annotations/complete`: nothing is missing on these images."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.runs.queries import find_documents
from extraction.truth.models import ImageReview
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from review.verdicts.domain.whole import declare_whole

MOST = 1000


class CompleteBody(StrictSerializer):
    """Images by their documents; a detection's id stands for its image."""

    document_ids = serializers.ListField(
        child=serializers.CharField(max_length=300), min_length=1, max_length=MOST
    )
    collection_id = serializers.CharField(max_length=120, required=False, allow_null=True)


class CompletedImage(serializers.Serializer[Any]):
    document_id = serializers.CharField()
    completeness = serializers.ChoiceField(choices=ImageReview.Completeness.values)


class CompleteAnswer(serializers.Serializer[Any]):
    results = CompletedImage(many=True)


class Complete(NamespacedView):
    tag = "Annotations"

    @operation(
        "complete_images",
        "Say that nothing is missing on images. Whoever decided all boxes and drew those that were missed says so, and "
        "also of an image on which nothing was found. All or none: an unknown document refuses the call.",
        body=CompleteBody,
        answer=CompleteAnswer,
        example={"document_ids": ["doc_frame_001"], "collection_id": "col_detected_objects"},
        answer_example={"results": [{"document_id": "doc_frame_001", "completeness": "complete"}]},
    )
    def post(self, request: Request) -> Response:
        refs = [(one, self.data.get("collection_id")) for one in self.data["document_ids"]]
        images: dict[str, int] = {}
        for ref, found in find_documents(self.namespace, refs).items():
            if isinstance(found, Exception):
                raise found
            images[ref[0]] = found.document.image_id
        states = declare_whole(namespace=self.namespace, image_ids=images.values(), by=self.actor)
        return Response(
            {"results": [{"document_id": ref, "completeness": states[key]} for ref, key in images.items()]}
        )
