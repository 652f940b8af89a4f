"""The tests' own PostgreSQL, Valkey, Celery worker and browser.

The environment is set and the services are started before Django's settings load; so pytest's configuration
names no settings module, this file does.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOME = Path(tempfile.mkdtemp(prefix="mixcv-test-")).resolve()
os.environ.update(
    {
        "MIXCV_HOME": str(HOME),
        "MIXCV_FSYNC": "0",
        "MIXCV_ALLOW_PRIVATE_URLS": "1",
        # Boxes shown at random would make counts of waiting ones a matter of chance.
        "MIXCV_AUDIT_SHARE": "0",
        # pytest-playwright's event loop runs in this thread; the ORM is still used by one thread at a time.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
        "DJANGO_SETTINGS_MODULE": "mixcv.settings",
    }
)
for name in (
    "DATABASE_URL",
    "REDIS_URL",
    "MIXCV_STORAGE",
    "MIXCV_WEIGHTS",
    "MIXCV_DEBUG",
    "MIXCV_SECRET_KEY",
    "PORT",
):
    os.environ.pop(name, None)

from mixcv.kernel.services.embedded import Services  # noqa: E402 -- the environment comes first

services = Services(HOME)


def _end() -> None:
    services.stop(wait_for_borrowers=0)
    shutil.rmtree(HOME, ignore_errors=True)


atexit.register(_end)
services.start(command="tests")

from django.conf import settings  # noqa: E402 -- loads them for pytest-django

assert settings.MIXCV_HOME == HOME, "the settings were loaded before the tests' environment was set"

from tests.browser import launch_chromium  # noqa: E402
from tests.processes import Worker  # noqa: E402


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Processes of `-n` load the settings by this file, too: each with services of its own."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_unconfigure() -> None:
    _end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Shows the worker's last words beside a failed test that used it."""
    report = yield
    worker = getattr(item, "funcargs", {}).get("worker")
    if report.failed and isinstance(worker, Worker):
        report.sections.append(("Celery worker", worker.last_words()))
    return report


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """The real hash takes a tenth of a second a person."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _matching_only_for_who_asks(request: Any, monkeypatch: Any) -> None:
    """The session's worker would match images of tests that do not use it, while they empty the tables."""
    if "worker" not in request.fixturenames:
        monkeypatch.setattr("extraction.truth.wishes._send", lambda: None)


@pytest.fixture(scope="session")
def _worker_process() -> Iterator[Worker]:
    worker = Worker(HOME)
    yield worker
    worker.stop()


@pytest.fixture
def worker(transactional_db: None, _worker_process: Worker) -> Iterator[Worker]:
    """A real Celery worker of all queues on the test database. Kill and start it at will.

    The process lives through the session, as its start takes seconds; every test gets it idle.
    """
    _worker_process.clear_queues()
    _worker_process.start()
    yield _worker_process
    _worker_process.settle()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real Chromium, driven by Playwright's sync interface. No browser is a failure, not a skip."""
    with launch_chromium() as browser:
        yield browser


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A fresh browser tab at 1440×900 with a profile of its own."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()
