"""Reads of annotations: as they are, as they were, and their versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from extraction.runs.domain import get_collection
from extraction.runs.queries import find_documents
from extraction.search.models import Execution, Retriever
from mixcv.kernel.errors import NotFound
from mixcv.tenancy.models import Namespace
from review.verdicts.models import Annotation, AnnotationVersion

# So many of an annotation's latest changes are told with it, in a list and by itself; all are in its versions.
TOLD_IN_LISTS = 10
TOLD_ALONE = 100

# What a version may differ in from the one before.
COMPARED = (
    *("label", "object_class_id", "cx", "cy", "w", "h", "confidence", "reasoning", "payload", "metadata"),
    *("source", "retriever_ref", "execution_ref", "stage_name"),
)


@dataclass(frozen=True)
class Told:
    """An annotation as one of its versions has it, with what is told beside it.

    `values` is the row itself or the version; `versions` the latest up to that one, oldest first.
    """

    row: Annotation
    values: Annotation | AnnotationVersion
    versions: Sequence[AnnotationVersion] = ()
    retriever: Retriever | None = None
    execution: Execution | None = None

    @property
    def updated_at(self) -> datetime:
        return self.values.updated_at if isinstance(self.values, Annotation) else self.values.decided_at


@dataclass(frozen=True)
class Wanted:
    """What a list of annotations is narrowed by; None does not narrow. Times: after is inclusive, before is not."""

    document_id: str | None = None
    collection_id: str | None = None
    label: str | None = None
    actor_id: str | None = None
    retriever_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    as_of: datetime | None = None
    cursor: str | None = None
    skip: int = 0
    limit: int = 100


@dataclass
class Page:
    found: list[Told] = field(default_factory=list)
    total: int = 0
    next_cursor: str | None = None


def page_of_annotations(namespace: Namespace, wanted: Wanted) -> Page:
    """Annotations, newest first. Raises NotFound or Ambiguous for a document or collection that is not one here."""
    places, values, times = _filters(namespace, wanted)
    rows: QuerySet[Any]
    if wanted.as_of is None:
        rows = Annotation.objects.filter(namespace=namespace, deleted_at=None, **places, **values, **times)
        rows = rows.select_related(*_JOINS)
        before = ""
    else:
        before = "annotation__"
        rows = _versions_at(namespace, wanted.as_of).filter(
            **{f"{before}{name}": value for name, value in (places | times).items()}, **values
        )
        rows = rows.select_related("object_class", *(f"annotation__{name}" for name in _JOINS))
    page = Page(total=rows.count())
    if wanted.cursor:
        rows = rows.filter(_beyond(namespace, wanted.cursor, before))
    ordered = rows.order_by(f"-{before}created_at", f"-{before}pk")
    some: list[Any] = list(ordered[wanted.skip : wanted.skip + wanted.limit + 1])
    page.found = tell(namespace, some[: wanted.limit], most=TOLD_IN_LISTS)
    if len(some) > wanted.limit:
        page.next_cursor = page.found[-1].row.public_id
    return page


_JOINS = ("document", "detection", "collection", "object_class", "predicted_class", "image")


def _filters(namespace: Namespace, wanted: Wanted) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Filters of what never changes, of what a version decides, and of the time of creation."""
    places: dict[str, Any] = {}
    if wanted.collection_id:
        places["collection"] = get_collection(namespace, wanted.collection_id)
    if wanted.document_id:
        places |= document_filter(namespace, wanted.document_id, wanted.collection_id)
    if wanted.actor_id is not None:
        places["actor"] = wanted.actor_id
    values: dict[str, Any] = {}
    if wanted.label is not None:
        values["label"] = wanted.label
    if wanted.retriever_id is not None:
        values["retriever_ref"] = wanted.retriever_id
    times = {"created_at__gte": wanted.created_after, "created_at__lt": wanted.created_before}
    return places, values, {name: moment for name, moment in times.items() if moment is not None}


def document_filter(namespace: Namespace, ref: str, collection_ref: str | None) -> dict[str, Any]:
    """Annotations of one document, or of one detection where the id is a detection's. Raises NotFound, Ambiguous."""
    key = (ref, collection_ref)
    found = find_documents(namespace, [key])[key]
    if isinstance(found, Exception):
        raise found
    return {"detection": found.detection} if found.detection else {"document": found.document}


