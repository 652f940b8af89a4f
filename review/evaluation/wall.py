"""The images behind a figure: what was asked for, in words, and their boxes as pages draw them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import QuerySet

from mixcv.kernel.errors import NotFound
from mixcv.tenancy.addresses import address
from review.datasets.models import DatasetItem
from review.evaluation.charts import confidence_text
from review.evaluation.models import EvaluatedVersion, Evaluation
from review.evaluation.queries import Cell, ClassErrors, CurvePoint, ShownBox, ShownImage, Where, images

NONE = "none"
# What a set's files are told apart by: eight or more hexadecimal digits at the end of the name.
_HASH = re.compile(r"[-_.](?=[a-f]*\d)[0-9a-f]{8,64}(?=\.\w+$|$)")


@dataclass(frozen=True)
class Pair:
    """The two versions that a page holds against each other, or one alone."""

    row: Evaluation
    new: EvaluatedVersion
    old: EvaluatedVersion | None

    @property
    def one_extractor(self) -> bool:
        return len({one.extractor_version.extractor_id for one in self.row.versions.all()}) == 1

    def short(self, one: EvaluatedVersion) -> str:
        """2.0.0, or with the extractor's name where there are several."""
        return one.extractor_version.version if self.one_extractor else str(one.extractor_version)

    def name(self, one: EvaluatedVersion) -> str:
        return f"Version {self.short(one)}" if self.one_extractor else self.short(one)

    @property
    def query(self) -> str:
        pair = {"old": self.old.extractor_version.public_id} if self.old else {}
        return urlencode({**pair, "new": self.new.extractor_version.public_id})

    @property
    def images_at(self) -> str:
        """The address of the images, to go on with `&`."""
        return f"{address(self.row.namespace, 'compare-images', self.row.public_id)}?{self.query}"

    def cell_at(self, side: EvaluatedVersion, truth: int | None, found: int | None) -> str:
        version = side.extractor_version.public_id
        return f"{self.images_at}&version={version}&truth={truth or NONE}&found={found or NONE}"

    def class_at(self, class_id: int) -> str:
        return f"{self.images_at}&class={class_id}"

    def point_at(self, side: EvaluatedVersion, class_id: int | None, threshold: float) -> str:
        version = side.extractor_version.public_id
        return f"{self.images_at}&version={version}&class={class_id or 'all'}&threshold={threshold!r}"


def pair_of(row: Evaluation, old: str = "", new: str = "") -> Pair:
    """The versions named by id or number; else the newest, against the first in the list of those before it.

    What is in production has no say: after a promotion the page shows the same two the same way round.
    """
    sides = list(row.versions.all())

    def named(ref: str) -> EvaluatedVersion | None:
        found = (s for s in sides if ref in (s.extractor_version.public_id, s.extractor_version.version))
        return next(found, None)

    def age(side: EvaluatedVersion) -> tuple[datetime, int]:
        return side.extractor_version.created_at, side.position

    chosen_new, chosen_old = named(new), named(old)
    if chosen_new is None:
        others = [one for one in sides if one != chosen_old]
        chosen_new = max(others or sides, key=age)
    if chosen_old is None or chosen_old == chosen_new:
        others = [one for one in sides if one != chosen_new]
        before = [one for one in others if age(one) < age(chosen_new)]
        chosen_old = next(iter(before or others), None)
    return Pair(row, chosen_new, chosen_old)


@dataclass(frozen=True)
class Asked:
    """Which images, in words, and the query that asks for them again."""

    where: Where | None
    of_old: bool
    words: str
    query: str


def asked_of(pair: Pair, data: Mapping[str, str]) -> Asked:
    """From an address's query. Raises NotFound for what the evaluation does not know."""
    side = pair.new
    if pair.old and data.get("version") in (
        pair.old.extractor_version.public_id,
        pair.old.extractor_version.version,
    ):
        side = pair.old
    names = {str(one["class_id"]): one["name"] for one in pair.row.classes}
    where, words = _where(pair, side, names, data)
    kept = {
        name: data[name]
        for name in ("version", "truth", "found", "class", "threshold", "what")
        if data.get(name)
    }
    query = "&".join(part for part in (pair.query, urlencode(kept)) if part)
    return Asked(where, side == pair.old, words, query)


