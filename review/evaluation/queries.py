"""Reads of evaluations: lists, one, two versions against each other, and the images behind every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, FilteredRelation, FloatField, Prefetch, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Abs, Cast

from extraction.packages.models import ExtractorVersion
from mixcv.kernel.errors import NotFound
from mixcv.kernel.models import Job
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetBox, DatasetItem
from review.evaluation.models import Comparison, EvaluatedVersion, Evaluation, ImagePrediction
from review.evaluation.naming import Naming

OVER = [Job.State.COMPLETED, Job.State.COMPLETED_WITH_ERRORS]


FIGURES = ("map50_95", "map50", "precision", "recall")


def evaluations_of(namespace: Namespace) -> QuerySet[Evaluation]:
    """All evaluations, newest first, with what lists show of them in a fixed number of queries.

    Of the versions' metrics, which have hundreds of kB each, only `FIGURES` are read, as `figure_map50_95` and so on.
    """
    figures = {f"figure_{name}": F(f"metrics__{name}") for name in FIGURES}
    return _rows(namespace, EvaluatedVersion.objects.defer("metrics").annotate(**figures))


def _rows(namespace: Namespace, versions: QuerySet[EvaluatedVersion]) -> QuerySet[Evaluation]:
    versions = versions.select_related("extractor_version__extractor").order_by("position")
    return (
        Evaluation.objects.filter(namespace=namespace)
        .select_related("extractor", "dataset_version__dataset", "job")
        .prefetch_related(Prefetch("versions", queryset=versions))
        .order_by("-created_at", "-pk")
    )


def get_evaluation(namespace: Namespace, ref: str) -> Evaluation:
    """By id, with all metrics of its versions. Raises NotFound."""
    rows = _rows(namespace, EvaluatedVersion.objects.all())
    row = rows.filter(public_id=ref.replace("\x00", "?")).first()
    if row is None:
        raise NotFound(f"There is no evaluation {ref[:100]!r} here.", field="evaluation_id")
    return row


def newest_of(version: ExtractorVersion, *, beside: ExtractorVersion | None = None) -> Evaluation | None:
    """The newest finished evaluation of a version (and of another one beside it on the same holdout)."""
    rows = Evaluation.objects.filter(job__state__in=OVER, versions__extractor_version=version)
    if beside is not None:
        rows = rows.filter(versions__extractor_version=beside)
    return rows.select_related("dataset_version__dataset", "job").order_by("-created_at", "-pk").first()


def newest_figures(versions: Sequence[ExtractorVersion]) -> dict[int, EvaluatedVersion]:
    """Each version's newest finished result by the version's key, with its evaluation and data set; one query."""
    rows = (
        EvaluatedVersion.objects.filter(extractor_version__in=versions, evaluation__job__state__in=OVER)
        .select_related("evaluation__dataset_version__dataset", "extractor_version__extractor")
        .order_by("extractor_version", "-evaluation__created_at", "-evaluation_id")
        .distinct("extractor_version")
    )
    return {row.extractor_version_id: row for row in rows}


def comparison_of(old: EvaluatedVersion, new: EvaluatedVersion) -> dict[str, Any] | None:
    """`Comparison.results` of two versions of one evaluation, in either order; None before it is measured."""
    row = Comparison.objects.filter(Q(old=old, new=new) | Q(old=new, new=old)).first()
    if row is None:
        return None
    results: dict[str, Any] = row.results
    return results if row.old_id == old.pk else turned(results)


def turned(results: dict[str, Any]) -> dict[str, Any]:
    """The same comparison with old and new exchanged."""
    images = results["images"]
    return {
        **results,
        **{name: _turned(results[name]) for name in ("map50_95", "map50", "precision", "recall")},
        "classes": [_turned(one) for one in results["classes"]],
        "images": {**images, "better": images["worse"], "worse": images["better"]},
    }


def _turned(one: dict[str, Any]) -> dict[str, Any]:
    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return {
        **one,
        "old": one["new"],
        "new": one["old"],
        "difference": minus(one["difference"]),
        "low": minus(one["high"]),
        "high": minus(one["low"]),
    }


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix: the truth's class and the one found, None for none."""

    truth: int | None
    found: int | None


@dataclass(frozen=True)
class ClassErrors:
    """All errors that have to do with a class: missed, false, taken for another or another for it."""

    class_id: int


@dataclass(frozen=True)
class CurvePoint:
    """Errors at another threshold, of a class or (None) of all, matched within classes. `what` narrows it to
    "misses" or "false_alarms"."""

    class_id: int | None
    threshold: float
    what: str = "all"


Where = Cell | ClassErrors | CurvePoint


def images(
    new: EvaluatedVersion,
    old: EvaluatedVersion | None = None,
    where: Where | None = None,
    *,
    of_old: bool = False,
) -> QuerySet[Any]:
    """Holdout images behind a figure of the new version (`of_old`: of the old one), the most changed first.

    Rows have `new_errors`, `old_errors` and `change` (new less old; without `old` the new one's errors). All in one
    query; `show` turns a page of it into what is drawn.
    """
    held = DatasetItem.objects.filter(dataset_version=new.evaluation.dataset_version_id, holdout=True)
    rows: QuerySet[Any] = held.annotate(
        new=FilteredRelation("predictions", condition=Q(predictions__evaluated=new))
    ).filter(new__pk__isnull=False)
    rows = rows.annotate(new_errors=F("new__errors"))
    if old is not None:
        rows = rows.annotate(old=FilteredRelation("predictions", condition=Q(predictions__evaluated=old)))
        rows = rows.annotate(old_errors=F("old__errors"), change=F("new__errors") - F("old__errors"))
    else:
        rows = rows.annotate(change=F("new__errors"))
    if where is not None:
        rows = _narrowed(rows, where, "old" if of_old and old is not None else "new", new.evaluation)
    return rows.order_by(Abs("change").desc(), F("new_errors").desc(), "pk")


