"""Fails where a model differs from its migrations. Needs no database that anybody keeps."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="mixcv-check-") as home:
        # A fresh, empty database: the history of a developer's own is no concern of this check.
        environment = {**os.environ, "MIXCV_HOME": home, "MIXCV_FSYNC": "0"}
        environment.pop("DATABASE_URL", None)
        command = [sys.executable, str(PROJECT / "manage.py"), "makemigrations", "--check", "--dry-run"]
        return subprocess.run(command, env=environment, cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
