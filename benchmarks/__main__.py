"""`make bench`: every measurement, each in processes of its own on a data folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

MEASURES = (
    "benchmarks.extraction",
    "benchmarks.annotations",
    "benchmarks.next_item",
    "benchmarks.export",
    "benchmarks.evaluation",
)


def main() -> None:
    wanted = sys.argv[1:] or list(MEASURES)
    for name in wanted:
        module = name if name.startswith("benchmarks.") else f"benchmarks.{name}"
        with tempfile.TemporaryDirectory(prefix="mixcv-bench-") as home:
            subprocess.run([sys.executable, "-m", module], env={**os.environ, "MIXCV_HOME": home}, check=True)


main()
