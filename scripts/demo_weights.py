"""Train the small weights that the demo and the tests use: a digits detector and a crop embedder.

    python scripts/demo_weights.py [--only detector|embedder] [--epochs N] [--out FOLDER]

The detector sees the digits 0 to 6 only, so that the demo has something left to learn. The
embedder sees no labels and no detector. Both use the glyphs of the split `train` alone; what is
measured is measured on `holdout`. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from extraction.demo.scenes import HEIGHT, WIDTH, SceneFile, write_scenes  # noqa: E402
from extraction.packages.host.environment import write_ultralytics_config  # noqa: E402

OUT = ROOT / "extraction" / "packages" / "builtin" / "weights"
SEED = 2026
KNOWN = range(7)
IMAGE_SIZE = 256
TRAIN_SCENES = 480
HOLDOUT_SCENES = 120
WIDTH_FACTOR = 0.125
REPORT = "measured.json"
README = """# Weights that ship with mixcv

Made by `make demo-weights` (`python scripts/demo_weights.py`) with seed {seed}, on two CPU cores;
licence AGPL-3.0.

- `digits.pt`: YOLOv8 at {factor} of its width, {size} px, classes 0 to 6. Trained on scenes of the glyph
  split `train` and measured on scenes of the split `holdout`, of the same seven digits. It has never seen
  a 7, 8 or 9. Its class branch is 32 channels wide, so that a fine-tune to ten classes widens the last
  convolution only. Half precision, no optimizer.
- `embedder.safetensors`: the `offline` crop embedder, 64 px crops to 512 dimensions, trained without labels
  and without any detector on glyphs of the split `train` and patches of ultralytics' street photographs.
  Measured by the 5 nearest of the split `train`, asked with the split `holdout`.

The same seed gives the same figures on one machine and version of torch; elsewhere they may differ a little.

