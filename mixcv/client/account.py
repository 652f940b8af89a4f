"""Who is asking."""

from __future__ import annotations

from mixcv.client.manager import Manager
from mixcv.client.rows import Row


class Me(Manager):
    def get(self) -> Row:
        return self._row("GET", "me")
