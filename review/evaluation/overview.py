"""What the page of versions shows: each extractor's versions with their figures, lineage and production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q

from extraction.packages.models import Extractor, ExtractorVersion, ProductionChange
from extraction.runs.models import Collection, Document
from mixcv.kernel.models import Job
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetItem, DatasetVersion
from review.evaluation.charts import direction, interval_text, signed
from review.evaluation.models import Comparison, EvaluatedVersion, Evaluation
from review.evaluation.queries import OVER
from review.training.models import TrainingRun

SHOWN_CHANGES = 8
MOST_EVALUATIONS = 200
MOST_CHANGES = 400
_GAVE_UP = {Job.State.FAILED, Job.State.CANCELED}


@dataclass(frozen=True)
class Change:
    """Against the version in production; `tone` up or down only where the interval leaves out zero."""

    text: str
    interval: str
    tone: str


@dataclass(frozen=True)
class VersionRow:
    """`href`: the comparison with the version in production, or the version's own figures; empty without any."""

    version: ExtractorVersion
    serves: bool
    since: Any
    map: float | None
    interval: str
    change: Change | None
    href: str
    run: TrainingRun | None
    collections: int

    @property
    def device(self) -> str:
        return str(self.version.runtime.get("device", ""))


@dataclass
class ExtractorCard:
    """`measured_on`: the dataset version whose holdout the figures are of."""

    extractor: Extractor
    rows: list[VersionRow] = field(default_factory=list)
    measured_on: str = ""
    history: list[ProductionChange] = field(default_factory=list)
    more_changes: int = 0

    @property
    def can_roll_back(self) -> bool:
        return len({one.version_id for one in self.history if one.version_id}) > 1


def cards_of(namespace: Namespace) -> list[ExtractorCard]:
    """One per extractor that has versions, by name, in a fixed number of queries."""
    versions = list(
        ExtractorVersion.objects.filter(extractor__namespace=namespace)
        .select_related("extractor")
        .annotate(collection_count=Count("collections"))
        .order_by("extractor__name", "-created_at", "-pk")
    )
    figures = _figures(namespace)
    comparisons = _comparisons([one["evaluation_id"] for one in figures])
    runs = _runs(versions)
    changes = _changes(namespace)
    cards: dict[int, ExtractorCard] = {}
    for version in versions:
        cards.setdefault(version.extractor_id, ExtractorCard(version.extractor))
    for key, card in cards.items():
        card.history = changes.get(key, [])[:SHOWN_CHANGES]
        card.more_changes = len(changes.get(key, [])) - len(card.history)
        mine = [one for one in versions if one.extractor_id == key]
        _fill(namespace, card, mine, figures, comparisons, runs)
    return list(cards.values())


def _fill(
    namespace: Namespace,
    card: ExtractorCard,
    versions: Sequence[ExtractorVersion],
    figures: Sequence[Mapping[str, Any]],
    comparisons: Mapping[tuple[int, int | None, int], Mapping[str, Any]],
    runs: Mapping[int, TrainingRun],
) -> None:
    keys = {one.pk for one in versions}
    ids: dict[int | None, str] = {one.pk: one.public_id for one in versions}
    serving = card.extractor.production_id
    mine = [one for one in figures if one["extractor_version_id"] in keys]
    newest = next((one for one in mine if one["extractor_version_id"] == serving), mine[0] if mine else None)
    held = newest["evaluation__dataset_version_id"] if newest else None
    if newest:
        name, number = "evaluation__dataset_version__dataset__name", "evaluation__dataset_version__number"
        card.measured_on = f"{newest[name]} {newest[number]}"
    since = {change.version_id: change.changed_at for change in reversed(card.history)}
    for version in versions:
        on_it = [
            one
            for one in mine
            if one["extractor_version_id"] == version.pk and one["evaluation__dataset_version_id"] == held
        ]
        pairs = [one for one in on_it if (one["evaluation_id"], serving, version.pk) in comparisons]
        # Beside the version in production where it ever was, so that figure and change are of the same run.
        figure = next(iter(pairs or on_it), None)
        change = comparisons[figure["evaluation_id"], serving, version.pk] if pairs and figure else None
        low, high = (figure and figure["metrics__intervals__map50_95"]) or (None, None)
        card.rows.append(
            VersionRow(
                version=version,
                serves=version.pk == serving,
                since=since.get(version.pk) if version.pk == serving else None,
                map=figure["metrics__map50_95"] if figure else None,
                interval="" if low is None else f"95% interval {low:.3f} to {high:.3f}",
                change=_change(change) if change else None,
                href=_href(namespace, figure, version, ids.get(serving, "") if pairs else "")
                if figure
                else "",
                run=runs.get(version.pk),
                collections=version.collection_count,  # type: ignore[attr-defined]
            )
        )


def _href(namespace: Namespace, figure: Mapping[str, Any], version: ExtractorVersion, old: str = "") -> str:
    at = address(namespace, "compare", figure["evaluation__public_id"])
    return f"{at}?{urlencode({**({'old': old} if old else {}), 'new': version.public_id})}"


def _change(one: Mapping[str, Any]) -> Change | None:
    if one["difference"] is None or one["low"] is None:
        return None
    tone = {"good": "up", "poor": "down"}.get(direction(one["low"], one["high"]), "t2")
    return Change(signed(one["difference"]), interval_text(one["low"], one["high"]), tone)


