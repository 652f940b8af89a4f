"""Registries through which higher apps add to lower ones; closed once start-up is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class RegistryClosed(RuntimeError):
    """Something registered itself after start-up; register in `AppConfig.ready`."""


class Registry(Generic[T]):
    """Named entries in the order in which they came. Open during start-up only."""

    _all: list[Registry[object]] = []
    _closed = False

    def __init__(self, title: str) -> None:
        self.title = title
        self._entries: dict[str, T] = {}
        Registry._all.append(self)  # type: ignore[arg-type]

    def add(self, name: str, entry: T) -> None:
        if Registry._closed:
            raise RegistryClosed(f"{self.title}: {name!r} came after start-up.")
        if name in self._entries:
            raise ValueError(f"{self.title}: {name!r} is registered already.")
        self._entries[name] = entry

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries.values())

    def __getitem__(self, name: str) -> T:
        return self._entries[name]

    @classmethod
    def close_all(cls) -> None:
        cls._closed = True
