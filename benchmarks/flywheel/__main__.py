"""`make flywheel`: rounds on the demo's digits, or on `--dataset FOLDER`, in an installation of its own."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.flywheel import report
from benchmarks.flywheel.arm import ALL, OURS, RANDOM, Arm, Settings
from benchmarks.flywheel.place import ROOT, Installation, NoInstallation, ended_like_ctrl_c, installation
from benchmarks.flywheel.report import Results
from benchmarks.flywheel.truths import Task, digits, folder_of
from extraction.packages.builtin import SHIPPED_WEIGHTS
from mixcv.client import ApiError
from mixcv.kernel.errors import DomainError

# Chosen on other scenes and other seeds, by the figures of validation alone; see docs/flywheel.md.
DIGITS = {"decisions": 300, "epochs": 40, "imgsz": 256, "pool": 150, "holdout": 72}
FOLDER = {"decisions": 600, "epochs": 10, "imgsz": 320, "pool": 0, "holdout": 0}
THRESHOLD = 0.25
EXTRACTOR = "detector"


def read_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make flywheel", description=__doc__)
    parser.add_argument(
        "--dataset", type=Path, help="a folder of YOLO, COCO or VOC truth; else the demo's scenes"
    )
    parser.add_argument(
        "--weights", type=Path, help="of version 1; else the demo's digits, which know 0 to 6"
    )
    parser.add_argument("--rounds", type=_number, default=3)
    parser.add_argument("--seeds", type=_number, default=2)
    parser.add_argument("--decisions", type=_number, help="per round")
    parser.add_argument("--epochs", type=_number, help="of each training")
    parser.add_argument("--imgsz", type=_number, help="pixels of the longer side, of training and detection")
    parser.add_argument("--batch", type=_number, default=8)
    parser.add_argument("--augmentation", default="light")
    parser.add_argument("--pool", type=_number, help="images to choose from; of a folder: all")
    parser.add_argument("--holdout", type=_number, help="images to measure on; of a folder: all")
    parser.add_argument("--orders", default=f"{OURS},{RANDOM},{ALL}", help="which arms, separated by commas")
    parser.add_argument("--draw", type=int, default=0, help="other scenes of digits, to choose settings on")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "flywheel", help="for figures and plot")
    chosen = parser.parse_args(argv)
    for name, value in (FOLDER if chosen.dataset else DIGITS).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    chosen.weights = chosen.weights or SHIPPED_WEIGHTS / "digits.pt"
    for path in (chosen.weights, chosen.dataset):
        if path is not None and not path.exists():
            parser.error(f"there is no {path}")
    return chosen


def _number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more.")
    return value


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def run(chosen: argparse.Namespace, folder: Path) -> Results:
    """All arms and seeds, one after the other: two at once would share the cores."""
    if chosen.dataset:
        task = folder_of(chosen.dataset, pool=chosen.pool, holdout=chosen.holdout)
    else:
        task = digits(folder / "scenes", pool=chosen.pool, holdout=chosen.holdout, draw=chosen.draw)
    settings = Settings(
        chosen.rounds, chosen.decisions, chosen.epochs, chosen.imgsz, chosen.batch, chosen.augmentation
    )
    say(f"{task.name}: {len(task.pool)} images to review, {len(task.holdout)} to measure on, {_of(task)}")
    say(report.settings_line(asdict(settings)))
    results = Results(task.name)
    with installation(folder) as place:
        say(f"serving at {place.url}")
        for seed in range(1, chosen.seeds + 1):
            for order in chosen.orders.split(","):
                _arm(place, task, order, seed, settings, chosen, folder, results)
    return results


def _of(task: Task) -> str:
    boxes = sum(len(one.things) for one in (*task.pool, *task.holdout))
    return f"{boxes:,} objects of {len(task.classes)} classes"


def _arm(
    place: Installation,
    task: Task,
    order: str,
    seed: int,
    settings: Settings,
    chosen: argparse.Namespace,
    folder: Path,
    results: Results,
) -> None:
    """One namespace's way through all rounds; what is measured is kept round by round."""
    client = place.client(
        namespace=f"{order}-{seed}",
        weights=chosen.weights,
        extractor=EXTRACTOR,
        parameters={"image_size": settings.image_size, "threshold": THRESHOLD},
    )
    with client:
        arm = Arm(
            client,
            task,
            extractor=EXTRACTOR,
            order=order,
            seed=seed,
            settings=settings,
            say=lambda line: say(f"  {order}, seed {seed}: {line}"),
        )
        arm.begin(folder)
        for number in range(1, (1 if order == ALL else settings.rounds) + 1):
            measured = arm.round()
            results.add(order, seed, measured)
            report.keep(results, chosen.out)
            say(report.progress(order, seed, number, measured))


def main() -> int:
    chosen = read_arguments()
    began = time.monotonic()
    try:
        with ended_like_ctrl_c(), tempfile.TemporaryDirectory(prefix="mixcv-flywheel-") as folder:
            results = run(chosen, Path(folder))
    except KeyboardInterrupt:
        say("stopped")
        return 130
    except (ApiError, DomainError, NoInstallation, RuntimeError) as error:
        say(f"It failed: {error}")
        return 1
    say(f"{(time.monotonic() - began) / 60:.1f} min in all\n")
    print(report.table(results), flush=True)
    target = chosen.out / f"{results.dataset}.svg"
    report.plot(results, target)
    print(f"\nThe plot and all figures are in {target} and {target.with_suffix('.json').name}.")
    print(f"\n{report.last_line(results)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