def _versions_at(namespace: Namespace, moment: datetime) -> QuerySet[AnnotationVersion]:
    """The version of each annotation that held at `moment`: the one whose next was not made yet."""
    made_next = AnnotationVersion.objects.filter(
        annotation=OuterRef("annotation"), version=OuterRef("version") + 1, decided_at__lte=moment
    )
    return AnnotationVersion.objects.filter(
        Q(annotation__deleted_at=None) | Q(annotation__deleted_at__gt=moment),
        ~Exists(made_next),
        annotation__namespace=namespace,
        annotation__created_at__lte=moment,
        decided_at__lte=moment,
    )


def _beyond(namespace: Namespace, cursor: str, before: str) -> Q:
    """The rows after the one that a page ended with."""
    last = Annotation.objects.filter(namespace=namespace, public_id=cursor).first()
    if last is None:
        raise NotFound(
            f"The cursor {cursor[:100]!r} is none of this list. Start again without it.", field="cursor"
        )
    return Q(**{f"{before}created_at__lt": last.created_at}) | Q(
        **{f"{before}created_at": last.created_at, f"{before}pk__lt": last.pk}
    )


def tell(
    namespace: Namespace, some: Iterable[Annotation | AnnotationVersion], *, most: int = TOLD_ALONE
) -> list[Told]:
    """Rows or versions with their latest `most` changes and what they name, in a few queries for any number."""
    items = list(some)
    pairs = [(one, one) if isinstance(one, Annotation) else (one.annotation, one) for one in items]
    histories = _histories([(row.pk, values.version) for row, values in pairs if values.version > 1], most)
    retrievers = _retrievers(namespace, {values.retriever_ref for _, values in pairs} - {""})
    executions = _executions(namespace, {values.execution_ref for _, values in pairs} - {""})
    return [
        Told(
            row,
            values,
            histories.get(row.pk, ()),
            retrievers.get(values.retriever_ref),
            executions.get(values.execution_ref),
        )
        for row, values in pairs
    ]


def _histories(wanted: Sequence[tuple[int, int]], most: int) -> dict[int, list[AnnotationVersion]]:
    """By annotation: the version that is wanted of it and the `most` before that, oldest first."""
    if not wanted:
        return {}
    near = RawSQL(
        "SELECT v.id FROM unnest(%s::bigint[], %s::bigint[]) AS w(id, version) JOIN review_annotationversion v"
        " ON v.annotation_id = w.id AND v.version BETWEEN w.version - %s AND w.version",
        ([key for key, _ in wanted], [version for _, version in wanted], most),
    )
    found: dict[int, list[AnnotationVersion]] = {}
    versions = AnnotationVersion.objects.filter(pk__in=near).select_related("object_class")
    for one in versions.order_by("annotation", "version"):
        found.setdefault(one.annotation_id, []).append(one)
    return found


def _retrievers(namespace: Namespace, refs: set[str]) -> dict[str, Retriever]:
    rows = Retriever.objects.filter(namespace=namespace, public_id__in=refs) if refs else ()
    return {row.public_id: row for row in rows}


def _executions(namespace: Namespace, refs: set[str]) -> dict[str, Execution]:
    if not refs:
        return {}
    rows = Execution.objects.filter(namespace=namespace, public_id__in=refs).select_related("retriever")
    return {row.public_id: row for row in rows.only("public_id", "created_at", "retriever__public_id")}


def get_annotation(namespace: Namespace, ref: str, *, deleted: bool = False) -> Annotation:
    """One annotation with what it is about. Raises NotFound; `deleted`: answers one that was deleted too."""
    row = Annotation.objects.filter(namespace=namespace, public_id=ref).select_related(*_JOINS).first()
    if row is None:
        raise NotFound(f"There is no annotation {ref[:100]}.", field="annotation_id")
    if row.deleted_at and not deleted:
        raise NotFound(
            f"The annotation {ref[:100]} was deleted on {row.deleted_at:%Y-%m-%d %H:%M} UTC. Its versions can be read.",
            field="annotation_id",
        )
    return row


def versions_of(row: Annotation) -> list[AnnotationVersion]:
    """All versions, oldest first."""
    return list(row.versions.select_related("object_class").order_by("version"))


def changed_fields(before: AnnotationVersion | None, after: AnnotationVersion) -> list[str]:
    """The API's names of what differs between two versions; all that is set, for the first one."""
    changed = []
    for name in COMPARED:
        old = getattr(before, name) if before else None
        new = getattr(after, name)
        if (old or None) != (new or None) or (old != new and before is not None):
            changed.append(_NAMES.get(name, name))
    return list(dict.fromkeys(changed))


_NAMES = {
    "object_class_id": "class",
    **dict.fromkeys(("cx", "cy", "w", "h"), "bbox"),
    "retriever_ref": "retriever_id",
    "execution_ref": "execution_id",
}
