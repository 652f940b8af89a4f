"""What the quality page shows: the rates of a time, apart by how boxes came before a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from extraction.runs.models import Collection
from mixcv.tenancy.models import Namespace
from review.quality.charts import Chart, chart_of, starts_of
from review.quality.queries import Asked, Counted, Stats, stats
from review.quality.rates import (
    BANDS,
    METRICS,
    Health,
    Rate,
    approved_in,
    health_of,
    rates_of,
    rejected_in,
    verdicts_in,
)
from review.verdicts.models import Label, Source

WINDOWS = {7: "7 days", 30: "30 days", 90: "90 days", 365: "A year"}
DEFAULT_WINDOW = 30
BY_WEEK_FROM = 90
MOST_ROWS = 12
# A queue shows doubtful boxes, so its rates look worse than the detector is; an audit shows a random sample.
ORIGINS = {"queue": "Queue", "audit": "Audit", "other": "API"}
_ORIGIN_OF = {Source.QUEUE: "queue", Source.GRID: "queue", Source.AUDIT: "audit"}
TITLES: dict[str, str] = {
    Label.CONFIRMED: "Confirmed rate",
    Label.CORRECTED: "Corrected rate",
    Label.FALSE_POSITIVE: "Rate of “not an object”",
    Label.MISSED: "Missed rate",
}
GLYPHS = {
    Label.CONFIRMED: "check",
    Label.CORRECTED: "change",
    Label.FALSE_POSITIVE: "cross",
    Label.MISSED: "missed",
}


@dataclass(frozen=True)
class Asking:
    """What the reader chose. `days` up to now, `by` day or week, one collection or all."""

    days: int
    by: str
    collection: Collection | None


@dataclass(frozen=True)
class HealthRow:
    """A rate against its band, of all verdicts and of each origin."""

    health: Health
    name: str
    glyph: str
    distance: str
    apart: list[Rate | None]

    @property
    def state(self) -> str:
        return {"healthy": "ok", "action_needed": "bad"}.get(self.health.status, "")

    @property
    def state_text(self) -> str:
        if self.health.status == "no_data":
            return "no verdict"
        word = "healthy" if self.health.status == "healthy" else "action needed"
        return word if self.health.certain else f"{word}, not certain"

    @property
    def value(self) -> str:
        return self.health.rate.text

    @property
    def interval(self) -> str:
        return self.health.rate.interval

    @property
    def healthy_when(self) -> str:
        side = "above" if self.health.band.healthy_above else "up to"
        return f"{side} {self.health.band.threshold:.0%}"


@dataclass(frozen=True)
class GroupRow:
    """A class, version, retriever or reviewer with its rates."""

    name: str
    total: int
    rates: list[Rate]
    approved: int
    rejected: int


@dataclass(frozen=True)
class GroupTable:
    key: str
    title: str
    head: str
    note: str
    rows: list[GroupRow]
    more: int


@dataclass(frozen=True)
class Quality:
    asking: Asking
    total: int
    verdicts: int
    finding: str
    origins: dict[str, str]
    health: list[HealthRow]
    charts: list[Chart]
    tables: list[GroupTable]


def quality_of(namespace: Namespace, asking: Asking) -> Quality:
    """All that the page shows, in the same number of queries for any number of annotations."""
    today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=asking.days - 1)
    asked = Asked(
        collection=asking.collection.pk if asking.collection else None, after=first, interval=asking.by
    )
    by_source = stats(namespace, replace(asked, group_by="source"))
    apart, over_time = _apart(by_source)
    origins = {key: name for key, name in ORIGINS.items() if verdicts_in(apart.get(key, Counter()))}
    whole = by_source.all.by_label
    health = [_health_row(one, apart, origins) for one in health_of(whole)]
    starts = starts_of(first, today, asking.by)
    return Quality(
        asking,
        by_source.all.total,
        verdicts_in(whole),
        finding_of(health),
        origins,
        health,
        [
            chart_of(
                band,
                TITLES[band.metric],
                {
                    key: {start: rates_of(by_label)[band.metric] for start, by_label in cells.items()}
                    for key, cells in over_time.items()
                },
                origins,
                starts,
            )
            for band in BANDS
        ],
        _tables(namespace, replace(asked, interval=None)) if verdicts_in(whole) else [],
    )


def _name(metric: str) -> str:
    return str(Label(metric).label)


def _apart(counted: Stats) -> tuple[dict[str, Counter[str]], dict[str, dict[datetime, Counter[str]]]]:
    """Counts by label of each origin, and of each origin and time."""
    apart: dict[str, Counter[str]] = {}
    over_time: dict[str, dict[datetime, Counter[str]]] = {}
    for group in counted.groups:
        key = _ORIGIN_OF.get(Source(group.key), "other") if group.key in Source.values else "other"
        apart.setdefault(key, Counter()).update(group.by_label)
        cells = over_time.setdefault(key, {})
        for cell in group.series:
            if cell.start and verdicts_in(cell.by_label):
                cells.setdefault(cell.start, Counter()).update(cell.by_label)
    return apart, over_time


def _health_row(one: Health, apart: dict[str, Counter[str]], origins: dict[str, str]) -> HealthRow:
    metric = one.band.metric
    return HealthRow(
        one,
        _name(metric),
        GLYPHS[Label(metric)],
        distance_of(one),
        [rates_of(apart[key])[metric] for key in origins],
    )


def distance_of(one: Health) -> str:
    """How far a rate lies inside its band, or outside, in percentage points."""
    if one.margin is None:
        return "–"
    points = f"{abs(one.margin) * 100:.1f} points"
    return f"{points} inside" if one.margin >= 0 else f"{points} outside"


def finding_of(health: list[HealthRow]) -> str:
    """The headline: what it comes to, claiming no more than the intervals do."""
    bad = [one for one in health if one.health.status == "action_needed"]
    if not bad:
        good = [one for one in health if one.health.status == "healthy"]
        return "All four rates are healthy" if good else "No verdict yet"
    sure = [one for one in bad if one.health.certain]
    names = ", ".join(one.name.lower() for one in (sure or bad))
    count = len(sure or bad)
    verb = "needs" if count == 1 else "need"
    return f"{count} of 4 rates {verb} action: {names}" + ("" if sure else " (few verdicts: not certain yet)")


def _tables(namespace: Namespace, asked: Asked) -> list[GroupTable]:
    found = []
    for key, title, head, note in (
        ("class", "By class", "Class", "what the detector called it; a missed object’s own class"),
        ("extractor_version", "By version", "Version", "of the detector"),
        (
            "retriever",
            "By retriever",
            "Retriever",
            "approved: stood as shown; rejected: corrected or no object",
        ),
        ("reviewer", "By reviewer", "Reviewer", "people and API keys"),
    ):
        groups = [
            one for one in stats(namespace, replace(asked, group_by=key)).groups if verdicts_in(one.by_label)
        ]
        rows = [_group_row(one) for one in groups[:MOST_ROWS]]
        found.append(GroupTable(key, title, head, note, rows, len(groups) - len(rows)))
    return found


def _group_row(one: Counted) -> GroupRow:
    rates = rates_of(one.by_label)
    return GroupRow(
        one.name,
        verdicts_in(one.by_label),
        [rates[name] for name in METRICS],
        approved_in(one.by_label),
        rejected_in(one.by_label),
    )
