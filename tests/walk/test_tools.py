"""The tools that stand in for those a machine lacks, against the real ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.walk.blocks import blocks_of
from tests.walk.place import Place, lay_out_tools

VALUE = {"a": "x y", "n": 3, "none": None, "results": [{"id": "é1"}, {"id": "2"}]}


def run(programs: dict[str, str], command: str, folder: Path, text: str = "") -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=programs, input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="there is no jq to compare with")
@pytest.mark.parametrize(
    "words",
    [
        *("-r '.a'", "-r .n", ".a", "-c '[.results[].id]'", "-r '.results[0].id'", "-r '.results[].id'"),
        *("-r .none", "-r .missing", "'.results'", "-c .", "-c '.results[1]'"),
    ],
)
def test_our_jq_answers_as_jq_does(words: str, tmp_path: Path) -> None:
    own = lay_out_tools(tmp_path / "own", own=True)
    real = {"PATH": own["PATH"].split(":", 1)[1]}
    command, text = f"jq {words}", json.dumps(VALUE)
    assert run(own, command, tmp_path, text) == run(real, command, tmp_path, text)


def test_our_zip_packs_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    (folder / "deep").mkdir(parents=True)
    (folder / "manifest.py").write_text("version = '1.0.0'\n")
    (folder / "deep" / "more.py").write_text("")
    run(lay_out_tools(tmp_path / "own", own=True), "zip -r package.zip package/", tmp_path)
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        assert {name for name in archive.namelist() if not name.endswith("/")} == {
            "package/manifest.py",
            "package/deep/more.py",
        }


@pytest.mark.parametrize("own", [True, False])
def test_curl_logs_what_was_asked_and_answered(own: bool, tmp_path: Path) -> None:
    if not own and shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Echo(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            said = json.dumps(
                {"method": self.command, "body": body, "type": self.headers.get("Content-Type", "")}
            )
            self.send_response(201)
            self.end_headers()
            self.wfile.write(said.encode())

        do_GET = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *words: object) -> None:
            """Not into the tests' output."""

    server = HTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    place = Place(tmp_path / "desk", own_tools=own, URL=f"http://127.0.0.1:{server.server_port}")
    (place.folder / "file.bin").write_bytes(b"some bytes")
    get, post, put, form = place.bash(
        """
        SAID=$(curl -s "$URL/a?b=c")
        test "$(echo $SAID | jq -r .method)" = GET
        curl -s "$URL" -H "Content-Type: application/json" -d '{"a": "x"}'
        curl -s -X PUT "$URL" -H "Content-Type: application/zip" --data-binary @file.bin
        curl -X POST "$URL" -F "file=@file.bin" -F "name=yolo"
        """
    )
    server.shutdown()
    assert [(one.method, one.status) for one in (get, post, put, form)] == [
        *[("GET", 201), ("POST", 201), ("PUT", 201), ("POST", 201)]
    ]
    assert get.url.endswith("/a?b=c")
    assert post.json == {"method": "POST", "body": '{"a": "x"}', "type": "application/json"}
    assert put.json == {"method": "PUT", "body": "some bytes", "type": "application/zip"}
    assert form.json["type"].startswith("multipart/form-data")
    assert 'name="file"; filename="file.bin"' in form.json["body"]
    assert 'name="name"\r\n\r\nyolo\r\n' in form.json["body"]


def test_a_block_that_fails_fails(tmp_path: Path) -> None:
    place = Place(tmp_path / "desk")
    with pytest.raises(AssertionError):
        place.bash("false")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        place.python("1 / 0")
    place.python("a = 1")
    assert place.value("a + 1") == 2
    place.close()


def test_blocks_are_found_under_their_headings_without_their_indent(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "## 1. One\n```bash note\na\n  b\n```\ntext\n  ## not a heading\n"
        "    ```python Python SDK\n    c\n\n      d\n    ```\n## 2. Two\n```json\n## e\n```\n"
    )
    assert [(one.section, one.language, one.note, one.text) for one in blocks_of(page)] == [
        ("1. One", "bash", "note", "a\n  b\n"),
        ("1. One", "python", "Python SDK", "c\n\n  d\n"),
        ("2. Two", "json", "", "## e\n"),
    ]
