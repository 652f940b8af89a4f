"""A signed-in browser and a namespace with boxes to review."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if (
    TYPE_CHECKING
):  # models load only once Django does, which is after this file where it is named on the command line
    from mixcv.tenancy.models import User
    from tests.pages.desk import Desk


@pytest.fixture
def desk(transactional_db: None, live_server: Any) -> Desk:
    from tests.pages.desk import make_desk

    return make_desk(live_server.url)


@pytest.fixture
def tab(page: Any, desk: Desk) -> Iterator[Any]:
    """The browser tab of the desk's reviewer. A script error or a refused policy fails the test."""
    from tests.pages.desk import leave, sign_in

    sign_in(page.context, desk.user, desk.base)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None
    )
    yield page
    leave(page)
    assert not faults, faults


@pytest.fixture
def another_tab(chromium: Any, desk: Desk) -> Iterator[Callable[[User], Any]]:
    """A tab of somebody else, in a browser profile of its own."""
    from tests.pages.desk import leave, sign_in

    contexts = []

    def open_tab(user: User) -> Any:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(10_000)
        sign_in(context, user, desk.base)
        contexts.append(context)
        return context.new_page()

    yield open_tab
    for context in contexts:
        leave(context.pages[0])
        context.close()
