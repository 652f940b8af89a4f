"""The training of the tutorial's last section, as written, on a dataset that was exported over the API."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.flywheel.truths import Known, digits, pack
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.host.environment import write_ultralytics_config
from mixcv.client import Client
from tests import factories as make
from tests.walk.blocks import Sections
from tests.walk.place import Place
from tests.walk.test_tutorial import PAGE
from tests.walk.tutorial import namespace_of

pytestmark = pytest.mark.skipif(
    not PAGE.exists(), reason="the tutorial's page does not stand beside the repository"
)
EXTRACTOR = "yolo_detector"


def import_truth(client: Client, folder: Path, pictures: tuple[Known, ...], part: str) -> None:
    archive = pack(folder / f"{part}.zip", pictures, [*"0123456789"], part=part, truth=True)
    started = client.buckets.truth.upload("desk", archive)
    done = client.buckets.truth.wait("desk", started.import_id, timeout=120)
    assert (done.status, done.counts["complete"]) == ("COMPLETED", len(pictures))


def export(client: Client, target: Path) -> None:
    """The newest version's zip, as a folder."""
    client.datasets.create("street", feature_extractor_name=EXTRACTOR)
    built = client.datasets.build("street")
    archive = client.datasets.export("street", built.version, target.parent / "dataset.zip")
    with zipfile.ZipFile(archive) as content:
        content.extractall(target)


@pytest.mark.slow
def test_its_training_block_runs_on_an_export(make_place: Callable[..., Place], tmp_path: Path) -> None:
    (block,) = Sections(PAGE).of(7, "python")
    folder = tmp_path / "train"
    config = write_ultralytics_config(folder, weights_dir=folder)
    place = make_place("train", CUDA_VISIBLE_DEVICES="", **config)
    make.make_version(namespace_of(place), EXTRACTOR)
    shutil.copyfile(SHIPPED_WEIGHTS / "digits.pt", place.folder / "yolov8m.pt")
    scenes = digits(tmp_path / "scenes", pool=6, holdout=2)
    with Client(
        api_key=place.environment["MP_API_KEY"],
        base_url=place.environment["MP_API_URL"],
        namespace=place.environment["MP_NAMESPACE"],
    ) as client:
        client.buckets.create("desk")
        import_truth(client, tmp_path, scenes.holdout, "test")
        import_truth(client, tmp_path, scenes.pool, "train")
        export(client, place.folder / "dataset")
    place.python(block)
    weights = place.folder / "runs" / "detect" / "yolo_v2_finetuned" / "weights"
    assert {"best.pt", "last.pt", "best.torchscript"} <= {path.name for path in weights.iterdir()}
    assert place.value("[model.names[key] for key in sorted(model.names)]") == [*"0123456789"]
    # The last epoch of fifty was reached.
    epochs = (weights.parent / "results.csv").read_text().splitlines()
    assert len(epochs) == 1 + 50
