"""A package looked over before it is taken: every fault with file and line, and none where there is none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from extraction.packages.checking import Checked, check_archive, check_code
from tests.extraction.packages import packages
from tests.extraction.packages.archives import package_zip, zip_of


def faults(code: str) -> list[str]:
    return [str(fault) for fault in check_code("pipeline.py", ast.parse(code))]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import subprocess", "import of subprocess"),
        ("import numpy, socket as s", "import of socket"),
        ("from multiprocessing.pool import Pool", "import of multiprocessing.pool"),
        ("def f():\n    import ctypes", "import of ctypes"),
        ("import threading", "parallel_io runs a function"),
        ("__import__('subprocess')", "import of subprocess"),
        ("import importlib\nimportlib.import_module('socket')", "import of socket"),
        ("import os\nos.system('ls')", "call of os.system()"),
        ("import os as o\no.popen('ls')", "call of os.popen()"),
        ("import os\nos.execvp('ls', [])", "call of os.execvp()"),
        ("from os import system as s\ns('ls')", "call of os.system()"),
        ("eval('1')", "call of eval()"),
        ("exec('1')", "call of exec()"),
        ("open('x')", "open_asset"),
        ("import builtins\nbuiltins.open('x')", "call of open()"),
        ("from io import open\nopen('x')", "call of open()"),
    ],
)
def test_what_is_refused_is_named_with_its_line(code: str, said: str) -> None:
    (fault,) = faults(code)
    assert said in fault
    assert fault.startswith(f"pipeline.py:{len(code.splitlines())}: ")


@pytest.mark.parametrize(
    "code",
    [
        "model.eval()",
        "import os\nos.path.join(os.environ['HOME'], 'x')\ngetattr(os, 'sep')",
        "from PIL.Image import open\nopen('x')",
        "def open(x):\n    return x\nopen('x')",
        "cursor.exec('x')\nPath('x').open()",
        "from shared.plugins import open_asset\nopen_asset('x')",
        "from .socket import thing",
        "system('x')",
    ],
)
def test_what_only_looks_alike_is_fine(code: str) -> None:
    assert faults(code) == []


def checked(tmp_path: Path, data: bytes) -> Checked:
    path = tmp_path / "package.zip"
    path.write_bytes(data)
    return check_archive(path)


def test_a_good_package_has_no_faults(tmp_path: Path) -> None:
    found = checked(tmp_path, package_zip())
    assert (found.faults, found.top) == ([], "trial")
    assert found.manifest["feature_extractor_name"] == "trial"


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    manifest = packages.MANIFEST.replace("distance_metric", "distance")
    data = package_zip("import socket\nx = eval('1')\n", manifest, processors__bad="def f(:\n")
    said = [str(fault) for fault in checked(tmp_path, data).faults]
    assert [one.partition(" ")[0] for one in said] == [
        "manifest.py:8:",
        "processors/bad.py:1:",
        "pipeline.py:1:",
        "pipeline.py:2:",
        "pipeline.py:",
    ]
    assert "rename distance → distance_metric" in said[0]
    assert "must define build_steps" in said[4]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"pipeline.py": ""}, "no manifest.py in the archive"),
        ({"manifest.py": packages.MANIFEST}, "pipeline.py: is missing"),
        ({"manifest.py": "x = (", "pipeline.py": "def extract(): 1"}, "manifest.py:1: is not readable"),
        ({}, "no manifest.py in the archive"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    assert said in str(checked(tmp_path, zip_of(files)).faults[0])


def test_more_python_than_anybody_writes_is_not_read(tmp_path: Path) -> None:
    long = "x = 1\n" * 200_000
    (only,) = checked(tmp_path, package_zip(long)).faults
    assert str(only) == "pipeline.py: has more than 1,048,576 bytes"
    (only,) = checked(tmp_path, package_zip(manifest=packages.MANIFEST + long)).faults
    assert str(only) == "manifest.py: has more than 1,048,576 bytes"
    files = {f"n{number}": long[:1_000_000] for number in range(5)}
    (only,) = checked(tmp_path, package_zip(**files)).faults
    assert "at most 4,194,304 are taken" in str(only)


def test_the_models_that_code_names_are_found(tmp_path: Path) -> None:
    code = """
from engine.models.loader import load_namespace_model
class Own:
    model_source = "namespace"
    model_id = "digits_1_0_0"
def build_steps(**kwargs):
    load_namespace_model("yolo-detector_2_0_0")
"""
    assert checked(tmp_path, package_zip(code)).models == ["digits_1_0_0", "yolo-detector_2_0_0"]


def test_the_tutorials_package_has_no_faults(tmp_path: Path) -> None:
    folder = packages.tutorial_package(tmp_path / "yolo_detector")
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    found = checked(tmp_path, zip_of(files, "yolo_detector"))
    assert found.faults == []
    assert found.manifest["features"][1]["embedding_dim"] == 512
