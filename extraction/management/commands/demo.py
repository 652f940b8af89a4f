"""`manage.py demo`: `up`, with the demo loaded and detected."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Count, Q

from extraction.demo.loading import NAMESPACE, Demo, load_demo
from extraction.packages.models import ExtractorVersion
from extraction.runs.models import Batch, BatchItem, Collection
from mixcv.kernel.management.commands.up import Command as Up
from mixcv.kernel.progress import Bar
from mixcv.kernel.services.errors import ServiceFailed
from mixcv.kernel.services.supervisor import Supervisor
from mixcv.tenancy.domain import NewLogin, create_api_key, first_start
from mixcv.tenancy.models import ApiKey

DETECTION_SECONDS = 420
KEY_LABEL = "demo"


class Command(Up):
    help = "Starts everything, loads the demo, detects it, prints address, login and API key; serves until Ctrl-C."

    def handle(self, *_args: Any, **options: Any) -> None:
        self.login: NewLogin | None = None
        self.bar = Bar(self.stdout)
        self.supervisor = Supervisor(
            options["port"],
            announce=self.announce,
            first_start=self._first_start,
            on_ready=self._on_ready,
            command="demo",
        )
        try:
            self.supervisor.run()
        except ServiceFailed as error:
            raise CommandError(error.message) from None

    def _first_start(self) -> None:
        self.login = first_start()

    def _on_ready(self) -> None:
        demo = load_demo(report=self.bar.show)
        self._wait_for_detection(demo)
        self.bar.done()
        self._say_how_to_go_on(demo)

    def _wait_for_detection(self, demo: Demo) -> None:
        """Until the digits are detected, or their detector failed; the street photographs may lack their weights."""
        until = time.monotonic() + DETECTION_SECONDS
        while time.monotonic() < until:
            demo.digits.refresh_from_db()
            version = _version(demo.digits)
            if version.state == ExtractorVersion.State.FAILED:
                self.bar.done()
                self.announce(f"The digit detector did not come up: {version.error}")
                return
            items = BatchItem.objects.filter(collection=demo.digits).aggregate(
                total=Count("pk"), open=Count("pk", filter=Q(state__in=["PENDING", "RUNNING"]))
            )
            if items["total"] and not items["open"] and not self._street_under_way(demo):
                return
            step = "starting the detector" if version.state != ExtractorVersion.State.READY else "detecting"
            self.bar.show(step, items["total"] - items["open"], items["total"])
            time.sleep(0.3)
        self.announce("Detection takes longer than expected; it goes on, and the pages show how far it is.")

    def _street_under_way(self, demo: Demo) -> bool:
        version = _version(demo.street)
        if version.state == ExtractorVersion.State.DEPLOYING:
            return True
        live = [Batch.State.OPEN, Batch.State.PROCESSING]
        return (
            version.state == ExtractorVersion.State.READY
            and Batch.objects.filter(collections=demo.street, state__in=live).exists()
        )

    def _say_how_to_go_on(self, demo: Demo) -> None:
        address = self.supervisor.address
        street = _version(demo.street)
        if street.state == ExtractorVersion.State.FAILED:
            self.announce(
                f"\nThe street photographs wait: {street.error}\nThen press Deploy on the page Detectors."
            )
        self.announce(f"\nmixcv is ready: {address}n/{NAMESPACE}/review/")
        if self.login:
            self.announce(
                f"  login     {self.login.login}\n  password  {self.login.password}   (shown only now)"
            )
        else:
            self.announce(
                "  login     as before; a new password: .venv/bin/python manage.py changepassword admin"
            )
        if not ApiKey.objects.filter(namespace=demo.namespace, revoked_at=None).exists():
            _, text = create_api_key(namespace=demo.namespace, label=KEY_LABEL)
            self.announce(f"  API key   {text}   (shown only now)")
        else:
            self.announce(
                f"  API key   as before; a new one: .venv/bin/python manage.py create_api_key --namespace {NAMESPACE}"
            )
        self.announce("Ctrl-C ends everything.\n")


def _version(collection: Collection) -> ExtractorVersion:
    return ExtractorVersion.objects.get(collections=collection)
