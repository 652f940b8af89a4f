"""Shows the login that the first start makes."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable


def announce_first_login(announce: Callable[[str], None]) -> None:
    """Sets up an empty installation and announces its only admin's login, which is never shown again."""
    # By name: the kernel imports no app, yet starts them all.
    login = importlib.import_module("mixcv.tenancy.domain").first_start()
    if login is not None:
        announce(f"first start: log in as {login.login} with the password {login.password} (shown only now)")
