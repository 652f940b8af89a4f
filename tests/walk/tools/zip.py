"""`zip -r archive.zip folder/`, for machines without it."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def main() -> None:
    flag, archive, *folders = sys.argv[1:]
    if flag not in {"-r", "-qr", "-rq"}:
        sys.exit(f"zip here does not know {flag}")
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as target:
        for folder in folders:
            for path in [Path(folder), *sorted(Path(folder).rglob("*"))]:
                target.write(path, path.as_posix())


if __name__ == "__main__":
    main()
