"""Extraction, from the first claim to the last commit, against the bare loop with the same models.

The bare loop (`extraction_bare`) decodes, predicts, crops and embeds in one process and stores nothing. Ours is the
worker's own loop: claims under leases, the isolated host, and every document, detection and vector in PostgreSQL.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.installation import installation

IMAGES = 320
ROUNDS = 3
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def bare(folder: Path, weights: Path, image_size: int, batch: int) -> float:
    """Images a second of the bare loop, in a process of its own, warm."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.extraction_bare import run_bare;"
        "from extraction.packages.builtin import SHIPPED_WEIGHTS as shipped;"
        "paths = sorted(Path(sys.argv[1]).glob('*.jpg'));"
        "done = run_bare(paths, weights=Path(sys.argv[2]), embedder_dir=shipped,"
        " image_size=int(sys.argv[3]), batch=int(sys.argv[4]));"
        "print('rate', done.images_per_second)"
    )
    arguments = [sys.executable, "-c", code, str(folder), str(weights), str(image_size), str(batch)]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    return float(output.rsplit("rate", 1)[1])


class Ours:
    """A bucket with the images and a deployed version; each round is a new collection."""

    def __init__(self, folder: Path, name: str, weights: Path, image_size: int) -> None:
        from extraction.intake.domain import Incoming, add_objects, create_bucket
        from extraction.packages.domain import bring_up, register_version
        from extraction.packages.models import Deployment, ExtractorVersion
        from mixcv.tenancy.actors import SYSTEM
        from mixcv.tenancy.domain import ensure_namespace

        self.namespace = ensure_namespace(name="bench")
        self.bucket = create_bucket(namespace=self.namespace, name=name, by=SYSTEM)
        paths = sorted(folder.glob("*.jpg"))
        for start in range(0, len(paths), 100):
            incoming = [
                Incoming(name=path.name, data=path.read_bytes()) for path in paths[start : start + 100]
            ]
            add_objects(bucket=self.bucket, incoming=incoming, by=SYSTEM)
        self.version = register_version(
            namespace=self.namespace,
            extractor=name,
            version="1.0.0",
            weights_path=weights,
            parameters={"image_size": image_size},
        )
        ExtractorVersion.objects.filter(pk=self.version.pk).update(state=ExtractorVersion.State.DEPLOYING)
        self.version.refresh_from_db()
        bring_up(deployment=Deployment.objects.create(extractor_version=self.version))
        self.rounds = 0
        self.round(limit=32)  # warms the host

    def round(self, limit: int | None = None) -> tuple[float, int]:
        """Images a second and detections of one run over the bucket's images (the first `limit` of them)."""
        from extraction.runs import domain as runs
        from extraction.runs.models import Detection

        self.rounds += 1
        collection = runs.create_collection(
            namespace=self.namespace,
            name=f"{self.bucket.name} {self.rounds}",
            version=self.version,
            buckets=[self.bucket],
            enabled=False,
        )
        refs = list(self.bucket.contents.order_by("pk").values_list("public_id", flat=True)[:limit])
        runs.submit_batch(
            batch=runs.create_batch(bucket=self.bucket, collections=[collection], object_ids=refs)
        )
        began = time.perf_counter()
        written = runs.run_collection(collection_id=collection.pk)
        seconds = time.perf_counter() - began
        assert written == len(refs)
        return written / seconds, Detection.objects.filter(collection=collection).count()


def compare(folder: Path, name: str, weights: Path, image_size: int, *, batch: int = 16) -> None:
    ours = Ours(folder, name, weights, image_size)
    ratios, rates, bares = [], [], []
    for _ in range(ROUNDS):
        bares.append(bare(folder, weights, image_size, batch))
        rate, detections = ours.round()
        rates.append(rate)
        ratios.append(rate / bares[-1])
    print(
        f"extraction {name}, {image_size} px: bare loop {statistics.median(bares):.1f} images/s, "
        f"mixcv {statistics.median(rates):.1f} images/s with {detections} detections stored; "
        f"ratio {statistics.median(ratios):.2f} (rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}; budget 0.9)",
        flush=True,
    )


def main() -> None:
    with installation(), tempfile.TemporaryDirectory() as scratch:
        from extraction.demo.scenes import write_scenes
        from extraction.packages.builtin import SHIPPED_WEIGHTS
        from extraction.packages.hosts import pool

        scenes = Path(scratch) / "scenes"
        write_scenes(scenes, split="holdout", count=IMAGES, seed=1)
        compare(scenes, "digits", SHIPPED_WEIGHTS / "digits.pt", 256)
        if SHARED.exists() and "--digits" not in sys.argv:
            cells = Path(scratch) / "cells"
            cells.mkdir()
            for path in sorted((SHARED / "bccd" / "images").rglob("*.jpg"))[:IMAGES]:
                (cells / path.name).write_bytes(path.read_bytes())
            compare(cells, "bccd-yolov8n", SHARED / "weights" / "yolov8n.pt", 640)
        pool().close()


if __name__ == "__main__":
    main()
