"""Start of a training process: `python -I …/process/__main__.py`, a JSON line on stdin, JSON lines on stdout.

The pipe is taken off stdin and stdout first: what libraries print goes to stderr. The process is killed when the
worker's thread that started it ends.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
LIMITS = HERE.parents[2] / "extraction" / "packages" / "host" / "limits.py"


def _load(name: str, path: Path, *, package: bool = False) -> ModuleType:
    places = [str(path.parent)] if package else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise SystemExit("the training process's own files are missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Take the pipe, lay on limits, and train what the first line asks for."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    quiet = os.open(os.devnull, os.O_RDONLY)
    os.dup2(quiet, 0)
    os.dup2(2, 1)
    limits = _load("mixcv_limits", LIMITS)
    limits.die_with_parent()
    limits.limit_files()
    _load("mixcv_training", HERE / "__init__.py", package=True)
    line = requests.readline()
    if not line:  # the worker went away before it said anything
        return
    importlib.import_module("mixcv_training.work").work(json.loads(line), answers)


if __name__ == "__main__":
    main()
