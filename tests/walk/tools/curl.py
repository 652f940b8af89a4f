"""curl with a log: what was asked, what came, as JSON lines in $WALK_LOG.

The real one does the work where the machine has it ($WALK_CURL); else this does, for the options that the pages use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

WITH_VALUE = {"-X", "-H", "-d", "-F", "-o", "--data-binary"}


def read(argv: list[str]) -> dict[str, Any]:
    """The arguments, as far as the pages use them."""
    asked: dict[str, Any] = {"method": None, "headers": {}, "body": None, "fields": [], "url": None}
    words = iter(argv)
    for word in words:
        value = next(words) if word in WITH_VALUE else ""
        if word == "-X":
            asked["method"] = value
        elif word == "-H":
            name, _, text = value.partition(":")
            asked["headers"][name.strip()] = text.strip()
        elif word in {"-d", "--data-binary"}:
            asked["body"] = Path(value[1:]).read_bytes() if value.startswith("@") else value.encode()
        elif word == "-F":
            asked["fields"].append(tuple(value.split("=", 1)))
        elif not word.startswith("-"):
            asked["url"] = word
        elif word not in {"-s", "-S", "-sS", "-f"}:
            sys.exit(f"curl here does not know {word}")
    asked["method"] = asked["method"] or ("GET" if asked["body"] is None and not asked["fields"] else "POST")
    return asked


def call(asked: dict[str, Any]) -> tuple[int, bytes]:
    """Status and body, by httpx."""
    data = {name: value for name, value in asked["fields"] if not value.startswith("@")}
    files = [
        (name, (Path(value[1:]).name, Path(value[1:]).read_bytes()))
        for name, value in asked["fields"]
        if value.startswith("@")
    ]
    headers = asked["headers"]
    if asked["body"] is not None:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    answer = httpx.request(
        asked["method"],
        asked["url"],
        headers=headers,
        content=asked["body"],
        data=data or None,
        files=files or None,
        timeout=60,
    )
    return answer.status_code, answer.content


def real(argv: list[str]) -> tuple[int, bytes]:
    with tempfile.NamedTemporaryFile() as headers:
        done = subprocess.run([os.environ["WALK_CURL"], *argv, "-D", headers.name], stdout=subprocess.PIPE)
        if done.returncode:
            sys.exit(done.returncode)
        lines = Path(headers.name).read_text().splitlines()
    status = [line.split()[1] for line in lines if line.startswith("HTTP/")][-1]
    return int(status), done.stdout


def main() -> None:
    argv = sys.argv[1:]
    asked = read(argv)
    status, body = real(argv) if os.environ.get("WALK_CURL") else call(asked)
    sent = asked["body"] if asked["body"] is None else asked["body"].decode(errors="replace")
    line = {
        "method": asked["method"],
        "url": asked["url"],
        "sent": sent,
        "status": status,
        "body": body.decode(),
    }
    with Path(os.environ["WALK_LOG"]).open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    sys.stdout.buffer.write(body)


if __name__ == "__main__":
    main()
