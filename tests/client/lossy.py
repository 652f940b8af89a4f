"""A connection that loses answers."""

from __future__ import annotations

import threading

import httpx


class Lossy(httpx.HTTPTransport):
    """Loses one answer of `every` so many after the server gave it: the work is done, and nobody was told."""

    def __init__(self, *, every: int) -> None:
        super().__init__()
        self.every = every
        self.lock = threading.Lock()
        self.answers = self.lost = self.replayed = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        with self.lock:
            self.answers += 1
            self.replayed += response.headers.get("Idempotency-Replayed") == "true"
            lose = response.is_success and self.answers % self.every == 0
            self.lost += lose
        if lose:
            response.close()
            raise httpx.ReadError("the answer was lost", request=request)
        return response
