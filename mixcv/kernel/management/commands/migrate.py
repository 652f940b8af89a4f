"""`manage.py migrate`, safe to run from several machines at once."""

from __future__ import annotations

from typing import Any

from django.core.management.commands.migrate import Command as Migrate

from mixcv.kernel.services.migrations import one_at_a_time


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        with one_at_a_time():
            super().handle(*args, **options)
