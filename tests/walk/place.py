"""Where a page's blocks are run: a folder, an environment, a shell whose calls are logged, a Python session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import PROJECT

TOOLS = Path(__file__).parent / "tools"


@dataclass(frozen=True)
class Call:
    """One call of curl in a block."""

    method: str
    url: str
    sent: str | None
    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def lay_out_tools(folder: Path, *, own: bool = False) -> dict[str, str]:
    """A folder of programs for the PATH, and the variables that they want.

    curl always logs; jq and zip are the machine's where it has them, unless all are to be `own`.
    """
    folder.mkdir()
    for name in ("curl", "jq", "zip"):
        if name == "curl" or own or shutil.which(name) is None:
            program = folder / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{TOOLS / name}.py" "$@"\n')
            program.chmod(0o755)
    real = None if own else shutil.which("curl")
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "WALK_CURL": real or ""}


class Place:
    """A person's desk: `folder` is the working folder of all blocks."""

    def __init__(self, folder: Path, *, own_tools: bool = False, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.log = folder.parent / f"{folder.name}-calls.jsonl"
        tools = lay_out_tools(folder.parent / f"{folder.name}-tools", own=own_tools)
        passed = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        self.environment = {
            **passed,
            **tools,
            **variables,
            "WALK_LOG": str(self.log),
            "PYTHONPATH": str(PROJECT),
        }
        self._session: subprocess.Popen[str] | None = None

    def bash(self, block: str) -> list[Call]:
        """The calls that a block makes. Fails where it does."""
        before = len(self._calls())
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", block],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        calls = self._calls()[before:]
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}\n{calls}"
        return calls

    def _calls(self) -> list[Call]:
        if not self.log.exists():
            return []
        return [Call(**json.loads(line)) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def python(self, block: str) -> str:
        """What a block prints in the place's one session. Fails where it raises."""
        if self._session is None:
            self._session = subprocess.Popen(
                [sys.executable, str(TOOLS / "session.py")],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._session.stdin is not None
        assert self._session.stdout is not None
        self._session.stdin.write(json.dumps(block) + "\n")
        self._session.stdin.flush()
        answer = json.loads(self._session.stdout.readline())
        assert answer["error"] is None, f"{block}\n{answer['error']}"
        said: str = answer["said"]
        return said

    def value(self, expression: str) -> Any:
        """What an expression is in the session, as JSON."""
        return json.loads(self.python(f"import json; print(json.dumps({expression}))"))

    def close(self) -> None:
        if self._session is not None and self._session.stdin is not None:
            self._session.stdin.close()
            self._session.wait(10)
