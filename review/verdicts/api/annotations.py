"""Annotations one by one, their lists and their versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from extraction.runs.queries import find_documents
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import NotFound
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView
from review.verdicts.api.answers import (
    AnnotationAnswer,
    AnnotationPage,
    VersionsAnswer,
    present_annotation,
    present_versions,
)
from review.verdicts.api.bodies import (
    AnnotationBody,
    AnnotationChange,
    AnnotationListBody,
    AnnotationPaging,
    AnnotationQuery,
    changes_of,
    verdict_of,
)
from review.verdicts.domain import (
    Outcome,
    Revision,
    delete_verdicts,
    record_verdicts,
    revise_verdicts,
)
from review.verdicts.models import Annotation
from review.verdicts.queries import Wanted, get_annotation, page_of_annotations, tell, versions_of

TAG = "Annotations"
EXAMPLE = {
    "document_id": "doc_frame_001_det_3",
    "collection_id": "col_detected_objects",
    "label": "corrected",
    "confidence": 1.0,
    "reasoning": "A van with a box body, not a car.",
    "payload": {"true_class": "delivery_van", "bbox": {"x": 340, "y": 220, "w": 180, "h": 120}},
}


def written(outcome: Outcome) -> Annotation:
    if outcome.error:
        raise outcome.error
    assert outcome.annotation is not None
    return outcome.annotation


class AnnotationsView(NamespacedView):
    tag = TAG

    def _told(self, ref: str) -> Response:
        row = get_annotation(self.namespace, ref)
        return Response(present_annotation(tell(self.namespace, [row])[0], self.namespace))


class Annotations(AnnotationsView):
    @operation(
        "create_annotation",
        "Record a decision about a detection, or about an object that the detector missed on an image. "
        "The same caller's second verdict on a detection is a new version under the same id.",
        body=AnnotationBody,
        answer=AnnotationAnswer,
        creates=True,
        example=EXAMPLE,
    )
    def post(self, request: Request) -> Response:
        ref = (self.data["document_id"], self.data.get("collection_id"))
        found = find_documents(self.namespace, [ref])[ref]
        if isinstance(found, Exception):
            raise found
        verdict = verdict_of(found, self.data)
        row = written(record_verdicts(namespace=self.namespace, verdicts=[verdict], by=self.actor)[0])
        return self._told(row.public_id)

    @operation("get_annotations", "Annotations, newest first.", query=AnnotationQuery, answer=AnnotationPage)
    def get(self, request: Request) -> Response:
        return _page(self, self.query)


class AnnotationList(NamespacedView):
    tag = TAG

    @operation(
        "list_annotations",
        "Annotations, newest first: by document, collection, label, actor, retriever or time, or as they were then.",
        body=AnnotationListBody,
        body_optional=True,
        query=AnnotationPaging,
        answer=AnnotationPage,
        scope="read",
        example={"collection_id": "col_detected_objects", "label": "corrected", "limit": 100},
    )
    def post(self, request: Request) -> Response:
        return _page(
            self, self.query | {name: value for name, value in self.data.items() if value is not None}
        )


def _page(view: NamespacedView, asked: Mapping[str, Any]) -> Response:
    page = page_of_annotations(view.namespace, Wanted(**asked))
    return Response(
        {
            "results": [present_annotation(told, view.namespace) for told in page.found],
            "total_count": page.total,
            "next_cursor": page.next_cursor,
        }
    )


class OneAnnotation(AnnotationsView):
    @operation("get_annotation", "An annotation as it is now.", answer=AnnotationAnswer)
    def get(self, request: Request, annotation_id: str) -> Response:
        return self._told(annotation_id)

    @operation(
        "update_annotation",
        "Change an annotation, whoever made it; each change is a new version under the same id.",
        body=AnnotationChange,
        answer=AnnotationAnswer,
        example={"label": "false_positive", "reasoning": "A shadow."},
    )
    def patch(self, request: Request, annotation_id: str) -> Response:
        get_annotation(self.namespace, annotation_id)
        revision = Revision(annotation_id, changes_of(self.data))
        row = written(revise_verdicts(namespace=self.namespace, revisions=[revision], by=self.actor)[0])
        return self._told(row.public_id)

    @operation(
        "delete_annotation",
        "Delete an annotation: it holds no more. Its versions can still be read.",
        answer=DeletedAnswer,
    )
    def delete(self, request: Request, annotation_id: str) -> Response:
        get_annotation(self.namespace, annotation_id)
        written(delete_verdicts(namespace=self.namespace, annotation_ids=[annotation_id], by=self.actor)[0])
        return Response({"success": True, "message": f"{annotation_id} is deleted."})


class AnnotationVersions(NamespacedView):
    tag = TAG

    @operation(
        "list_annotation_versions",
        "All versions of an annotation, also of a deleted one: who changed what and when.",
        answer=VersionsAnswer,
    )
    def get(self, request: Request, annotation_id: str) -> Response:
        row = get_annotation(self.namespace, annotation_id, deleted=True)
        return Response(present_versions(row, versions_of(row)))


class OneVersion(NamespacedView):
    tag = TAG

    @operation("get_annotation_version", "An annotation as one of its versions.", answer=AnnotationAnswer)
    def get(self, request: Request, annotation_id: str, version: int) -> Response:
        row = get_annotation(self.namespace, annotation_id, deleted=True)
        found = row.versions.select_related("object_class").filter(version=version).first()
        if found is None:
            raise NotFound(
                f"{annotation_id} has no version {version}; it has 1 to {row.version}.", field="version"
            )
        found.annotation = row
        return Response(present_annotation(tell(self.namespace, [found])[0], self.namespace))
