"""Packages for the host's tests, written into a folder as a user would."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

SHARED = Path(__file__).resolve().parents[4] / "shared"

MANIFEST = """
feature_extractor_name = "trial"
version = "1.0.0"
description = "For tests"
dependencies = []
features = [
    {"feature_type": "json", "feature_name": "detections"},
    {"feature_type": "embedding", "feature_name": "look", "embedding_dim": 4, "distance_metric": "cosine"},
]
output_schema = {}
input_mappings = {"image": "image"}
tier = 1
tier_label = "OBJECT_DETECTION"
compute_profile = {"resource_type": "cpu"}
"""

# What it does with an image is told by the image's name.
FICKLE = """
import os, sys, time
from pathlib import Path
from engine.inference.services import BaseBatchInferenceService
from engine.io import parallel_io

def box(x=50.0, y=40.0, w=20.0, h=10.0, confidence=0.5):
    bbox = {"x": x, "y": y, "w": w, "h": h}
    return {"class": "thing", "confidence": confidence, "bbox": bbox, "note": "kept"}

def detect(name):
    if name == "crash":
        print("these are my last words", file=sys.stderr, flush=True)
        os._exit(3)
    if name == "hang":
        time.sleep(600)
    if name == "raise":
        raise RuntimeError("this image is not to my liking")
    if name == "hungry":
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1 << 20) * 64))
    if name == "print":
        print("a" * 100_000, flush=True)
        os.system("echo from a child process")
    boxes = {
        "nan": [box(x=float("nan"))],
        "flat": [box(w=0.0)],
        "away": [box(x=5000.0)],
        "over": [box(x=0.0, w=40.0)],
        "none": [],
        "list": "no list",
    }.get(name, [box(confidence=0.3), box(x=70.0, confidence=0.9)])
    usual = [[float(number + 1), 0.0, 0.0, 1.0] for number in range(len(boxes))]
    vectors = {
        "one": [3.0, 0.0, 4.0, 0.0],
        "zero": [[0.0] * 4, [0.0, 2.0, 0.0, 0.0]],
        "three": [[1.0, 0.0, 0.0, 0.0]] * 3,
        "dims": [[1.0, 0.0]] * 2,
    }.get(name, usual)
    return boxes, vectors

class Fickle(BaseBatchInferenceService):
    def _process_batch(self, batch):
        parallel_io(batch["image"].tolist())
        rows = [detect(Path(path).stem.split("-")[0]) for path in batch["data"]]
        batch["detections"] = [row[0] for row in rows]
        batch["look"] = [row[1] for row in rows]
        return batch

def build_steps(extractor_request=None, base_steps=None, **kwargs):
    return {"steps": [*(base_steps or []), Fickle()], "prepare": lambda ds: ds}
"""

# Says as class names what it finds around it.
CURIOUS = """
import os
from engine.inference.services import BaseBatchInferenceService
from engine.models import load_namespace_model

class Curious(BaseBatchInferenceService):
    def _process_batch(self, batch):
        model = load_namespace_model("other_1_0_0")
        seen = {"environment": dict(os.environ), "cwd": os.getcwd(), "model": model}
        row = {"class": "seen", "confidence": 1.0, "bbox": {"x": 5, "y": 5, "w": 4, "h": 4}, **seen}
        batch["detections"] = [[row]] * len(batch)
        batch["look"] = [[1.0, 0.0, 0.0, 0.0]] * len(batch)
        return batch

def build_steps(extractor_request=None, base_steps=None, **kwargs):
    return {"steps": [Curious()], "prepare": lambda ds: ds}
"""

TUTORIAL_LIKE = """
import numpy as np
from engine.models.lazy import LazyModelMixin
from engine.inference.services import BaseBatchInferenceService
from engine.io import parallel_io

class Detector(LazyModelMixin, BaseBatchInferenceService):
    model_id = "ultralytics/yolov8m"
    model_source = "huggingface"

    def _instantiate_model(self, cached_data):
        from ultralytics import YOLO
        assert cached_data is None
        model = YOLO("yolov8m.pt")
        model.to(self._detect_device())
        return model, None

    def _process_batch(self, batch):
        model, _ = self.get_model()
        results = model(parallel_io(batch["data"].tolist()), conf=0.25)
        found, vectors = [], []
        for result in results:
            rows = []
            for box in result.boxes:
                x, y, w, h = (float(value) for value in box.xywh[0])
                rows.append({
                    "class": result.names[int(box.cls)], "confidence": float(box.conf),
                    "bbox": {"x": x, "y": y, "w": w, "h": h},
                })
            found.append(rows)
            vectors.append(np.random.randn(512).tolist() if rows else np.zeros(512).tolist())
        batch["detections"] = found
        batch["detection_embedding"] = vectors
        return batch

def extract(extractor_request=None, base_steps=None, **kwargs):
    class Result:
        steps = [*(base_steps or []), Detector()]
        prepare = staticmethod(lambda ds: ds)
    return Result()
"""


def write_package(folder: Path, pipeline: str, manifest: str = MANIFEST) -> Path:
    """Write a package and give its folder."""
    folder.mkdir(parents=True)
    (folder / "manifest.py").write_text(manifest, encoding="utf-8")
    (folder / "pipeline.py").write_text(pipeline, encoding="utf-8")
    return folder


def tutorial_package(folder: Path) -> Path:
    """Write the tutorial's package as printed, where it stands beside the repository; else one like it."""
    tutorial = SHARED / "tutorial.md"
    if tutorial.exists():
        text = tutorial.read_text(encoding="utf-8")
        blocks = [
            textwrap.dedent(block) for block in re.findall(r"```python[^\n]*\n(.*?)```", text, re.DOTALL)
        ]
        manifest = next(block for block in blocks if "feature_extractor_name =" in block)
        return write_package(folder, next(block for block in blocks if "def build_steps" in block), manifest)
    manifest = MANIFEST.replace('"look", "embedding_dim": 4', '"detection_embedding", "embedding_dim": 512')
    return write_package(
        folder, TUTORIAL_LIKE, manifest.replace("dependencies = []", 'dependencies = ["ultralytics"]')
    )