def _figures(namespace: Namespace) -> list[Any]:
    """mAP50-95 of every version in the newest finished evaluations, newest first."""
    newest = Evaluation.objects.filter(namespace=namespace, job__state__in=OVER).order_by(
        "-created_at", "-pk"
    )
    rows = EvaluatedVersion.objects.filter(
        evaluation__in=list(newest.values_list("pk", flat=True)[:MOST_EVALUATIONS])
    )
    return list(
        rows.order_by("-evaluation__created_at", "-evaluation_id", "position").values(
            "extractor_version_id",
            "evaluation_id",
            "evaluation__public_id",
            "evaluation__dataset_version_id",
            "evaluation__dataset_version__number",
            "evaluation__dataset_version__dataset__name",
            "metrics__map50_95",
            "metrics__intervals__map50_95",
        )
    )


def _comparisons(evaluations: Sequence[int]) -> dict[tuple[int, int | None, int], dict[str, Any]]:
    """By evaluation, old and new version; both ways round."""
    found: dict[tuple[int, int | None, int], dict[str, Any]] = {}
    rows = Comparison.objects.filter(evaluation__in=set(evaluations)).values_list(
        "evaluation_id", "old__extractor_version_id", "new__extractor_version_id", "results__map50_95"
    )
    for evaluation, old, new, one in rows:
        found[evaluation, old, new] = one
        turned = {name: None if one[name] is None else -one[name] for name in ("difference", "low", "high")}
        found[evaluation, new, old] = {**turned, "low": turned["high"], "high": turned["low"]}
    return found


def _runs(versions: Sequence[ExtractorVersion]) -> dict[int, TrainingRun]:
    rows = (
        TrainingRun.objects.filter(produced_version__in=versions)
        .select_related("dataset_version__dataset", "base_version__extractor", "job")
        .order_by("created_at")
    )
    return {row.produced_version_id: row for row in rows if row.produced_version_id}


def _changes(namespace: Namespace) -> dict[int, list[ProductionChange]]:
    rows = (
        ProductionChange.objects.filter(extractor__namespace=namespace)
        .select_related("version")
        .order_by("-changed_at", "-pk")[:MOST_CHANGES]
    )
    found: dict[int, list[ProductionChange]] = {}
    for row in rows:
        found.setdefault(row.extractor_id, []).append(row)
    return found


def measurable(namespace: Namespace) -> list[DatasetVersion]:
    """Dataset versions whose holdout can be measured on, newest first, with `held` images of it."""
    held = DatasetItem.objects.filter(dataset_version=OuterRef("pk"), holdout=True)
    return list(
        DatasetVersion.objects.filter(dataset__namespace=namespace)
        .filter(Exists(held))
        .select_related("dataset__extractor")
        .annotate(held=Count("items", filter=Q(items__holdout=True)))
        .order_by("-created_at", "-pk")[:100]
    )


def ready_versions(namespace: Namespace) -> list[ExtractorVersion]:
    """Versions that can be measured, by extractor, newest first."""
    return list(
        ExtractorVersion.objects.filter(extractor__namespace=namespace, state=ExtractorVersion.State.READY)
        .select_related("extractor")
        .order_by("extractor__name", "-created_at", "-pk")[:100]
    )


def worth_measuring(
    versions: Sequence[ExtractorVersion], serving: ExtractorVersion | None, held: DatasetVersion
) -> list[ExtractorVersion]:
    """Of these those whose training did not fail and which were nowhere measured below the version that they were
    trained from; those not yet measured beside the one in production on this holdout first."""
    runs = _runs(versions)
    gains: dict[tuple[int, int], float] = {}
    beside: set[int] = set()
    rows = Comparison.objects.filter(
        Q(old__extractor_version__in=versions) | Q(new__extractor_version__in=versions),
        evaluation__job__state__in=OVER,
    ).order_by("pk")
    sides = ("old__extractor_version_id", "new__extractor_version_id")
    facts = rows.values_list(*sides, "results__map50_95__difference", "evaluation__dataset_version_id")
    for old, new, gain, on in facts:
        if serving is not None and serving.pk in (old, new) and on == held.pk:
            beside |= {old, new}
        gains[old, new], gains[new, old] = gain or 0.0, -(gain or 0.0)

    def worth(version: ExtractorVersion) -> bool:
        run = runs.get(version.pk)
        if run is None:
            return True
        if run.job.state in _GAVE_UP or run.worse_than_base:
            return False
        return gains.get((run.base_version_id, version.pk), 0.0) >= 0

    return sorted(filter(worth, versions), key=lambda version: version.pk in beside)


def holdout_collection(namespace: Namespace, extractor: Extractor | None = None) -> Collection | None:
    """Where the holdout can be completed: a collection with held-out images, of the version in production rather."""
    held = Document.objects.filter(collection=OuterRef("pk"), image__split="holdout")
    rows = Collection.objects.filter(namespace=namespace).filter(Exists(held)).order_by("-pk")
    if extractor is not None:
        rows = rows.filter(extractor_version__extractor=extractor)
        serving = rows.filter(extractor_version=extractor.production_id).first()
        return serving or rows.first()
    return rows.first()
