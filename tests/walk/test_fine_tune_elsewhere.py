"""docs/fine-tune-elsewhere.md: its blocks run in order, and leave behind the extractor's next version."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.host.environment import write_ultralytics_config
from extraction.packages.models import ExtractorVersion, RegistryModel
from review.datasets.models import DatasetVersion
from tests.processes import PROJECT
from tests.review.training.scenes import trainable
from tests.walk.blocks import blocks_of
from tests.walk.place import Place

PAGE = PROJECT / "docs" / "fine-tune-elsewhere.md"
# The page's own numbers are for a real set; what they do takes no time here.
SHORTER = ("epochs, image_size = 40, 256", "epochs, image_size = 2, 128")


@pytest.mark.slow
def test_its_blocks_run_in_order(make_place: Callable[..., Place], tmp_path: Path) -> None:
    quiet = write_ultralytics_config(tmp_path / "config", weights_dir=tmp_path)
    place = make_place("demo", **quiet)
    trainable(tmp_path)
    shutil.copyfile(SHIPPED_WEIGHTS / "digits.pt", place.folder / "base.pt")
    blocks = [block.text for block in blocks_of(PAGE) if block.language == "python"]
    assert sum(SHORTER[0] in block for block in blocks) == 1
    said = [place.python(block.replace(*SHORTER)) for block in blocks]
    assert said[-1] == "DEPLOYED\n"
    assert len(list((place.folder / "dataset/images/train").iterdir())) == 9
    version = ExtractorVersion.objects.get(version="2.0.0")
    assert (version.public_id, version.state) == ("digits_2_0_0", "ready")
    assert version.class_names == [one["name"] for one in DatasetVersion.objects.get().classes]
    assert version.weights == RegistryModel.objects.get().archive
    assert version.parameters == {"image_size": 128}
