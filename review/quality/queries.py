"""Counting annotations: by time and by what they are about.

Most questions are answered from the counts that are written with each annotation; what those do not keep (the document,
the reviewer, the retriever, the hour) is counted from the annotations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from extraction.classes.models import ObjectClass
from extraction.packages.models import ExtractorVersion
from extraction.search.models import Retriever
from mixcv.kernel.errors import InvalidInput
from mixcv.tenancy.models import Namespace
from review.verdicts.models import Label

INTERVALS = ("hour", "day", "week", "month")
GROUPS = ("class", "extractor_version", "label", "source", "retriever", "reviewer")
METADATA = "metadata."
MOST_ROWS = 50_000
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
MOST_GROUPS = 500
# What the counts keep; by the rest the annotations themselves are counted.
_ROLLED = {None, "class", "extractor_version", "label", "source"}
_GROUP_SQL = {
    None: "NULL::text",
    "class": "class_id",
    "extractor_version": "version_id",
    "label": "label",
    "source": "source",
    "retriever": "retriever_ref",
    "reviewer": "actor",
}


@dataclass(frozen=True)
class Asked:
    """What to count. Keys, not ids; times: after is inclusive, before is not; None does not narrow."""

    collection: int | None = None
    document: int | None = None
    detection: int | None = None
    label: str | None = None
    source: str | None = None
    actor: str | None = None
    retriever: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    interval: str | None = None
    group_by: str | None = None

    @property
    def from_counts(self) -> bool:
        """Whether the counts know enough."""
        about = (self.document, self.detection, self.actor, self.retriever)
        return self.group_by in _ROLLED and self.interval != "hour" and all(one is None for one in about)


@dataclass
class Counted:
    """Annotations by label: of all, of a time (`start`), or of a group."""

    by_label: Counter[str] = field(default_factory=Counter)
    start: datetime | None = None
    key: str | None = None
    name: str = ""
    series: list[Counted] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.by_label.values())


@dataclass
class Stats:
    all: Counted
    series: list[Counted]
    groups: list[Counted]
    group_count: int


def stats(namespace: Namespace, asked: Asked) -> Stats:
    """Counts of live annotations. Raises InvalidInput for a time turned round, or for more numbers than one reads."""
    if asked.after and asked.before and asked.after >= asked.before:
        raise InvalidInput("created_after must be before created_before.", field="created_after")
    whole = Counted()
    series: dict[datetime, Counted] = {}
    groups: dict[str | None, Counted] = {}
    cells: dict[tuple[str | None, datetime], Counted] = {}
    for start, key, label, n in _rows(namespace, asked):
        at = start.replace(tzinfo=UTC) if start else None
        whole.by_label[label] += n
        if at:
            series.setdefault(at, Counted(start=at)).by_label[label] += n
        if asked.group_by:
            group = groups.setdefault(key, Counted(key=key))
            group.by_label[label] += n
            if at:
                cells.setdefault((key, at), Counted(start=at)).by_label[label] += n
    for (key, _), cell in sorted(cells.items(), key=lambda item: item[0][1]):
        groups[key].series.append(cell)
    largest = sorted(groups.values(), key=lambda one: (-one.total, one.key or ""))
    shown = largest[:MOST_GROUPS]
    _name(namespace, asked.group_by, shown)
    return Stats(whole, [series[at] for at in sorted(series)], shown, len(groups))


def _rows(namespace: Namespace, asked: Asked) -> list[tuple[datetime | None, str | None, str, int]]:
    """(start of the interval in UTC, group, label, number)."""
    params: dict[str, Any] = {"namespace": namespace.pk, "most": MOST_ROWS + 1}
    facts = _rolled(asked, params) if asked.from_counts else _raw(asked, params)
    # Grouped by day and by keys first: weeks, months, names and metadata are then made of few rows.
    bucket, start = {
        None: ("NULL::date", "NULL::timestamp"),
        "hour": ("date_trunc('hour', at)", "f.bucket"),
    }.get(asked.interval, ("at::date", f"date_trunc('{asked.interval}', f.bucket::timestamp)"))
    inner, outer, documents = _GROUP_SQL.get(asked.group_by, ""), "f.key::text", ""
    if asked.group_by and asked.group_by.startswith(METADATA):
        params["path"] = asked.group_by.removeprefix(METADATA).split(".")
        inner, outer = "document_id", "d.metadata #>> %(path)s"
        documents = "LEFT JOIN extraction_document d ON d.id = f.key"
    sql = f"""
        SELECT {start}, {outer}, f.label, sum(f.n)
        FROM (SELECT {bucket} AS bucket, {inner} AS key, label, sum(n) AS n FROM ({facts}) AS facts
              GROUP BY 1, 2, 3) AS f {documents}
        GROUP BY 1, 2, 3 HAVING sum(f.n) <> 0 LIMIT %(most)s"""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    if len(rows) > MOST_ROWS:
        raise InvalidInput(
            f"This asks for more than {MOST_ROWS:,} numbers. Take a shorter time, a longer interval or another"
            " grouping.",
            field="interval",
        )
    return [(start, key, label, int(n)) for start, key, label, n in rows]


def _rolled(asked: Asked, params: dict[str, Any]) -> str:
    """Whole days from the counts; the parts of days at the ends of the asked time from the annotations."""
    where, parts = _narrowed(asked, params), []
    first = _next_midnight(asked.after) if asked.after else None
    last = _midnight(asked.before) if asked.before else None
    if first and last and first > last:  # within one day
        return _raw(asked, params)
    days = ""
    if first:
        params["first"] = first.date()
        days += " AND day >= %(first)s"
        if asked.after != first:
            params |= {"after": asked.after, "first_at": first}
            parts.append(_annotations(f"{where} AND created_at >= %(after)s AND created_at < %(first_at)s"))
    if last:
        params["last"] = last.date()
        days += " AND day < %(last)s"
        if asked.before != last:
            params |= {"before": asked.before, "last_at": last}
            parts.append(_annotations(f"{where} AND created_at >= %(last_at)s AND created_at < %(before)s"))
    counts = f"""
        SELECT day::timestamp AS at, label, object_class_id AS class_id, extractor_version_id AS version_id, source,
            NULL::text AS actor, NULL::text AS retriever_ref, NULL::bigint AS document_id, n
        FROM review_annotationcount WHERE namespace_id = %(namespace)s{where}{days}"""
    return " UNION ALL ".join([counts, *parts])


def _raw(asked: Asked, params: dict[str, Any]) -> str:
    where = _narrowed(asked, params)
    for name, column, sign in (("after", "created_at", ">="), ("before", "created_at", "<")):
        if getattr(asked, name):
            params[name] = getattr(asked, name)
            where += f" AND {column} {sign} %({name})s"
    for name, column in (
        ("document", "document_id"),
        ("detection", "detection_id"),
        ("actor", "actor"),
        ("retriever", "retriever_ref"),
    ):
        if getattr(asked, name) is not None:
            params[name] = getattr(asked, name)
            where += f" AND {column} = %({name})s"
    return _annotations(where)


def _annotations(where: str) -> str:
    return f"""
        SELECT created_at AT TIME ZONE 'UTC' AS at, label, coalesce(predicted_class_id, object_class_id) AS class_id,
            extractor_version_id AS version_id, source, actor, retriever_ref, document_id, 1 AS n
        FROM review_annotation WHERE namespace_id = %(namespace)s AND deleted_at IS NULL{where}"""


def _narrowed(asked: Asked, params: dict[str, Any]) -> str:
    """Conditions on what counts and annotations both have."""
    where = ""
    for name, column in (("collection", "collection_id"), ("label", "label"), ("source", "source")):
        if getattr(asked, name) is not None:
            params[name] = getattr(asked, name)
            where += f" AND {column} = %({name})s"
    return where


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _next_midnight(moment: datetime) -> datetime:
    start = _midnight(min(moment, LATEST))
    return start if start == moment else start + timedelta(days=1)


def _name(namespace: Namespace, group_by: str | None, groups: list[Counted]) -> None:
    """Turn keys of rows into ids and names that people know."""
    keys = {one.key for one in groups if one.key}
    names: dict[str, tuple[str, str]] = {}
    if group_by == "class":
        rows = ObjectClass.objects.filter(pk__in=keys)
        names = {str(row.pk): (row.name, row.name) for row in rows}
    elif group_by == "extractor_version":
        versions = ExtractorVersion.objects.filter(pk__in=keys).select_related("extractor")
        names = {str(row.pk): (row.public_id, str(row)) for row in versions}
    elif group_by == "retriever":
        retrievers = Retriever.objects.filter(namespace=namespace, public_id__in=keys)
        names = {row.public_id: (row.public_id, row.name) for row in retrievers}
    elif group_by == "label":
        names = {one.value: (one.value, one.label) for one in Label}
    for one in groups:
        if not one.key:
            one.key, one.name = None, "none"
            continue
        one.key, one.name = names.get(one.key, (one.key, one.key))