| file | what | measured |
|---|---|---|
{rows}
"""


def _write_labels(folder: Path, files: list[SceneFile]) -> None:
    """Write YOLO label files: class, then the box as shares of the image's size."""
    for file in files:
        rows = [
            f"{box.digit} {box.x / WIDTH:.6f} {box.y / HEIGHT:.6f} {box.w / WIDTH:.6f} {box.h / HEIGHT:.6f}"
            for box in file.boxes
        ]
        (folder / f"{file.path.stem}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write_dataset(folder: Path) -> Path:
    """Write training and holdout scenes of the known digits in YOLO layout; give data.yaml."""
    for split, count in (("train", TRAIN_SCENES), ("holdout", HOLDOUT_SCENES)):
        images, labels = folder / "images" / split, folder / "labels" / split
        labels.mkdir(parents=True)
        _write_labels(labels, write_scenes(images, split=split, count=count, seed=SEED, digits=KNOWN))  # type: ignore[arg-type]
    names = "\n".join(f"  {digit}: '{digit}'" for digit in KNOWN)
    data = folder / "data.yaml"
    data.write_text(
        f"path: {folder}\ntrain: images/train\nval: images/holdout\nnames:\n{names}\n", encoding="utf-8"
    )
    return data


def _write_architecture(folder: Path) -> Path:
    """Write YOLOv8 at an eighth of its width; the class branch is 32 wide, wide enough for more classes."""
    import yaml
    from ultralytics.utils import ROOT as YOLO_ROOT

    body = yaml.safe_load((YOLO_ROOT / "cfg/models/v8/yolov8.yaml").read_text(encoding="utf-8"))
    body["scales"] = {"n": [0.33, WIDTH_FACTOR, 1024]}
    body["nc"] = len(KNOWN)
    path = folder / "yolov8n-digits.yaml"
    path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    return path


def _strip(source: Path, target: Path) -> None:
    """Keep the weights alone, in half precision, without the paths of the machine that trained them."""
    import torch

    checkpoint = torch.load(source, map_location="cpu", weights_only=False)
    model = (checkpoint.get("ema") or checkpoint["model"]).float().half()
    model.args = {
        key: getattr(model, "args", {}).get(key)
        for key in ("imgsz", "task")
        if key in getattr(model, "args", {})
    }
    model.yaml["yaml_file"] = "yolov8n-digits.yaml"
    for parameter in model.parameters():
        parameter.requires_grad = False
    kept = {
        "epoch": -1,
        "model": model,
        "train_args": {"task": "detect", "imgsz": IMAGE_SIZE, "seed": SEED},
        "version": checkpoint.get("version"),
        "license": "AGPL-3.0",
    }
    torch.save(kept, target)


def train_detector(out: Path, epochs: int) -> dict[str, Any]:
    """Train, strip and measure the detector of the digits 0 to 6."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ.update(write_ultralytics_config(folder / "config", weights_dir=out))
        data = _write_dataset(folder)
        from ultralytics import YOLO  # after the variables are set

        model = YOLO(str(_write_architecture(folder)), task="detect")
        model.train(
            data=str(data), imgsz=IMAGE_SIZE, epochs=epochs, batch=16, seed=SEED, deterministic=True,
            optimizer="AdamW", lr0=0.004, lrf=0.02, cos_lr=True, warmup_epochs=2.0, weight_decay=0.0005,
            fliplr=0.0, degrees=4.0, scale=0.25, translate=0.08, hsv_h=0.02, hsv_s=0.4, hsv_v=0.3,
            mosaic=0.6, close_mosaic=max(2, epochs // 4), erasing=0.0, auto_augment=None,
            cache="ram", workers=2, device="cpu", val=False, plots=False, amp=False,
            project=str(folder / "runs"), name="digits", exist_ok=True, verbose=False,
        )  # fmt: skip
        _strip(folder / "runs" / "digits" / "weights" / "last.pt", out / "digits.pt")
        measured = YOLO(str(out / "digits.pt")).val(
            data=str(data), imgsz=IMAGE_SIZE, batch=16, device="cpu", plots=False, verbose=False, workers=0,
            project=str(folder / "runs"), name="val",
        )  # fmt: skip
        return {
            "epochs": epochs,
            "scenes": TRAIN_SCENES,
            "holdout scenes": HOLDOUT_SCENES,
            "holdout mAP50": round(float(measured.box.map50), 4),
            "holdout mAP50-95": round(float(measured.box.map), 4),
            "seconds": round(time.monotonic() - began),
            "bytes": (out / "digits.pt").stat().st_size,
        }


def _write_readme(folder: Path, report: dict[str, Any]) -> None:
    """Write beside the weights what they are and what they measure."""
    rows = [
        f"| `{name}` | {key} | {value} |"
        for name, part in sorted(report.items())
        for key, value in part.items()
    ]
    text = README.format(seed=SEED, factor=WIDTH_FACTOR, size=IMAGE_SIZE, rows="\n".join(rows))
    (folder / "README.md").write_text(text, encoding="utf-8")


def main() -> None:
    """Train what is asked for and write the figures beside the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("detector", "embedder"))
    parser.add_argument("--epochs", type=int, default=45, help="of the detector")
    parser.add_argument("--steps", type=int, default=600, help="of the embedder")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    report_file = chosen.out / REPORT
    measured: dict[str, Any] = {}
    if chosen.only != "embedder":
        measured["digits.pt"] = train_detector(chosen.out, chosen.epochs)
    if chosen.only != "detector":
        from scripts.demo_embedder import train_embedder  # after the variables are set; it imports torch

        measured["embedder.safetensors"] = train_embedder(chosen.out, seed=SEED, steps=chosen.steps)
    known: dict[str, Any] = (
        json.loads(report_file.read_text(encoding="utf-8")) if report_file.exists() else {}
    )
    report = {**known, **measured}
    report_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _write_readme(chosen.out, report)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
