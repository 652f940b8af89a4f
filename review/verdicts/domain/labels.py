"""The namespace's own labels, beside the four verdicts."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from mixcv.kernel.errors import AlreadyExists, InvalidInput, NotFound
from mixcv.kernel.events import Happening, publish
from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.models import Label, LabelDefinition

LONGEST_LABEL = 100


def own_labels(namespace: Namespace) -> QuerySet[LabelDefinition]:
    return LabelDefinition.objects.filter(namespace=namespace).order_by("name")


def check_label(namespace: Namespace, name: str) -> str:
    """The name as it would be kept. Raises AlreadyExists for one that differs from another only in capitals."""
    wanted = name.strip()
    if not 0 < len(wanted) <= LONGEST_LABEL or not wanted.isprintable():
        raise InvalidInput(
            f"A label has 1 to {LONGEST_LABEL} printable characters; this one has {len(wanted)}.",
            field="label",
        )
    known = [*Label.values, *own_labels(namespace).values_list("name", flat=True)]
    if there := {one.lower(): one for one in known}.get(wanted.lower()):
        raise AlreadyExists(f"There is a label {there!r} already; use that one.", field="label")
    return wanted


def define_label(*, namespace: Namespace, name: str, by: Actor, description: str = "") -> LabelDefinition:
    """Add a label to the vocabulary. Raises as check_label does."""
    with transaction.atomic():
        # Two who add at once would not see each other's.
        Namespace.objects.select_for_update(no_key=True).get(pk=namespace.pk)
        row = LabelDefinition.objects.create(
            namespace=namespace,
            name=check_label(namespace, name),
            description=description,
            created_by=by.name,
        )
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("label.created", f"label_{row.pk}", {"label": row.name})],
        )
    return row


def remove_label(*, namespace: Namespace, name: str, by: Actor) -> None:
    """Take a label out of the vocabulary: nothing new gets it. Annotations that have it stay as they are."""
    if name in Label.values:
        raise InvalidInput(f"{name} is one of the four verdicts; those are always there.", field="label")
    with transaction.atomic():
        row = LabelDefinition.objects.select_for_update().filter(namespace=namespace, name=name).first()
        if row is None:
            raise NotFound(f"There is no label {name!r} in the vocabulary.", field="label")
        publish(
            namespace_id=namespace.pk,
            actor=by.name,
            happenings=[Happening("label.deleted", f"label_{row.pk}", {"label": row.name})],
        )
        row.delete()
