"""Loading a package's manifest and pipeline inside the host."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from .text import class_name


class BrokenPackage(Exception):
    """The package cannot be loaded; the message says what is wrong with it."""


class Pipeline:
    """A package's steps, called one after another on a batch."""

    def __init__(self, manifest: ModuleType, steps: list[Any], prepare: Callable[[Any], Any]) -> None:
        self.features: list[dict[str, Any]] = list(getattr(manifest, "features", []))
        self.input_names = list(getattr(manifest, "input_mappings", {}) or {})
        self._steps = steps
        self._prepare = prepare

    def warm(self) -> None:
        """Load every step's model now, so that missing weights show at the start."""
        for step in self._steps:
            if hasattr(step, "get_model"):
                step.get_model()

    def class_names(self) -> dict[str, str]:
        """Give class names by index, where a step's model knows them."""
        for step in self._steps:
            model = step.get_model() if hasattr(step, "get_model") else None
            for part in model if isinstance(model, tuple) else (model,):
                names = getattr(part, "names", None)
                if isinstance(names, (list, tuple)):
                    names = dict(enumerate(names))
                if isinstance(names, dict):
                    return _checked_names(names)
        return {}

    def run(self, paths: list[str]) -> pd.DataFrame:
        """Run the steps over image paths; give one row per path."""
        batch = self._prepare(pd.DataFrame(_columns(paths, self.input_names)))
        for step in self._steps:
            batch = step(batch)
        frame = batch if isinstance(batch, pd.DataFrame) else pd.DataFrame(batch)
        if len(frame) != len(paths):
            raise ValueError(f"the pipeline returned {len(frame)} rows for {len(paths)} images")
        if "detections" not in frame:
            raise ValueError("the pipeline returned no column 'detections'")
        return frame


def _columns(paths: list[str], input_names: list[str]) -> dict[str, Any]:
    """What a package may read of its images. A host is told only their files: ids stay with the server."""
    columns: dict[str, Any] = dict.fromkeys(input_names, paths)
    columns |= {"data": paths, "blob_type": "image", "blob_property": (input_names or ["image"])[0]}
    columns["size_bytes"] = [os.path.getsize(path) for path in paths]
    nothing = ("document_id", "object_id", "blob_id", "collection_id", "feature_extractor_id", "mime_type")
    return columns | {name: [None] * len(paths) for name in nothing if name not in columns}


def _checked_names(names: dict[Any, Any]) -> dict[str, str]:
    """Class names by index. Raises BrokenPackage where an index is no whole number or a name no name."""
    checked = {}
    for index, name in names.items():
        text = str(index)
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise BrokenPackage(f"the model's class names must stand by index 0, 1, …, not {text[:60]!r}")
        try:
            checked[text] = class_name(name, f"the model's class {text}")
        except ValueError as error:
            raise BrokenPackage(str(error)) from None
    return checked


def load_pipeline(folder: Path, request: dict[str, Any]) -> Pipeline:
    """Import the package's manifest.py and pipeline.py and let it build its steps."""
    sys.path.insert(0, str(folder))
    manifest = _load("manifest", folder / "manifest.py")
    module = _load("pipeline", folder / "pipeline.py")
    build = getattr(module, "extract", None) or getattr(module, "build_steps", None)
    if build is None:
        raise BrokenPackage("pipeline.py must define build_steps(…) or extract(…)")
    built = build(extractor_request=request, base_steps=[])
    if isinstance(built, dict):
        steps, prepare = built.get("steps"), built.get("prepare")
    else:
        steps, prepare = getattr(built, "steps", None), getattr(built, "prepare", None)
    if not steps or not all(callable(step) for step in steps):
        raise BrokenPackage("pipeline.py must give a list of callable steps")
    return Pipeline(manifest, list(steps), prepare or (lambda batch: batch))


def _load(name: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise BrokenPackage(f"the package has no {path.name}")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BrokenPackage(f"{path.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
