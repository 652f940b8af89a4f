"""A reviewer with something to review, and how a browser signs in as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.test import Client

from extraction.runs.models import Document
from mixcv.tenancy.models import Namespace, Role, User
from review.queues.models import Queue
from tests import factories


@dataclass
class Desk:
    """A reviewer, a namespace, a queue with two doubtful boxes on each image, and where its page is."""

    namespace: Namespace
    user: User
    queue: Queue
    documents: list[Document]
    base: str

    @property
    def focus(self) -> str:
        return f"{self.base}/n/demo/review/{self.queue.public_id}/"


def make_desk(base: str, images: int = 3, role: Role = Role.MANAGER) -> Desk:
    namespace = factories.make_namespace("demo")
    user = factories.make_user(namespace, name="ines", role=role)
    collection = factories.make_collection(factories.make_bucket(namespace, "cameras"), "street objects")
    documents = factories.make_detected(collection, images)
    return Desk(namespace, user, factories.queue_of(collection), documents, base)


def sign_in(context: Any, user: User, base: str) -> None:
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": base}])


def leave(tab: Any) -> None:
    """Let focus mode finish its calls and go: a call under way would meet the next test's empty database."""
    for _ in range(60):
        if not tab.evaluate("Boolean(window.mixcvFocus?.outbox.busy || window.mixcvFocus?.ahead.loading)"):
            break
        tab.wait_for_timeout(50)
    tab.goto("about:blank")
    tab.wait_for_timeout(200)  # the lease is let go by a beacon, which nobody can wait for