def _where(
    pair: Pair, side: EvaluatedVersion, names: Mapping[str, str], data: Mapping[str, str]
) -> tuple[Where | None, str]:
    who = pair.name(side)
    if data.get("truth") or data.get("found"):
        truth, found = _class(names, data.get("truth", NONE)), _class(names, data.get("found", NONE))
        return Cell(truth, found), _cell_words(who, *(names.get(str(key), "") for key in (truth, found)))
    if not data.get("class"):
        words = "The number of errors changed" if pair.old else f"{who} errs"
        return None, words
    class_id = None if data["class"] == "all" else _class(names, data["class"])
    name = names.get(str(class_id), "")
    if data.get("threshold"):
        what = data.get("what", "all")
        words = {"misses": "misses", "false_alarms": "falsely finds"}.get(what, "misses or falsely finds")
        at = _threshold(data["threshold"])
        return CurvePoint(
            class_id, at, what
        ), f"{who} {words} {name or 'objects'} from confidence {confidence_text(at)} on"
    if class_id is None:
        raise NotFound("There is no such class in this evaluation.", field="class")
    return ClassErrors(class_id), f"{who} misses {name}, takes it for another or falsely finds it"


def _class(names: Mapping[str, str], text: str) -> int | None:
    if text == NONE:
        return None
    if text not in names:
        raise NotFound(f"There is no class {text[:40]!r} in this evaluation.", field="class")
    return int(text)


def _threshold(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise NotFound(f"{text[:40]!r} is no confidence of 0 to 1.", field="threshold")
    return value


def _cell_words(who: str, truth: str, found: str) -> str:
    if not truth:
        return f"{who} finds {found} where none is" if found else f"{who} finds nothing where nothing is"
    if not found:
        return f"{who} misses {truth}"
    if truth == found:
        return f"{who} finds {truth}"
    return f"{who} takes {truth} for {found}"


def images_of(pair: Pair, asked: Asked) -> QuerySet[DatasetItem]:
    """The images asked for, the most changed first; without a figure those on which something changed."""
    rows = images(pair.new, pair.old, asked.where, of_old=asked.of_old)
    return rows.exclude(change=0) if asked.where is None else rows


@dataclass(frozen=True)
class Drawn:
    """A box to draw: top left form, pixels. `kind`: truth, old or new; `fine`: nothing is wrong with it."""

    kind: str
    x: float
    y: float
    w: float
    h: float
    fine: bool
    name: str
    confidence: float | None
    state: str


@dataclass(frozen=True)
class Shot:
    """A picture with truth and both versions' boxes over one another; `tone`: up or down where errors changed."""

    item: DatasetItem
    words: str
    tone: str
    boxes: list[Drawn]
    href: str = ""
    failed: str = ""

    @property
    def name(self) -> str:
        """The file's name without a hash at its end; all of it where nothing else is left."""
        return _HASH.sub("", self.item.file_name) or self.item.file_name

    @property
    def label(self) -> str:
        return f"{self.item.file_name}: {self.words}"

    @property
    def listed(self) -> list[Drawn]:
        """What is wrong first."""
        return sorted(self.boxes, key=lambda one: one.fine)

    def of(self, kind: str) -> list[Drawn]:
        return [one for one in self.boxes if one.kind == kind]

    @property
    def truth(self) -> list[Drawn]:
        return self.of("truth")

    @property
    def old(self) -> list[Drawn]:
        return self.of("old")

    @property
    def new(self) -> list[Drawn]:
        return self.of("new")


def shots_of(shown: Sequence[ShownImage], hrefs: Iterable[str]) -> list[Shot]:
    return [_shot(one, href) for one, href in zip(shown, hrefs, strict=True)]


_STATES = {"found": "found", "wrong": "wrong class", "false": "false alarm", "missed": "missed"}


def _shot(one: ShownImage, href: str) -> Shot:
    sides = [("truth", one.truth), ("old", one.old.boxes if one.old else []), ("new", one.new.boxes)]
    tone = "" if one.old is None or not one.change else "up" if one.change < 0 else "down"
    failed = one.new.error or (one.old.error if one.old else "")
    return Shot(
        item=one.item,
        words=", ".join(one.words),
        tone=tone,
        boxes=[_drawn(kind, box) for kind, boxes in sides for box in boxes],
        href=href,
        failed=failed,
    )


def _drawn(kind: str, box: ShownBox) -> Drawn:
    return Drawn(
        kind=kind,
        x=round(box.cx - box.w / 2, 1),
        y=round(box.cy - box.h / 2, 1),
        w=round(box.w, 1),
        h=round(box.h, 1),
        fine=box.state == "found",
        name=box.name or "a class that is gone",
        confidence=box.confidence,
        state=_STATES[box.state],
    )
