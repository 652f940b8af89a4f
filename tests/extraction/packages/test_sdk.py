"""What packages import, inside a real host: columns, parallel reading, assets, models of a hub that is not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from extraction.packages.host.client import Host
from extraction.packages.host.spec import HostSpec, parameters_json
from tests.extraction.packages import packages

SURFACE = """
import numpy as np
from engine import runtime
from engine.io import parallel_io
from engine.models import lazy_model as from_models
from engine.models.lazy import LazyModelMixin, lazy_model
from engine.models.loader import is_hf_model_cached, load_hf_model, load_namespace_model
from shared.plugins import download_asset, open_asset
from shared.plugins.inference.batch import BaseBatchInferenceService
from shared.plugins.sdk import parallel_io as same

def told(call, *args):
    try:
        return str(call(*args))
    except (OSError, ImportError) as error:
        return f"{type(error).__name__}: {error}"

calls = []

@lazy_model
def slow(name):
    calls.append(name)
    return name

class Cached(LazyModelMixin):
    model_id = "acme/tiny"

    def _instantiate_model(self, cached_data):
        return cached_data, None

class Missing(Cached):
    model_id = "acme/absent"

class Namespaced(LazyModelMixin):
    model_source = "namespace"
    model_id = "dots_1_0_0"

class Surface(BaseBatchInferenceService):
    def _process_batch(self, batch):
        paths = batch["data"].tolist()
        images = parallel_io(paths)
        sizes = same(paths, process_fn=len, max_workers=1)
        with open_asset("models/notes.txt", "r") as notes:
            note = notes.read()
        slow("a"), slow("a"), slow("b")
        namespaced = Namespaced()
        namespaced.ensure_model_loaded()
        weights, _ = namespaced.get_model()
        seen = {
            "columns": sorted(batch.columns),
            "mode": images[0].mode, "size": list(images[0].size), "kind": type(images[0]).__module__,
            "pixel": [int(v) for v in np.asarray(images[0])[0, 0]],
            "order": [image.size[0] for image in images],
            "lengths": [sizes[n] == len(path) for n, path in enumerate(paths)],
            "note": note, "calls": calls,
            "cached": Cached().get_model()[0], "missing": Missing().get_model()[0],
            "is_cached": [is_hf_model_cached("acme/tiny"), is_hf_model_cached("acme/absent")],
            "hub": told(load_hf_model, "acme/absent"),
            "transformers": told(load_hf_model, "acme/tiny"),
            "registry": told(load_namespace_model, "other_1_0_0"),
            "many": told(load_namespace_model, "many_1_0_0"),
            "mapped": told(load_namespace_model, "old_1_0_0"),
            "s3": told(download_asset, "s3://bucket/key"),
            "nothing": told(download_asset, "nothing.bin"),
            "weights": sorted(weights),
        }
        row = {"class": "seen", "confidence": 1.0, "bbox": {"x": 5, "y": 5, "w": 4, "h": 4}, **seen}
        batch["detections"] = [[row]] * len(batch)
        batch["look"] = [[1.0, 0.0, 0.0, 0.0]] * len(batch)
        return batch

def extract(**kwargs):
    return {"steps": [Surface()], "prepare": lambda ds: ds}
"""


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, spec_for: Callable[..., HostSpec]
) -> Iterator[dict[str, Any]]:
    import torch
    from safetensors.torch import save_file

    root = tmp_path_factory.mktemp("surface")
    package = packages.write_package(root / "package", SURFACE)
    (package / "models").mkdir()
    (package / "models/notes.txt").write_text("hello")
    weights = root / "weights"
    (weights / "acme/tiny").mkdir(parents=True)
    (weights / "acme/tiny/config.json").write_text("{}")
    models = root / "models"
    for folder in ("dots_1_0_0", "many_1_0_0"):
        (models / folder).mkdir(parents=True)
    save_file({"head": torch.zeros(2)}, str(models / "dots_1_0_0/dots.safetensors"))
    for name in ("one.pt", "two.pt"):
        (models / "many_1_0_0" / name).touch()
    turned = Image.fromarray(np.full((20, 40, 3), (200, 100, 50), np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned.save(root / "turned.png", exif=exif)
    Image.new("L", (33, 44)).save(root / "grey.png")
    spec = spec_for(
        package,
        weights_dir=weights,
        models_dir=models,
        model_overrides=parameters_json({"old_1_0_0": "dots_1_0_0"}),
    )
    host = Host(spec)
    host.start()
    turned_result, grey_result = host.submit([root / "turned.png", root / "grey.png"]).result()
    assert (turned_result.error, grey_result.error) == (None, None)
    yield {**turned_result.detections[0].extra, "asked": host.models, "spec": spec}
    host.close()
    shutil.rmtree(root)


def test_images_come_upright_rgb_and_in_order(seen: dict[str, Any]) -> None:
    assert (seen["mode"], seen["size"], seen["pixel"]) == ("RGB", [20, 40], [200, 100, 50])
    assert seen["kind"] == "PIL.Image"
    assert seen["order"] == [20, 33]


def test_columns_and_the_other_parallel_io(seen: dict[str, Any]) -> None:
    assert {"data", "image", "document_id", "object_id", "blob_type", "size_bytes"} < set(seen["columns"])
    assert seen["lengths"] == [True, True]


def test_assets_are_the_packages_own_files(seen: dict[str, Any]) -> None:
    assert seen["note"] == "hello"
    assert "reads no s3:// addresses" in seen["s3"]
    assert "no file nothing.bin" in seen["nothing"]


def test_a_model_is_loaded_once(seen: dict[str, Any]) -> None:
    assert seen["calls"] == ["a", "b"]
    assert seen["weights"] == ["head"]


def test_no_hub_is_asked_where_instantiation_is_the_packages(seen: dict[str, Any]) -> None:
    weights: Path = seen["spec"].weights_dir
    assert seen["cached"] == str(weights / "acme/tiny")
    assert seen["missing"] is None
    assert seen["is_cached"] == [True, False]


def test_a_hub_that_is_not_there_names_model_and_folder(seen: dict[str, Any]) -> None:
    weights: Path = seen["spec"].weights_dir
    assert seen["hub"].startswith("ModelMissing: The model acme/absent is not here and no hub gives it")
    assert f"into {weights / 'acme/absent'}" in seen["hub"]
    assert "transformers" in seen["transformers"]


def test_models_of_the_registry_are_found_mapped_and_named(seen: dict[str, Any]) -> None:
    assert "no deployed model 'other_1_0_0'" in seen["registry"]
    assert "it has: dots_1_0_0, many_1_0_0" in seen["registry"]
    assert "it holds many_1_0_0/one.pt, many_1_0_0/two.pt" in seen["many"]
    assert seen["mapped"].endswith("dots_1_0_0/dots.safetensors")
    assert seen["asked"] == {"dots_1_0_0", "many_1_0_0"}
