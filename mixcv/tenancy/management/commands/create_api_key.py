"""`manage.py create_api_key`: a key for scripts, alone on stdout."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mixcv.kernel.errors import DomainError
from mixcv.tenancy.domain import create_api_key, ensure_namespace


class Command(BaseCommand):
    help = "Makes the namespace if needed and prints a new API key for it, alone on stdout. It is shown only now."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--namespace", required=True, help="name or id of the namespace")
        parser.add_argument("--name", default="key", help="a label to tell keys apart")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            namespace = ensure_namespace(name=options["namespace"])
            _, text = create_api_key(namespace=namespace, label=options["name"])
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(text)
