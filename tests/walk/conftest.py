from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.processes import Worker
    from tests.walk.place import Place

MakePlace = Callable[..., "Place"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights folder in which the demo's small weights have the name that the page's package asks for."""
    from extraction.packages.builtin import SHIPPED_WEIGHTS

    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copyfile(SHIPPED_WEIGHTS / "digits.pt", folder / "yolov8m.pt")
    return folder


@pytest.fixture
def make_place(worker: Worker, weights: Path, tmp_path: Path, settings: Any) -> Iterator[MakePlace]:
    """Makes namespaces, each with a key and a desk, on a web server, a worker and an S3 server that holds a frame."""
    from tests import factories as make
    from tests.client.serving import WebServer
    from tests.walk.frame import make_frame, s3_with
    from tests.walk.place import Place

    places: list[Place] = []
    with s3_with("my-bucket", {"footage/frame_001.jpg": make_frame()}) as s3:
        environment = {**s3, "MIXCV_WEIGHTS": str(weights)}
        worker.start(**environment)
        server = WebServer(Path(settings.MIXCV_HOME))
        server.start(**environment)

        def at(name: str, **variables: str) -> Place:
            namespace = make.make_namespace(name)
            place = Place(
                tmp_path / name,
                MP_API_URL=server.url,
                MP_API_KEY=make.make_key(namespace),
                NS_ID=namespace.public_id,
                MP_NAMESPACE=namespace.name,
                **variables,
            )
            places.append(place)
            return place

        try:
            yield at
        finally:
            for place in places:
                place.close()
            server.stop()
