from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.client.serving import WebServer


@pytest.fixture
def server(transactional_db: None, settings: Any) -> Iterator[WebServer]:
    """A web server process on the test database."""
    from tests.client.serving import WebServer

    server = WebServer(Path(settings.MIXCV_HOME))
    server.start()
    yield server
    server.stop()
