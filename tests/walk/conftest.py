from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.client.serving import WebServer
    from tests.processes import Worker
    from tests.walk.place import Place

pytest.register_assert_rewrite("tests.walk.tutorial", "tests.walk.place")

MakePlace = Callable[..., "Place"]


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What server and workers find around them: an S3 server that holds the page's frame, and a weights folder in
    which the demo's small weights have the name that the page's package asks for."""
    from extraction.packages.builtin import SHIPPED_WEIGHTS
    from tests.walk.frame import make_frame, s3_with

    weights = tmp_path_factory.mktemp("weights")
    shutil.copyfile(SHIPPED_WEIGHTS / "digits.pt", weights / "yolov8m.pt")
    with s3_with("my-bucket", {"footage/frame_001.jpg": make_frame()}) as s3:
        yield {**s3, "MIXCV_WEIGHTS": str(weights)}


@pytest.fixture
def worker(transactional_db: None, _worker_process: Worker, surroundings: dict[str, str]) -> Iterator[Worker]:
    """The session's worker in these surroundings, in which it stays for the next walk."""
    _worker_process.clear_queues()
    _worker_process.start(**surroundings)
    yield _worker_process
    _worker_process.settle()


@pytest.fixture(scope="session")
def _walk_server(django_db_setup: None, surroundings: dict[str, str]) -> Iterator[WebServer]:
    from django.conf import settings

    from tests.client.serving import WebServer

    server = WebServer(settings.MIXCV_HOME)
    server.start(**surroundings)
    yield server
    server.stop()


@pytest.fixture
def make_place(worker: Worker, _walk_server: WebServer, tmp_path: Path) -> Iterator[MakePlace]:
    """Makes namespaces, each with a key and a desk at which a page's blocks are run."""
    from tests import factories as make
    from tests.walk.place import Place

    places: list[Place] = []

    def at(name: str, *, own_tools: bool = False, **variables: str) -> Place:
        namespace = make.make_namespace(name)
        place = Place(
            tmp_path / name,
            own_tools=own_tools,
            MP_API_URL=_walk_server.url,
            MP_API_KEY=make.make_key(namespace),
            NS_ID=namespace.public_id,
            MP_NAMESPACE=namespace.name,
            **variables,
        )
        places.append(place)
        return place

    yield at
    for place in places:
        place.close()
