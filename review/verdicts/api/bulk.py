"""Up to 1,000 creations, changes and deletions in one call, each with a result of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.runs.queries import find_documents
from mixcv.kernel.api import handle_exception
from mixcv.kernel.errors import DomainError, InvalidInput
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from review.verdicts.api.answers import BulkAnswer, warnings_for
from review.verdicts.api.bodies import (
    MOST_AT_ONCE,
    AnnotationBody,
    BulkChange,
    changes_of,
    plain_creation,
    verdict_of,
)
from review.verdicts.domain import Outcome, Revision, delete_verdicts, record_verdicts, revise_verdicts


class _Operation(serializers.Field[Any, Any, Any, Any]):
    """Checked later, by itself: what is wrong with it is its own result, and no reason to refuse the others."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValidationError(f"An operation is a JSON object; this is {type(data).__name__}.")
        return data


@extend_schema_field(AnnotationBody)
class CreateOperation(_Operation):
    pass


@extend_schema_field(BulkChange)
class UpdateOperation(_Operation):
    pass


def _many(child: serializers.Field[Any, Any, Any, Any]) -> serializers.ListField:
    return serializers.ListField(child=child, required=False, allow_null=True, max_length=MOST_AT_ONCE)


class BulkBody(StrictSerializer):
    create = _many(CreateOperation())  # type: ignore[assignment]
    update = _many(UpdateOperation())  # type: ignore[assignment]
    delete = _many(serializers.CharField(max_length=100))


class Bulk(NamespacedView):
    tag = "Annotations"

    @operation(
        "bulk_annotations",
        f"Create, change and delete up to {MOST_AT_ONCE:,} annotations each. Every operation stands alone: a fault in "
        "one is that one's error. A repeated call writes new versions under the same ids, and doubles nothing.",
        body=BulkBody,
        answer=BulkAnswer,
        creates=True,
        example={
            "create": [{"document_id": "doc_frame_001_det_0", "label": "confirmed"}],
            "update": [{"annotation_id": "ann_06h0tyn3yhs9xgjq0n8b2r", "reasoning": "Seen twice."}],
            "delete": ["ann_06h0tyn3yhs9xgjq0n8b2s"],
        },
    )
    def post(self, request: Request) -> Response:
        asked = {name: self.data.get(name) or [] for name in ("create", "update", "delete")}
        done = {
            "create": self._create(asked["create"]),
            "update": self._update(asked["update"]),
            "delete": self._delete(asked["delete"]),
        }
        told = [one.annotation for outcomes in done.values() for one in outcomes if one.annotation]
        prefetch_related_objects([row for row in told if row.payload], "predicted_class", "image")
        results = [
            _result(kind, index, outcome)
            for kind, outcomes in done.items()
            for index, outcome in enumerate(outcomes)
        ]
        good = {kind: sum(1 for one in outcomes if one.error is None) for kind, outcomes in done.items()}
        succeeded = sum(good.values())
        return Response(
            {
                "results": results,
                "total": len(results),
                "succeeded": succeeded,
                "failed": len(results) - succeeded,
                "created": good["create"],
                "updated": good["update"],
                "deleted": good["delete"],
            }
        )

    def _create(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        bodies = _checked(AnnotationBody(), items, plain_creation)
        refs = [(b["document_id"], b.get("collection_id")) for b in bodies if not isinstance(b, DomainError)]
        found = find_documents(self.namespace, refs) if refs else {}

        def read(body: dict[str, Any]) -> Any:
            place = found[body["document_id"], body.get("collection_id")]
            if isinstance(place, Exception):
                raise place
            return verdict_of(place, body)

        return _each(
            bodies,
            read,
            lambda some: record_verdicts(namespace=self.namespace, verdicts=some, by=self.actor),
        )

    def _update(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        return _each(
            _checked(BulkChange(), items),
            lambda body: Revision(body["annotation_id"], changes_of(body)),
            lambda some: revise_verdicts(namespace=self.namespace, revisions=some, by=self.actor),
        )

    def _delete(self, refs: Sequence[str]) -> list[Outcome]:
        if not refs:
            return []
        return delete_verdicts(namespace=self.namespace, annotation_ids=refs, by=self.actor)


def _checked(
    form: StrictSerializer,
    items: Sequence[Mapping[str, Any]],
    plainly: Callable[[Mapping[str, Any]], dict[str, Any] | None] = lambda item: None,
) -> list[Any]:
    """Each item's checked values, or what is wrong with it. What `plainly` reads the form need not."""
    checked: list[Any] = []
    for item in items:
        try:
            checked.append(plainly(item) or form.run_validation(item))
        except ValidationError as error:
            answer = handle_exception(error, {})
            assert answer is not None
            checked.append(InvalidInput(answer.data["error"]["message"]))
    return checked


def _each(
    bodies: Sequence[Any], read: Callable[[dict[str, Any]], Any], verb: Callable[[list[Any]], list[Outcome]]
) -> list[Outcome]:
    """The outcome of each body: what is wrong with it, or what the verb made of all that are right."""
    outcomes: list[Outcome | None] = []
    good = []
    for body in bodies:
        try:
            if isinstance(body, DomainError):
                raise body
            good.append(read(body))
            outcomes.append(None)
        except DomainError as error:
            outcomes.append(Outcome(None, error=error))
    done = iter(verb(good) if good else [])
    return [outcome or next(done) for outcome in outcomes]


def _result(kind: str, index: int, outcome: Outcome) -> dict[str, Any]:
    row, error = outcome.annotation, outcome.error
    return {
        "annotation_id": row.public_id if row else None,
        "operation": kind,
        "index": index,
        "success": error is None,
        "error": error.message if error else None,
        "code": error.code if error else None,
        "warnings": warnings_for(row) if row and row.payload and kind != "delete" else [],
    }
