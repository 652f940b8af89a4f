"""Start of a host process: `python -I …/host/__main__.py`, with frames on stdin and stdout.

Run as a file in isolated mode, so that only the interpreter's own packages and the sdk are on the
path. The pipe is taken off stdin and stdout first: what a package prints goes to stderr.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Take the pipe, lay on limits, and serve."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_RDONLY)
    os.dup2(quiet, 0)
    os.dup2(2, 1)
    sys.path.insert(0, str(HERE.parent / "sdk"))
    spec = importlib.util.spec_from_file_location(
        "mixcv_host", HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit("the host's own files are missing")
    package = importlib.util.module_from_spec(spec)
    sys.modules["mixcv_host"] = package
    spec.loader.exec_module(package)
    limits = importlib.import_module("mixcv_host.limits")
    limits.die_with_parent()
    limits.limit_files()
    importlib.import_module("mixcv_host.server").serve(requests, answers)


if __name__ == "__main__":
    main()
