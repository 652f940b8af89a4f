"""`manage.py prepare`: what has to happen once before the processes of an installation start one by one."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from mixcv.kernel.services.first_start import announce_first_login
from mixcv.kernel.services.migrations import migrate_if_needed


class Command(BaseCommand):
    help = "Migrates the database; where it is empty, makes the first login and prints it. Safe to run again."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(f"database is up to date ({migrate_if_needed()} migrations applied)")
        announce_first_login(self.stdout.write)
