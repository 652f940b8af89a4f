"""Real detectors in a real host: the tutorial's package, the built-in one, and COCO weights."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from extraction.demo.scenes import street_photographs, write_scenes
from extraction.packages.builtin import SHIPPED_WEIGHTS, builtin_packages
from extraction.packages.builtin.weights import WeightsMissing, resolve_weights
from extraction.packages.host.client import Host
from extraction.packages.host.errors import PackageError
from extraction.packages.host.spec import HostSpec, parameters_json
from extraction.packages.sdk.engine.embedding import EmbedderWeightsMissing, load_embedder
from tests.extraction.packages import packages

Specs = Callable[..., HostSpec]
COCO = packages.SHARED / "data" / "weights" / "yolov8n.pt"


def _digits_spec(spec_for: Specs) -> HostSpec:
    return spec_for(
        builtin_packages()["yolo"],
        weights=resolve_weights("digits.pt", SHIPPED_WEIGHTS),
        parameters=parameters_json({"image_size": 256, "threshold": 0.25}),
    )


def test_the_builtin_package_finds_the_digits_it_knows(tmp_path: Path, spec_for: Specs) -> None:
    scenes = write_scenes(tmp_path, split="holdout", count=12, seed=3, digits=range(7))
    host = Host(_digits_spec(spec_for))
    info = host.start()
    results = host.submit([scene.path for scene in scenes]).result()
    host.close()
    assert info.class_names == {index: str(index) for index in range(7)}
    assert (info.embedder["id"], info.embedder["dim"], len(info.embedder["weights_sha256"])) == (
        "offline",
        512,
        64,
    )
    true = [(scene.path, box) for scene in scenes for box in scene.boxes]
    hits = 0
    for scene, result in zip(scenes, results, strict=True):
        assert (result.width, result.height, result.vectors) == (640, 480, {})
        for box in scene.boxes:
            near = [row for row in result.detections if max(abs(row.x - box.x), abs(row.y - box.y)) < 12]
            hits += any(row.class_name == box.class_name for row in near)
    assert hits / len(true) > 0.8
    surest = results[0].detections[0]
    assert surest.class_scores is not None
    assert len(surest.class_scores) == 5
    assert surest.class_scores[surest.class_name] == pytest.approx(surest.confidence, abs=1e-3)


@pytest.mark.slow
def test_the_tutorials_package_runs_with_weights_of_its_own_name(tmp_path: Path, spec_for: Specs) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    shutil.copyfile(SHIPPED_WEIGHTS / "digits.pt", weights / "yolov8m.pt")
    package = packages.tutorial_package(tmp_path / "yolo_detector")
    (scene,) = write_scenes(tmp_path / "scenes", split="holdout", count=1, seed=3, digits=range(7))
    host = Host(spec_for(package, weights_dir=weights))
    host.start()
    (result,) = host.submit([scene.path]).result()
    host.close()
    assert result.error is None
    assert result.detections
    assert result.vectors["detection_embedding"].shape == (1, 512)
    assert result.crop_embedding.shape == (len(result.detections), 512)


def test_missing_weights_are_named_with_their_folder(tmp_path: Path, spec_for: Specs) -> None:
    package = packages.tutorial_package(tmp_path / "yolo_detector")
    pipeline = package / "pipeline.py"
    pipeline.write_text(
        pipeline.read_text(encoding="utf-8").replace("yolov8m.pt", "my-own.pt"), encoding="utf-8"
    )
    spec = spec_for(package)
    with pytest.raises(PackageError) as caught:
        Host(spec).start()
    assert f"Put my-own.pt into {spec.weights_dir}" in str(caught.value)
    with pytest.raises(WeightsMissing, match=r"Put my-own\.pt into"):
        resolve_weights("my-own.pt", tmp_path, allow_download=True)


def test_missing_clip_weights_are_named_with_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise OSError("nobody answers")

    monkeypatch.setattr(urllib.request, "urlopen", nobody)
    with pytest.raises(EmbedderWeightsMissing) as caught:
        load_embedder("clip", weights_dir=tmp_path)
    assert f"{tmp_path}" in str(caught.value)
    assert "ViT-B-32.laion2b_s34b_b79k.safetensors" in str(caught.value)


@pytest.mark.skipif(not COCO.exists(), reason="the COCO weights do not stand beside the repository")
def test_coco_weights_find_a_bus_and_its_people(spec_for: Specs) -> None:
    parameters = parameters_json({"threshold": 0.25, "image_size": 640})
    host = Host(spec_for(builtin_packages()["yolo"], weights=COCO, parameters=parameters))
    host.start()
    bus, zidane = host.submit(list(street_photographs())).result()
    host.close()
    names = [row.class_name for row in bus.detections]
    assert names.count("bus") == 1
    assert names.count("person") >= 4
    assert "person" in [row.class_name for row in zidane.detections]
