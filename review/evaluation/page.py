"""What the page of a comparison shows: finding, measures, bars, matrix, curves. Pure functions over stored figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from review.evaluation.charts import (
    Bars,
    Curves,
    Interval,
    Intervals,
    bars_of,
    curves_of,
    direction,
    interval_text,
    intervals_of,
    signed,
)
from review.evaluation.models import EvaluatedVersion
from review.evaluation.wall import Pair

MEASURES = (
    ("map50_95", "mAP50-95"),
    ("map50", "mAP50"),
    ("precision", "Precision"),
    ("recall", "Recall"),
)
_TONES = {"good": "up", "poor": "down", "even": "t2"}
MOST_LOST = 3
MATRICES = ("old", "new", "difference")


@dataclass(frozen=True)
class Measure:
    """A row of the table; `line` is its place in the little chart."""

    title: str
    old: str
    new: str
    difference: str
    interval: str
    tone: str
    line: Interval | None
    note: str = ""


@dataclass(frozen=True)
class Measures:
    rows: list[Measure]
    chart: Intervals


def finding(pair: Pair, results: Mapping[str, Any] | None) -> str:
    """The headline: never more than the intervals say."""
    name = pair.name(pair.new)
    if results is None or pair.old is None:
        return f"{name} alone: nothing to compare it with"
    rows = [results[key] for key, _ in MEASURES if results[key]["difference"] is not None]
    if not rows:
        return "Nothing can be said: the holdout has no true box"
    return _of_measures(pair, pair.old, rows) + _lost(results["classes"])


def _lost(classes: Sequence[Mapping[str, Any]]) -> str:
    """The classes that fell beyond chance, the most fallen first."""
    rows = [one for one in classes if direction(one["low"], one["high"]) == "poor"]
    rows.sort(key=lambda one: one["difference"])
    if not rows:
        return ""
    names, more = [one["name"] for one in rows[:MOST_LOST]], len(rows) - MOST_LOST
    if more > 0:
        said = f"{', '.join(names)} and {more} more"
    else:
        said = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"; class {said} is provenly worse" if len(rows) == 1 else f"; classes {said} are provenly worse"


def _of_measures(pair: Pair, old: EvaluatedVersion, rows: Sequence[Mapping[str, Any]]) -> str:
    name = pair.name(pair.new)
    tones = [direction(one["low"], one["high"]) for one in rows]
    better, worse, all_of = tones.count("good"), tones.count("poor"), len(rows)
    open_ = all_of - better - worse
    if not better and not worse:
        return f"No difference between {pair.short(old)} and {pair.short(pair.new)} is proven"
    rest = f", no proven change in the {'other' if open_ == 1 else f'other {open_}'}" if open_ else ""
    if better and worse:
        return f"{name} is better in {better} and worse in {worse} of {all_of} measures{rest}"
    count, word = (better, "better") if better else (worse, "worse")
    where = f"all {all_of} measures" if count == all_of else f"{count} of {all_of} measures"
    return f"{name} is {word} in {where}{rest}"


def measures_of(pair: Pair, results: Mapping[str, Any] | None) -> Measures:
    if results is None or pair.old is None:
        return _alone(pair.new)
    chart = intervals_of([results[key] for key, _ in MEASURES])
    rows = [
        Measure(
            title=title,
            old=_share(results[key]["old"]),
            new=_share(results[key]["new"]),
            difference="" if results[key]["difference"] is None else signed(results[key]["difference"]),
            interval="" if line is None else interval_text(results[key]["low"], results[key]["high"]),
            tone=_TONES[line.tone] if line else "t2",
            line=line,
        )
        for (key, title), line in zip(MEASURES, chart.lines, strict=True)
    ]
    return Measures([*rows, *_speed(pair)], chart)


def _alone(one: EvaluatedVersion) -> Measures:
    """One version's own figures with the intervals of the figures themselves."""
    metrics = one.metrics
    bounds = metrics["intervals"]
    rows = [
        Measure(
            title,
            "",
            _share(metrics[key]),
            "",
            f"{bounds[key][0]:.3f} to {bounds[key][1]:.3f}" if bounds[key] else "",
            "t2",
            None,
        )
        for key, title in MEASURES
    ]
    if one.milliseconds is not None:
        rows.append(Measure("Speed", "", f"{one.milliseconds:.1f} ms", "", "", "t2", None, "per image"))
    return Measures(rows, intervals_of([]))


