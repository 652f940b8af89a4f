"""Up to 1,000 creations, changes and deletions in one call, each with a result of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import prefetch_related_objects
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.runs.queries import find_documents
from mixcv.kernel.api import handle_exception
from mixcv.kernel.errors import DomainError, Forbidden, InvalidInput
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Scope
from review.verdicts.api.answers import BulkAnswer, warnings_for
from review.verdicts.api.bodies import (
    MOST_AT_ONCE,
    AnnotationBody,
    BulkChange,
    changes_of,
    plain_creation,
    verdict_of,
)
from review.verdicts.domain import Outcome, Revision, Verdict, change_together

T = TypeVar("T")


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
        "one is that one's error. The list delete needs the scope delete. "
        "A repeated call writes new versions under the same ids, and doubles nothing.",
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
        if asked["delete"] and not {Scope.DELETE, Scope.ADMIN} & set(self.key.scopes):
            raise Forbidden(
                f"This key has the scopes {', '.join(self.key.scopes)}; the list delete needs {Scope.DELETE}."
            )
        creations, revisions = self._creations(asked["create"]), self._revisions(asked["update"])
        recorded, revised, deleted = change_together(
            namespace=self.namespace,
            verdicts=[one for one in creations if isinstance(one, Verdict)],
            revisions=[one for one in revisions if isinstance(one, Revision)],
            annotation_ids=asked["delete"],
            by=self.actor,
        )
        done = {
            "create": _outcomes(creations, recorded),
            "update": _outcomes(revisions, revised),
            "delete": deleted,
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

    def _creations(self, items: Sequence[Mapping[str, Any]]) -> list[Verdict | DomainError]:
        """The verdict that each item stands for, or what is wrong with it."""
        bodies = _checked(AnnotationBody(), items, plain_creation)
        refs = [(b["document_id"], b.get("collection_id")) for b in bodies if not isinstance(b, DomainError)]
        found = find_documents(self.namespace, refs) if refs else {}

        def read(body: dict[str, Any]) -> Verdict:
            place = found[body["document_id"], body.get("collection_id")]
            if isinstance(place, Exception):
                raise place
            return verdict_of(place, body)

        return _read(bodies, read)

    def _revisions(self, items: Sequence[Mapping[str, Any]]) -> list[Revision | DomainError]:
        return _read(
            _checked(BulkChange(), items), lambda body: Revision(body["annotation_id"], changes_of(body))
        )


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


def _read(bodies: Sequence[Any], read: Callable[[dict[str, Any]], T]) -> list[T | DomainError]:
    """What `read` makes of each body, or what is wrong with it."""
    found: list[T | DomainError] = []
    for body in bodies:
        try:
            found.append(body if isinstance(body, DomainError) else read(body))
        except DomainError as error:
            found.append(error)
    return found


def _outcomes(asked: Sequence[object], done: Sequence[Outcome]) -> list[Outcome]:
    """The outcome of each that was asked for: what is wrong with it, or the next of those that were done."""
    rest = iter(done)
    return [Outcome(None, error=one) if isinstance(one, DomainError) else next(rest) for one in asked]


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
