"""What the rounds gave: plain lines, a table, a picture, one line of JSON. Pure but for the picture's file."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.flywheel.arm import ALL, OURS, RANDOM, Measured

# Read on white and on near-black alike.
INK, BLUE, ORANGE, GREEN = "#7d8590", "#4c8dd6", "#d9822b", "#4aa564"


@dataclass
class Results:
    """`arms`: by order and seed, the rounds in turn."""

    dataset: str
    arms: dict[tuple[str, int], list[Measured]] = field(default_factory=dict)

    def add(self, order: str, seed: int, measured: Measured) -> None:
        self.arms.setdefault((order, seed), []).append(measured)

    def rounds(self, order: str) -> list[list[Measured]]:
        """By round, the seeds' figures; only rounds that every seed has."""
        return [list(one) for one in zip(*self._of(order), strict=False)]

    def _of(self, order: str) -> list[list[Measured]]:
        return [rows for (one, _), rows in sorted(self.arms.items()) if one == order]

    def mean(self, order: str, number: int, value: Callable[[Measured], float]) -> float:
        return statistics.fmean(value(row) for row in self.rounds(order)[number])


def _map(row: Measured) -> float:
    return row.map50_95


def last_line(results: Results) -> str:
    """Means over the seeds. Decisions and seconds are those of our order, of all rounds up to this one."""
    rounds = [
        {
            "decisions": round(results.mean(OURS, number, lambda row: row.decisions)),
            "seconds": round(results.mean(OURS, number, lambda row: row.seconds)),
            "map50_95": round(results.mean(OURS, number, _map), 4),
            "random_map50_95": round(results.mean(RANDOM, number, _map), 4),
        }
        for number in range(min(len(results.rounds(OURS)), len(results.rounds(RANDOM))))
    ]
    whole = results.rounds(ALL)
    figure = round(results.mean(ALL, 0, _map), 4) if whole else None
    return json.dumps({"dataset": results.dataset, "rounds": rounds, "all_data_map50_95": figure})


def table(results: Results) -> str:
    """Markdown: a row for each round and order, with every seed's figure."""
    lines = [
        "| round | order | decisions | reviewer | images | mAP50-95, mean (seeds) | over version 1 (95 %) |",
        "|---|---|---|---|---|---|---|",
    ]
    first = next((rows[0].first_map50_95 for rows in results.arms.values() if rows), None)
    if first is not None:
        lines.append(f"| 0 | version 1 | 0 | 0 min | 0 | {first:.3f} | |")
    for order in (OURS, RANDOM, ALL):
        for number, rows in enumerate(results.rounds(order), 1):
            lines.append(_line("all" if order == ALL else str(number), order, rows))
    return "\n".join(lines)


def _line(number: str, order: str, rows: Sequence[Measured]) -> str:
    mean = statistics.fmean
    seeds = ", ".join(f"{row.map50_95:.3f}" for row in rows)
    gains = "; ".join(f"{row.gain[0]:+.3f} ({row.gain[1]:+.3f} to {row.gain[2]:+.3f})" for row in rows)
    return (
        f"| {number} | {order} | {mean(row.decisions for row in rows):,.0f} "
        f"| {mean(row.seconds for row in rows) / 60:,.0f} min | {mean(row.images for row in rows):,.0f} "
        f"| {mean(row.map50_95 for row in rows):.3f} ({seeds}) | {gains} |"
    )


def keep(results: Results, folder: Path) -> None:
    """All figures so far, as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    arms = {f"{order} {seed}": [asdict(row) for row in rows] for (order, seed), rows in results.arms.items()}
    text = json.dumps({"dataset": results.dataset, "arms": arms}, indent=1)
    (folder / f"{results.dataset}.json").write_text(f"{text}\n", encoding="utf-8")


def kept(path: Path) -> Results:
    """Figures that `keep` wrote."""
    body = json.loads(path.read_text(encoding="utf-8"))
    found = Results(body["dataset"])
    for name, rows in body["arms"].items():
        order, _, seed = name.rpartition(" ")
        found.arms[order, int(seed)] = [
            Measured(**{**row, "gain": (row["gain"][0], row["gain"][1], row["gain"][2])}) for row in rows
        ]
    return found


def plot(results: Results, target: Path) -> None:
    """mAP50-95 over decisions as SVG without a background; the seeds as dots, their mean as a line."""
    import matplotlib as mpl  # takes a second to load

    mpl.use("Agg")
    from matplotlib import pyplot

    mpl.rcParams.update({"svg.hashsalt": "flywheel", "font.family": "sans-serif", "font.size": 10})
    figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
    first = next((rows[0].first_map50_95 for rows in results.arms.values() if rows), 0.0)
    for order, colour, mark in ((OURS, BLUE, "o"), (RANDOM, ORANGE, "s")):
        rounds = results.rounds(order)
        if not rounds:
            continue
        means = [statistics.fmean(map(_map, rows)) for rows in rounds]
        at = [statistics.fmean(row.decisions for row in rows) for rows in rounds]
        label = "least sure first" if order == OURS else "random order"
        axes.plot([0, *at], [first, *means], color=colour, marker=mark, label=label)
        for rows in rounds:
            axes.scatter(
                [row.decisions for row in rows], list(map(_map, rows)), color=colour, s=14, alpha=0.6
            )
    if whole := results.rounds(ALL):
        level = statistics.fmean(map(_map, whole[0]))
        decisions = statistics.fmean(row.decisions for row in whole[0])
        axes.axhline(level, color=GREEN, linestyle="--", label=f"all images ({decisions:,.0f} decisions)")
    axes.set_xlabel("decisions")
    axes.set_ylabel("mAP50-95 on the holdout")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.03)
    axes.grid(color=INK, alpha=0.25)
    axes.tick_params(colors=INK)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
    for side in axes.spines.values():
        side.set_color(INK)
    axes.legend(frameon=False, labelcolor=INK, loc="lower right")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, transparent=True, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def progress(order: str, seed: int, number: int, measured: Measured) -> str:
    """One round in one line."""
    gain, low, high = measured.gain
    took = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in measured.took.items())
    checked = "" if measured.validation is None else f", {measured.validation:.3f} on validation"
    return (
        f"{order}, seed {seed}, round {number}: {measured.decisions:,} decisions on {measured.images} images, "
        f"{measured.seconds / 60:.0f} min of a reviewer; {measured.version} has mAP50-95 "
        f"{measured.map50_95:.3f}{checked}, {gain:+.3f} ({low:+.3f} to {high:+.3f}) over version 1 ({took})"
    )


def settings_line(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
