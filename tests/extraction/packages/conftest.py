from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from extraction.packages.host.client import Host
from extraction.packages.host.spec import HostSpec
from tests.extraction.packages import packages


@pytest.fixture(scope="session")
def spec_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., HostSpec]:
    """Make a spec with folders of its own."""

    def make(package_dir: Path, **fields: Any) -> HostSpec:
        folders = {name: tmp_path_factory.mktemp(name) for name in ("weights_dir", "work_dir")}
        return HostSpec(package_dir=package_dir, **{**folders, "batch_timeout_s": 60.0, **fields})

    return make


@pytest.fixture(scope="session")
def fickle_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.write_package(tmp_path_factory.mktemp("packages") / "fickle", packages.FICKLE)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write a picture of 100×80 px whose name tells the fickle package what to do."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = np.random.default_rng(1).integers(0, 255, (80, 100, 3), dtype=np.uint8)

    def make(name: str) -> Path:
        path = folder / f"{name}.png"
        Image.fromarray(pixels).save(path)
        return path

    return make


@pytest.fixture(scope="session")
def fickle_host(fickle_package: Path, spec_for: Callable[..., HostSpec]) -> Iterator[Host]:
    host = Host(spec_for(fickle_package))
    host.start()
    yield host
    host.close()
