"""Manifests: the right ones pass as they are, the wrong ones are named by their keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extraction.packages.manifest import (
    InvalidManifest,
    check_manifest,
    normal_version,
    parse_manifest,
    read_manifest,
)
from mixcv.kernel.errors import InvalidInput
from tests.extraction.packages import packages


def manifest(feature: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    look = {
        "feature_type": "embedding",
        "feature_name": "look",
        "embedding_dim": 4,
        "distance_metric": "cosine",
    }
    return {
        "feature_extractor_name": "trial",
        "version": "1.0.0",
        "features": [look if feature is None else feature],
        **fields,
    }


def refused(value: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        check_manifest(value)
    assert caught.value.field == "manifest"
    faults: list[str] = caught.value.details["faults"]
    assert all(fault in caught.value.message for fault in faults)
    return faults


def test_a_right_one_comes_back_as_it_is() -> None:
    right = manifest(description="For tests", tier=1)
    assert check_manifest(right) == right


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("name", "feature_name"),
        ("type", "feature_type"),
        ("dimensions", "embedding_dim"),
        ("dim", "embedding_dim"),
        ("distance", "distance_metric"),
        ("metric", "distance_metric"),
    ],
)
def test_a_wrong_key_names_the_right_one(wrong: str, right: str) -> None:
    feature = manifest()["features"][0]
    feature[wrong] = feature.pop(right)
    assert f"features.0: rename {wrong} → {right}" in refused(manifest(feature))


def test_all_wrong_keys_are_named_in_one_fault() -> None:
    feature = {"name": "look", "type": "embedding", "dimensions": 4, "distance": "cosine"}
    assert refused(manifest(feature)) == [
        "features.0: rename dimensions → embedding_dim, distance → distance_metric, "
        "name → feature_name, type → feature_type"
    ]


@pytest.mark.parametrize("key", ["feature_extractor_name", "version", "features"])
def test_a_missing_key_is_named(key: str) -> None:
    value = manifest()
    del value[key]
    assert refused(value) == [f"manifest: '{key}' is a required property"]


def test_an_embedding_needs_its_dimension_and_json_none() -> None:
    assert refused(manifest({"feature_type": "embedding", "feature_name": "look"})) == [
        "features.0: 'embedding_dim' is a required property"
    ]
    check_manifest(manifest({"feature_type": "json", "feature_name": "detections"}))


@pytest.mark.parametrize("version", ["1.0.0-beta", "", "one", "1.0.0.0", 1])
def test_a_version_is_numbers(version: object) -> None:
    (fault,) = refused(manifest(version=version))
    assert fault.startswith("version: ")


@pytest.mark.parametrize(
    ("given", "kept"), [("v1", "1.0.0"), ("1.0", "1.0.0"), ("2.3.4", "2.3.4"), ("v01.2", "1.2.0")]
)
def test_a_version_is_kept_as_three_numbers(tmp_path: Path, given: str, kept: str) -> None:
    path = tmp_path / "manifest.py"
    path.write_text(packages.MANIFEST.replace('"1.0.0"', f'"{given}"'))
    assert (read_manifest(path)["version"], normal_version(given)) == (kept, kept)


def test_every_fault_has_its_line() -> None:
    text = packages.MANIFEST.replace('"embedding_dim": 4', '"dimensions": 4') + 'colour = "red"\n'
    text = text.replace("dependencies = []", 'dependencies = ["torch>>2"]')
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(text.encode())
    said = [str(fault) for fault in caught.value.faults]
    assert any(one.startswith("manifest.py:8: features.1: rename dimensions → embedding_dim") for one in said)
    assert any(one.startswith("manifest.py:15: manifest: ") and "colour" in one for one in said)
    assert any(one.startswith("manifest.py:5: dependencies[0]: 'torch>>2' is no requirement") for one in said)


def test_an_unknown_key_is_named() -> None:
    (fault,) = refused(manifest(colour="red"))
    assert "'colour' was unexpected" in fault


def test_it_reads_a_file_without_running_it(tmp_path: Path) -> None:
    path = tmp_path / "manifest.py"
    path.write_text(packages.MANIFEST + "\nimport nowhere_to_be_found\n")
    assert read_manifest(path)["feature_extractor_name"] == "trial"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = (", "not readable as Python"),
        ("version = 'a\0b'", "not readable as Python"),
        ("\nversion = '.'.join('100')", "manifest.py:2: version must be a plain value, not computed"),
        ("tier = {[]: 1}", "manifest.py:1: tier is no plain value"),
        ("tier = {{1}: 1}", "manifest.py:1: tier is no plain value"),
        ("version = " + "-" * 50_000 + "1", "nested too deep"),
        ("version = " + "[" * 150 + "]" * 150, "is not of type"),
        ("output_schema = {'a': b'x'}", "no form for"),
        ("output_schema = {'a': 1e999}", "no form for"),
        ("output_schema = {'a': '\\0'}", "NUL"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "manifest.py"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=said):
        read_manifest(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.py"
    path.write_bytes(b"version = '\xff'")
    with pytest.raises(InvalidInput, match="not readable as Python"):
        read_manifest(path)


@pytest.mark.parametrize("folder", [False, True])
def test_a_missing_file_is_named(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "manifest.py"
    if folder:
        path.mkdir()
    with pytest.raises(InvalidInput, match=r"has no manifest\.py"):
        read_manifest(path)
