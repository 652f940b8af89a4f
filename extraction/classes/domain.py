"""Writes of classes."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from extraction.classes.models import COLOURS, ObjectClass
from mixcv.kernel.errors import InvalidInput
from mixcv.tenancy.models import Namespace

LONGEST_NAME = 200


def ensure_classes(
    *, namespace: Namespace, names: Iterable[str], state: ObjectClass.State = ObjectClass.State.ACTIVE
) -> dict[str, ObjectClass]:
    """The classes of these names, in one statement each for reading and writing; a new one gets the next colour.

    A name merged into another class answers with that one. A proposed class that is asked for as active becomes so.
    Raises InvalidInput for an empty name or one over 200 characters.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names))
    for name in wanted:
        if not name or len(name) > LONGEST_NAME:
            raise InvalidInput(
                f"A class name has 1 to {LONGEST_NAME} characters; {name[:40]!r} has {len(name)}.",
                field="class",
            )
    found = _read(namespace, wanted)
    missing = [name for name in wanted if name not in found]
    if missing:
        with connection.cursor() as cursor:
            # Two writers who add at once would give one colour twice.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('classes', %s))", [namespace.pk])
        used = ObjectClass.objects.filter(namespace=namespace).count()
        ObjectClass.objects.bulk_create(
            [
                ObjectClass(namespace=namespace, name=name, colour=(used + n) % COLOURS + 1, state=state)
                for n, name in enumerate(missing)
            ],
            ignore_conflicts=True,
        )
        found = _read(namespace, wanted)
    if state == ObjectClass.State.ACTIVE:
        proposed = [item.pk for item in found.values() if item.state == ObjectClass.State.PROPOSED]
        if proposed:
            ObjectClass.objects.filter(pk__in=proposed).update(state=state)
    return found


def _read(namespace: Namespace, names: list[str]) -> dict[str, ObjectClass]:
    rows = ObjectClass.objects.filter(namespace=namespace, name__in=names).select_related("merged_into")
    return {row.name: row.merged_into or row for row in rows}
