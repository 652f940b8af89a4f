"""`manage.py up`: everything that serves, as one supervised group, until Ctrl-C."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mixcv.kernel.services.errors import ServiceFailed
from mixcv.kernel.services.first_start import announce_first_login
from mixcv.kernel.services.supervisor import Supervisor


def port_number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: it must be a number from 1 to 65535.")
    return number


class Command(BaseCommand):
    help = "Starts PostgreSQL, Valkey, workers, beat and the web server, and keeps them running until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=port_number, default=settings.PORT, help="default: PORT, else 8000"
        )

    def announce(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def handle(self, *_args: Any, **options: Any) -> None:
        supervisor = Supervisor(
            options["port"], announce=self.announce, first_start=lambda: announce_first_login(self.announce)
        )
        try:
            supervisor.run()
        except ServiceFailed as error:
            raise CommandError(error.message) from None
