"""The example of docs/custom-extractors.md, packed and run through a real host exactly as it is printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from extraction.packages import domain
from extraction.packages.files import package_folder
from extraction.packages.host.client import Host
from extraction.packages.host.spec import HostSpec
from extraction.packages.requirements import compare
from tests import factories as make
from tests.extraction.packages.archives import keep, zip_of

DOCS = Path(__file__).resolve().parents[3] / "docs" / "custom-extractors.md"


def printed() -> dict[str, str]:
    """The files of the example by their names, each printed after the name that ends with a colon."""
    text = DOCS.read_text(encoding="utf-8")
    return dict(re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", text, re.DOTALL))


@pytest.mark.django_db
@pytest.mark.parametrize("folder", ["", "dark_spots"])
def test_the_example_runs_as_printed(tmp_path: Path, spec_for: Callable[..., HostSpec], folder: str) -> None:
    files = printed()
    assert sorted(files) == ["manifest.py", "pipeline.py"]
    namespace = make.make_namespace()
    version = domain.register_package(
        namespace=namespace,
        archive=keep(namespace, zip_of(files, folder)),
        name="dark_spots",
        version="1.0.0",
    )
    assert version.archive is not None
    assert compare(version.manifest["dependencies"]).missing == []
    paper = Image.new("RGB", (200, 100), (240, 235, 230))
    draw = ImageDraw.Draw(paper)
    draw.rectangle((20, 30, 39, 49), fill=(20, 20, 20))  # 20 × 20 pixels
    draw.rectangle((100, 10, 104, 14), fill=(40, 40, 40))  # 5 × 5
    draw.point((150, 50), fill=(0, 0, 0))  # too small
    paper.save(tmp_path / "paper.png")
    Image.fromarray(np.full((50, 50, 3), 255, np.uint8)).save(tmp_path / "blank.png")
    host = Host(spec_for(package_folder(version.archive)))
    info = host.start()
    paper_result, blank_result = host.submit([tmp_path / "paper.png", tmp_path / "blank.png"]).result()
    host.close()
    assert info.class_names == {0: "spot", 1: "speck"}
    found = {row.class_name: (row.x, row.y, row.w, row.h, row.confidence) for row in paper_result.detections}
    assert found == {"spot": (30, 40, 20, 20, 1.0), "speck": (102.5, 12.5, 5, 5, 1.0)}
    assert {row.extra["area"] for row in paper_result.detections} == {400, 25}
    assert paper_result.vectors["spot_look"].shape == (2, 16)
    assert (blank_result.error, blank_result.detections) == (None, [])


def test_every_name_of_its_table_is_there() -> None:
    """What the page promises is what the host's sdk has; tests of the sdk try what each does."""
    sdk = Path(domain.__file__).parent.parent / "sdk"
    for name in re.findall(
        r"^\| `(engine[\w.]+|shared[\w.]+)", DOCS.read_text(encoding="utf-8"), re.MULTILINE
    ):
        module, _, attribute = name.rpartition(".")
        path = sdk.joinpath(*module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        assert re.search(rf"\b{attribute}\b", file.read_text(encoding="utf-8")), name
