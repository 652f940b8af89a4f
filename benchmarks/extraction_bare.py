"""The bare loop that extraction is measured against: decode, predict, crop, embed in one process.

Same models, same batch size, nothing overlapped, nothing stored. `make bench` imports `run_bare`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from extraction.packages.host.environment import write_ultralytics_config

BATCH = 16


@dataclass(frozen=True)
class BareResult:
    """What the loop did, without its warm-up."""

    images: int
    detections: int
    seconds: float

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds


def run_bare(
    paths: Sequence[Path],
    *,
    weights: Path,
    embedder_dir: Path,
    image_size: int,
    threshold: float = 0.25,
    batch: int = BATCH,
) -> BareResult:
    """Run the loop over `paths` after a warm-up batch, on the CPU."""
    scratch = Path(tempfile.mkdtemp(prefix="bare-"))
    os.environ.update(write_ultralytics_config(scratch, weights_dir=weights.parent))
    import torch
    from PIL import Image
    from ultralytics import YOLO

    from extraction.packages.sdk.engine.embedding import load_embedder

    model = YOLO(str(weights), task="detect")
    embedder = load_embedder("offline", weights_dir=embedder_dir)

    def once(part: Sequence[Path]) -> int:
        images = [Image.open(path).convert("RGB") for path in part]
        results = model.predict(images, conf=threshold, imgsz=image_size, device="cpu", verbose=False)
        found = 0
        for image, result in zip(images, results, strict=True):
            boxes = [(x, y, w, h) for x, y, w, h in result.boxes.xywh.tolist()]
            found += len(embedder.embed_boxes(np.asarray(image), boxes)) if boxes else 0
        return found

    once(paths[:batch])
    torch.set_num_threads(os.cpu_count() or 1)  # ultralytics' set-up leaves one core out: the rival gets all
    began = time.perf_counter()
    detections = sum(once(part) for part in _parts(paths, batch))
    return BareResult(len(paths), detections, time.perf_counter() - began)


def run_host(
    paths: Sequence[Path], *, weights: Path, image_size: int, threshold: float = 0.25, batch: int = BATCH
) -> BareResult:
    """Run the same work through an isolated host, two batches in flight, after a warm-up batch."""
    from extraction.packages.builtin import builtin_packages
    from extraction.packages.host.client import Host
    from extraction.packages.host.spec import HostSpec, parameters_json

    with tempfile.TemporaryDirectory() as scratch:
        spec = HostSpec(
            package_dir=builtin_packages()["yolo"],
            weights_dir=weights.parent,
            work_dir=Path(scratch),
            weights=weights,
            parameters=parameters_json({"image_size": image_size, "threshold": threshold}),
        )
        host = Host(spec)
        host.start()
        host.submit(list(paths[:batch])).result()
        began = time.perf_counter()
        futures = [host.submit(list(part)) for part in _parts(paths, batch)]
        detections = sum(len(image.detections) for future in futures for image in future.result())
        seconds = time.perf_counter() - began
        host.close()
    return BareResult(len(paths), detections, seconds)


def _parts(paths: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]


def main() -> None:
    """Print images per second of the host and of the bare loop, over digit scenes."""
    from extraction.demo.scenes import write_scenes
    from extraction.packages.builtin import SHIPPED_WEIGHTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--weights", type=Path, default=SHIPPED_WEIGHTS / "digits.pt")
    parser.add_argument("--image-size", type=int, default=256)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            file.path for file in write_scenes(Path(folder), split="holdout", count=chosen.images, seed=1)
        ]
        bare = run_bare(
            paths, weights=chosen.weights, embedder_dir=SHIPPED_WEIGHTS, image_size=chosen.image_size
        )
        host = run_host(paths, weights=chosen.weights, image_size=chosen.image_size)
    for name, result in (("bare", bare), ("host", host)):
        print(f"{name}: {result.images_per_second:.1f} images/s, {result.detections} detections")
    print(f"host / bare: {host.images_per_second / bare.images_per_second:.2f}")


if __name__ == "__main__":
    main()
