"""The client itself: where the server is, who asks, and the resources."""

from __future__ import annotations

import os
from types import TracebackType

import httpx

from mixcv.client.account import Me
from mixcv.client.annotations import Annotations
from mixcv.client.batches import Batches
from mixcv.client.buckets import Buckets
from mixcv.client.collections import Collections
from mixcv.client.datasets import Datasets
from mixcv.client.documents import Documents
from mixcv.client.errors import ApiError
from mixcv.client.evaluations import Evaluations
from mixcv.client.extractors import Extractors
from mixcv.client.models import Models
from mixcv.client.namespaces import Namespaces
from mixcv.client.retrievers import Retrievers
from mixcv.client.rows import Row
from mixcv.client.tasks import Tasks
from mixcv.client.training_runs import TrainingRuns
from mixcv.client.transport import Transport

DEFAULT_URL = "http://127.0.0.1:8000"
# What examples write in place of a key.
PLACEHOLDERS = frozenset({"API_KEY", "YOUR_API_KEY"})


class Client:
    """A mixcv server, asked with one key.

    `api_key`: else MIXCV_API_KEY, else MP_API_KEY; so too where it is the word API_KEY itself. `base_url`: else
    MP_API_URL, else this machine's port 8000. `namespace`: id or name, else MP_NAMESPACE, else the key's own.
    `timeout`: seconds for one answer. `max_wait`: seconds that a call may wait in all where the server is busy.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        namespace: str | None = None,
        timeout: float = 30,
        max_wait: float = 180,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._use(
            Transport(
                base_url=_base(base_url),
                api_key=_key(api_key),
                namespace=_header(namespace or os.environ.get("MP_NAMESPACE") or None),
                timeout=timeout,
                max_wait=max_wait,
                http=httpx.Client(transport=transport, follow_redirects=False),
            )
        )

    def _use(self, transport: Transport) -> None:
        self._transport = transport
        self.namespaces = Namespaces(transport)
        self.buckets = Buckets(transport)
        self.collections = Collections(transport)
        self.documents = Documents(transport)
        self.batches = Batches(transport)
        self.tasks = Tasks(transport)
        self.retrievers = Retrievers(transport)
        self.annotations = Annotations(transport)
        self.extractors = self.plugins = Extractors(transport)
        self.models = Models(transport)
        self.datasets = Datasets(transport)
        self.training_runs = TrainingRuns(transport)
        self.evaluations = Evaluations(transport)

    @property
    def base_url(self) -> str:
        return self._transport.base_url

    @property
    def namespace(self) -> str | None:
        return self._transport.namespace

    def within(self, namespace: str) -> Client:
        """The same client in another namespace that the key opens."""
        other = object.__new__(Client)
        other._use(self._transport.within(_header(namespace)))
        return other

    def me(self) -> Row:
        """The key that asks: its scopes, its limits and the namespaces that it opens."""
        return Me(self._transport).get()

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.base_url!r}, namespace={self.namespace!r})"


def _base(url: str | None) -> str:
    text = (url or os.environ.get("MP_API_URL") or DEFAULT_URL).rstrip("/")
    if not text.startswith(("http://", "https://")):
        raise ApiError(f"{text!r} is no address of a server. Write it as {DEFAULT_URL}.", code="no_address")
    return text.removesuffix("/v1")


def _key(key: str | None) -> str:
    if not key or key in PLACEHOLDERS:
        key = os.environ.get("MIXCV_API_KEY") or os.environ.get("MP_API_KEY")
    if not key:
        raise ApiError(
            "There is no API key. Give api_key, or set MIXCV_API_KEY or MP_API_KEY.", code="no_key"
        )
    if not key.isascii() or not key.isprintable():
        raise ApiError("This is no API key: it has signs that no key has.", code="no_key")
    return key


def _header(namespace: str | None) -> str | None:
    if namespace and not (namespace.isascii() and namespace.isprintable()):
        raise ApiError(
            f"Say which namespace by its id; the name {namespace!r} does not fit into a header.",
            code="no_namespace",
        )
    return namespace