def _speed(pair: Pair) -> list[Measure]:
    old, new = pair.old.milliseconds if pair.old else None, pair.new.milliseconds
    if old is None or new is None:
        return []
    note = "per image, no interval"
    return [
        Measure("Speed", f"{old:.1f} ms", f"{new:.1f} ms", f"{signed(new - old, 1)} ms", "", "t2", None, note)
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@dataclass(frozen=True)
class ByClass:
    """`without`: names of classes that have no true box, so that nothing is measured of them."""

    bars: Bars
    without: list[str]


def by_class(pair: Pair, results: Mapping[str, Any] | None) -> ByClass:
    """The most gained first; of one version alone the best first."""
    if results is not None and pair.old is not None:
        rows = sorted(results["classes"], key=lambda one: -(one["difference"] or 0))
        bars = bars_of(rows, pair.class_at, paired=True)
    else:
        rows = [_own(one) for one in pair.new.metrics["classes"]]
        rows.sort(key=lambda one: -(one["new"] or 0))
        bars = bars_of(rows, pair.class_at, paired=False)
    return ByClass(bars, [one["name"] for one in rows if not one["boxes"]])


def _own(one: Mapping[str, Any]) -> dict[str, Any]:
    low, high = one["interval"] or (None, None)
    kept = {name: one[name] for name in ("class_id", "name", "boxes")}
    return {**kept, "old": None, "new": one["ap50_95"], "difference": None, "low": low, "high": high}


@dataclass(frozen=True)
class MatrixCell:
    """`heat` 0 to 4; `kind`: "d" on the diagonal, "g" for a difference, else an error."""

    text: str
    href: str
    heat: int
    kind: str
    title: str


@dataclass(frozen=True)
class MatrixRow:
    name: str
    cells: list[MatrixCell | None]


@dataclass(frozen=True)
class Matrix:
    """`names`: of the columns; the last is none. `left_out`: classes that have neither truth nor boxes."""

    which: str
    names: list[str]
    rows: list[MatrixRow]
    left_out: list[str]

    @property
    def wide(self) -> bool:
        return len(self.names) > 9

    @property
    def large(self) -> bool:
        """It needs a wide panel."""
        return len(self.names) > 12


def matrix_of(pair: Pair, which: str) -> Matrix:
    """`which`: old, new, or what changed between them."""
    new = pair.new.metrics["matrix"]
    old = pair.old.metrics["matrix"] if pair.old else None
    which = which if which in MATRICES and old else "new"
    keys = new["class_ids"]
    names = {one["class_id"]: one["name"] for one in pair.row.classes} | {None: "none"}
    drawn = [new["rows"], *([old["rows"]] if old else [])]
    shown = [
        place
        for place, key in enumerate(keys)
        if key is None or any(any(rows[place]) or any(row[place] for row in rows) for rows in drawn)
    ]
    values = old["rows"] if which == "old" and old else new["rows"]
    if which == "difference" and old:
        values = [
            [after - before for before, after in zip(*two, strict=True)]
            for two in zip(old["rows"], values, strict=True)
        ]
    side = pair.old if which == "old" and pair.old else pair.new
    heat = _Heat.of(values, which == "difference")
    rows = [
        MatrixRow(
            names.get(keys[truth], "?"),
            [_cell(pair, side, heat, values, truth, found, keys, names) for found in shown],
        )
        for truth in shown
    ]
    left_out = [names.get(key, "?") for place, key in enumerate(keys) if place not in set(shown)]
    return Matrix(which, [names.get(keys[place], "?") for place in shown], rows, left_out)


@dataclass(frozen=True)
class _Heat:
    """How deep a cell is coloured: hits by their share of the truth, errors by the largest error."""

    rows: list[int]
    largest: int
    difference: bool

    @classmethod
    def of(cls, values: Sequence[Sequence[int]], difference: bool) -> _Heat:
        wrong = [
            abs(value) for t, row in enumerate(values) for f, value in enumerate(row) if difference or t != f
        ]
        return cls([sum(row) for row in values], max(wrong, default=0), difference)

    def level(self, truth: int, found: int, value: int) -> int:
        if self.difference or truth != found:
            share = abs(value) / self.largest if self.largest else 0.0
            return (
                4
                if share >= 0.6
                else 3
                if share >= 0.35
                else 2
                if share >= 0.15
                else 1
                if share >= 0.05
                else 0
            )
        share = value / self.rows[truth] if self.rows[truth] else 0.0
        return 4 if share >= 0.8 else 3 if share >= 0.6 else 2 if share >= 0.4 else 1


def _cell(
    pair: Pair,
    side: EvaluatedVersion,
    heat: _Heat,
    values: Sequence[Sequence[int]],
    truth: int,
    found: int,
    keys: Sequence[int | None],
    names: Mapping[int | None, str],
) -> MatrixCell | None:
    value = values[truth][found]
    if not value:
        return None
    kind = "g" if heat.difference else "d" if truth == found else ""
    called = f"{names.get(keys[truth], '?')} found as {names.get(keys[found], '?')}"
    if keys[truth] is None:
        called = f"{names.get(keys[found], '?')} where none is"
    elif keys[found] is None:
        called = f"{names.get(keys[truth], '?')} missed"
    # Where the new version has none any more, the images are those of the old one.
    shown = side
    if heat.difference and pair.old and not pair.new.metrics["matrix"]["rows"][truth][found]:
        shown = pair.old
    text = signed(value, 0) if heat.difference else f"{value:,}"
    return MatrixCell(
        text,
        pair.cell_at(shown, keys[truth], keys[found]),
        heat.level(truth, found, value),
        kind,
        f"{called}: {text}",
    )


@dataclass(frozen=True)
class CurvePage:
    """`picked`: the class shown, None for all together; `choices`: (class id or None, name)."""

    chart: Curves
    picked: int | None
    name: str
    choices: list[tuple[int | None, str]]


def curve_page(pair: Pair, picked: str) -> CurvePage:
    names = {one["class_id"]: one["name"] for one in pair.row.classes}
    new = {one["class_id"]: one["points"] for one in pair.new.metrics["curves"]}
    old = {one["class_id"]: one["points"] for one in pair.old.metrics["curves"]} if pair.old else {}
    key = next((one for one in new if str(one) == picked), None)

    def at(side: EvaluatedVersion, threshold: float) -> str:
        return pair.point_at(side, key, threshold)

    series = []
    if pair.old:
        before = pair.old
        series.append(("old", pair.short(before), old.get(key, []), lambda value: at(before, value)))
    series.append(("new", pair.short(pair.new), new.get(key, []), lambda value: at(pair.new, value)))
    choices = [(one, names.get(one, "All classes") if one is not None else "All classes") for one in new]
    title = names.get(key, "All classes") if key is not None else "All classes"
    return CurvePage(curves_of(series), key, title, choices)
