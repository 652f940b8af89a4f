"""A Python session that runs one block after another, told by lines of JSON, as a person would at a prompt."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import traceback


def main() -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for line in sys.stdin:
        said = io.StringIO()
        error = None
        with contextlib.redirect_stdout(said):
            try:
                exec(compile(json.loads(line), "<block>", "exec"), names)
            except Exception:
                error = traceback.format_exc()
        print(json.dumps({"said": said.getvalue(), "error": error}), flush=True)


if __name__ == "__main__":
    main()
