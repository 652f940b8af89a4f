"""An installation of its own for a measurement: services, migrated database, settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def installation() -> Iterator[None]:
    """Services and database of `MIXCV_HOME`, with Django set up; all of it ends with the block."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mixcv.settings")
    os.environ["MIXCV_LOG_LEVEL"] = "WARNING"
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    from mixcv.kernel.services.embedded import ensure_services, make_home
    from mixcv.kernel.services.paths import home_from_env

    make_home(home_from_env())
    with ensure_services(home_from_env(), command="a benchmark"):
        import django

        django.setup()
        from mixcv.kernel.services.migrations import migrate_if_needed

        migrate_if_needed()
        yield