def _narrowed(rows: QuerySet[DatasetItem], where: Where, side: str, row: Evaluation) -> QuerySet[DatasetItem]:
    if isinstance(where, Cell):
        return rows.filter(**{f"{side}__cells__contains": [cell(where.truth, where.found)]})
    if isinstance(where, ClassErrors):
        others = [one["class_id"] for one in row.classes if one["class_id"] != where.class_id]
        cells = [cell(where.class_id, other) for other in [*others, None]]
        cells += [cell(other, where.class_id) for other in [*others, None]]
        return rows.filter(**{f"{side}__cells__overlap": cells})
    key = "all" if where.class_id is None else str(where.class_id)
    rows = rows.annotate(least=_mark(side, key, 0), most=_mark(side, key, 1))
    missed, false = Q(least__lt=where.threshold), Q(most__gte=where.threshold)
    return rows.filter({"misses": missed, "false_alarms": false}.get(where.what, missed | false))


def _mark(side: str, key: str, place: int) -> Cast:
    return Cast(KeyTextTransform(place, KeyTransform(key, f"{side}__marks")), FloatField())


def cell(truth: int | None, found: int | None) -> str:
    """As `ImagePrediction.cells` names it."""
    return f"{truth or 0}>{found or 0}"


@dataclass(frozen=True)
class ShownBox:
    """A box to draw; centre form, pixels of the upright image. `state`: of a version's box found, wrong or false, of
    a true box found, wrong or missed (by the new version)."""

    class_id: int
    name: str
    colour: int
    cx: float
    cy: float
    w: float
    h: float
    state: str
    confidence: float | None = None


@dataclass(frozen=True)
class Side:
    """What one version makes of an image at its working threshold. `boxes` are those that count."""

    errors: int
    misses: int
    false_alarms: int
    wrong_classes: int
    error: str
    boxes: list[ShownBox]


@dataclass(frozen=True)
class ShownImage:
    """One image with the truth and both versions' boxes. `words`: what changed, such as "1 miss less"."""

    item: DatasetItem
    change: int
    words: list[str]
    truth: list[ShownBox]
    new: Side
    old: Side | None = None


@dataclass
class _Drawing:
    """The classes of an evaluation, to name and colour boxes by."""

    row: Evaluation
    naming: Naming = field(init=False)
    classes: dict[int, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.naming = Naming.of(self.row.settings)
        self.classes = {one["class_id"]: one for one in self.row.classes}

    def box(self, key: int, at: Sequence[float], state: str, confidence: float | None = None) -> ShownBox:
        key = self.naming.key(key)
        known = self.classes.get(key, {"name": "", "colour": 1})
        cx, cy, w, h = at
        return ShownBox(key, known["name"], known["colour"], cx, cy, w, h, state, confidence)

    def side(self, one: ImagePrediction) -> Side:
        state = {box: "found" for _, box in one.outcome["found"]} | {
            box: "wrong" for _, box in one.outcome["wrong"]
        }
        state |= dict.fromkeys(one.outcome["false"], "false")
        boxes = [
            self.box(key, at, state[place], confidence)
            for place, (key, confidence, *at) in enumerate(one.boxes)
            if place in state
        ]
        return Side(one.errors, one.misses, one.false_alarms, one.wrong_classes, one.error, boxes)


def show(
    items: Sequence[DatasetItem], new: EvaluatedVersion, old: EvaluatedVersion | None = None
) -> list[ShownImage]:
    """What is drawn of some images of `images`, in their order: two queries however many they are."""
    drawing = _Drawing(new.evaluation)
    wanted = [one for one in (new, old) if one is not None]
    stored = {
        (row.evaluated_id, row.item_id): row
        for row in ImagePrediction.objects.filter(evaluated__in=wanted, item__in=items)
    }
    truth: dict[int, list[DatasetBox]] = {}
    for box in DatasetBox.objects.filter(item__in=items).order_by("item", "pk"):
        truth.setdefault(box.item_id, []).append(box)
    shown = []
    for item in items:
        mine = stored[new.pk, item.pk]
        before = stored.get((old.pk, item.pk)) if old is not None else None
        state = {one: "found" for one, _ in mine.outcome["found"]}
        state |= {one: "wrong" for one, _ in mine.outcome["wrong"]}
        boxes = [
            drawing.box(box.object_class_id, (box.cx, box.cy, box.w, box.h), state.get(place, "missed"))
            for place, box in enumerate(truth.get(item.pk, []))
        ]
        shown.append(
            ShownImage(
                item=item,
                change=mine.errors - (before.errors if before else 0),
                words=changes_in_words(mine, before),
                truth=boxes,
                new=drawing.side(mine),
                old=drawing.side(before) if before else None,
            )
        )
    return shown


_KINDS = (
    ("misses", "miss", "misses"),
    ("false_alarms", "false alarm", "false alarms"),
    ("wrong_classes", "wrong class", "wrong classes"),
)


def changes_in_words(new: ImagePrediction, old: ImagePrediction | None) -> list[str]:
    """Such as "1 miss less", "2 false alarms more"; without an old one what there is: "1 miss"."""
    words = []
    for name, one, many in _KINDS:
        change = getattr(new, name) - (getattr(old, name) if old else 0)
        if change:
            count = abs(change)
            more = f" {'more' if change > 0 else 'less'}" if old else ""
            words.append(f"{count} {one if count == 1 else many}{more}")
    return words or (["no change"] if old else ["no errors"])
