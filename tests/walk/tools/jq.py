"""As much of jq as the pages use, for machines without it: paths, `[]`, and a list around them; -r and -c."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d*)\]")


def follow(value: Any, path: str) -> list[Any]:
    """The values at a path such as `.results[].object_id`."""
    found, at = [value], 1 if path == "." else 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            sys.exit(f"jq here does not know {path!r}")
        name, number = step[1], step[2]
        if name:
            found = [None if one is None else one.get(name) for one in found]
        elif number:
            found = [one[int(number)] if int(number) < len(one) else None for one in found]
        else:
            found = [part for one in found for part in one]
        at = step.end()
    return found


def main() -> None:
    flags = [word for word in sys.argv[1:] if word.startswith("-")]
    (path,) = [word for word in sys.argv[1:] if not word.startswith("-")]
    value = json.load(sys.stdin)
    whole = path.startswith("[.") and path.endswith("]")
    found = [follow(value, path[1:-1])] if whole else follow(value, path)
    indent, separators = (None, (",", ":")) if "-c" in flags else (2, None)
    for one in found:
        raw = "-r" in flags and isinstance(one, str)
        print(one if raw else json.dumps(one, indent=indent, separators=separators, ensure_ascii=False))


if __name__ == "__main__":
    main()
