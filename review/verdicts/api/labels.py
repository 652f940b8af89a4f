"""The vocabulary: the four verdicts, and the namespace's own labels."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Namespace
from review.verdicts.api.answers import LabelAnswer, LabelsAnswer
from review.verdicts.api.bodies import LabelBody
from review.verdicts.domain import define_label, own_labels, remove_label
from review.verdicts.models import Label, LabelDefinition

MEANING = {
    Label.CONFIRMED: "The detection is right as it is.",
    Label.CORRECTED: "There is an object, and its class or box was wrong.",
    Label.FALSE_POSITIVE: "There is no object.",
    Label.MISSED: "There is an object that the detector did not find.",
}


class Labels(NamespacedView):
    tag = "Annotations"

    @operation(
        "list_annotation_labels",
        "The labels that annotations can have: the four verdicts, then the namespace's own.",
        answer=LabelsAnswer,
    )
    def get(self, request: Request) -> Response:
        return Response(_all(self.namespace))

    @operation(
        "create_annotation_label",
        "Add a label of your own to the vocabulary. It has no effect on ground truth.",
        body=LabelBody,
        answer=LabelAnswer,
        creates=True,
        example={"label": "needs_second_look", "description": "Ask a colleague."},
    )
    def post(self, request: Request) -> Response:
        row = define_label(
            namespace=self.namespace,
            name=self.data["label"],
            description=self.data.get("description") or "",
            by=self.actor,
        )
        return Response(_own(row))


class LabelList(NamespacedView):
    tag = "Annotations"

    @operation(
        "search_annotation_labels",
        "The same list as the GET.",
        answer=LabelsAnswer,
        scope="read",
    )
    def post(self, request: Request) -> Response:
        return Response(_all(self.namespace))


class OneLabel(NamespacedView):
    tag = "Annotations"

    @operation(
        "delete_annotation_label",
        "Take a label out of the vocabulary. Annotations that have it stay as they are.",
        answer=DeletedAnswer,
    )
    def delete(self, request: Request, label: str) -> Response:
        remove_label(namespace=self.namespace, name=label, by=self.actor)
        return Response({"success": True, "message": f"{label} is no label of the vocabulary any more."})


def _all(namespace: Namespace) -> dict[str, Any]:
    builtin = [
        {
            "label": one.value,
            "description": MEANING[one],
            "builtin": True,
            "created_by": None,
            "created_at": None,
        }
        for one in Label
    ]
    rows = [*builtin, *(_own(row) for row in own_labels(namespace))]
    return {"results": rows, "total_count": len(rows)}


def _own(row: LabelDefinition) -> dict[str, Any]:
    return {
        "label": row.name,
        "description": row.description,
        "builtin": False,
        "created_by": row.created_by,
        "created_at": row.created_at,
    }
