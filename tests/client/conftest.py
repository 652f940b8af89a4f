from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.client.serving import WebServer


@pytest.fixture(scope="session")
def _server_process(django_db_setup: None) -> Iterator[WebServer]:
    from django.conf import settings

    from tests.client.serving import WebServer

    server = WebServer(settings.MIXCV_HOME)
    yield server
    server.stop()


@pytest.fixture
def server(transactional_db: None, _server_process: WebServer) -> WebServer:
    """A web server process on the test database. It lives through the session; kill and start it at will."""
    if not _server_process.alive:
        _server_process.start()
    return _server_process
