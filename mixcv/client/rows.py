"""What calls give back: rows and lists of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload


class Row:
    """One object of an answer: `row.bucket_id` and `row["bucket_id"]` are the same. Values are plain JSON.

    Not a dict itself, whose methods would hide fields such as `items`; `to_dict()` gives one.
    """

    __slots__ = ("_data",)

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = dict(data)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copying and pickling ask for these before there is any data
            raise AttributeError(name)
        try:
            return self._data[name]
        except KeyError:
            raise AttributeError(f"There is no {name!r} here; there are {', '.join(self._data)}.") from None

    def __getitem__(self, name: str) -> Any:
        return self._data[name]

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def keys(self) -> list[str]:
        return list(self._data)

    def get(self, name: str, default: Any = None) -> Any:
        return self._data.get(name, default)

    def to_dict(self) -> dict[str, Any]:
        return dict(self._data)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Row):
            return self._data == other._data
        return self._data == other if isinstance(other, dict) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a dict has none

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._data]

    def __repr__(self) -> str:
        return repr(self._data)


class Page(Sequence[Row]):
    """The rows of a list, as `.items`, as `.results`, or by the page itself, which is a sequence.

    The other fields of the answer are attributes: `page.total_count`, `execution.execution_id`.
    """

    def __init__(self, items: Sequence[Row], answer: Mapping[str, Any], *, key: str = "results") -> None:
        self.items = list(items)
        self.answer = Row({name: value for name, value in answer.items() if name not in {key, "results"}})
        self._key = key

    @property
    def results(self) -> list[Row]:
        return self.items

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.items if name == self._key else getattr(self.answer, name)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        return self.items[at]

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Page({self.items!r})"
