"""A filter evaluated on one record in memory. It is what the SQL must agree with."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from mixcv.kernel.filters.moments import moment
from mixcv.kernel.filters.tree import AllOf, AnyOf, Leaf, Node, Not, words_of

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def matches(node: Node, record: Mapping[str, Any]) -> bool:
    """Whether a record, nested mappings and lists, passes. Names are dotted; `*` is any element of a list."""
    if isinstance(node, AllOf):
        return all(matches(inner, record) for inner in node.nodes)
    if isinstance(node, AnyOf):
        return any(matches(inner, record) for inner in node.nodes)
    if isinstance(node, Not):
        return not any(matches(inner, record) for inner in node.nodes)
    values = [value for value in _values(record, node.field.split(".")) if value is not None]
    if node.operator in {"exists", "is_null"}:
        return bool(values) == (node.value is (node.operator == "exists"))
    if node.value is None and node.operator in {"eq", "ne"}:
        return bool(values) == (node.operator == "ne")
    if node.operator in {"ne", "nin"}:
        test = "eq" if node.operator == "ne" else "in"
        return not any(_holds(value, test, node) for value in values)
    return any(_holds(value, node.operator, node) for value in values)


def _values(found: Any, parts: list[str]) -> Iterable[Any]:
    if not parts:
        return [found]
    first, rest = parts[0], parts[1:]
    if isinstance(found, Mapping):
        return _values(found[first], rest) if first in found else []
    if isinstance(found, list):
        if first == "*":
            return [value for inner in found for value in _values(inner, rest)]
        if first.isdecimal() and int(first) < len(found):
            return _values(found[int(first)], rest)
    return []


def _holds(value: Any, test: str, leaf: Leaf) -> bool:
    wanted = leaf.value
    if isinstance(value, datetime):
        wanted = [moment(item) for item in wanted] if isinstance(wanted, list) else moment(wanted)
    if test == "eq":
        return _same(value, wanted)
    if test == "in":
        return any(_same(value, item) for item in wanted)
    if test in _ORDERS:
        return _type(value) == _type(wanted) and _ORDERS[test](value, wanted)
    if test == "contains" and isinstance(value, list):
        return any(_same(inner, wanted) for inner in value)
    return isinstance(value, str) and isinstance(wanted, str) and _text_holds(value, wanted, test, leaf)


def _text_holds(value: str, wanted: str, test: str, leaf: Leaf) -> bool:
    if test == "regex":
        return re.search(wanted, value, 0 if leaf.case_sensitive else re.IGNORECASE) is not None
    if not leaf.case_sensitive:
        value, wanted = value.upper(), wanted.upper()
    if test == "contains":
        return wanted in value
    if test == "starts_with":
        return value.startswith(wanted)
    if test == "ends_with":
        return value.endswith(wanted)
    here, sought = words_of(value), words_of(wanted)
    if test == "words":
        return any(word in here for word in sought)
    if test == "text":
        return all(word in here for word in sought)
    return any(here[i : i + len(sought)] == sought for i in range(len(here)))


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 and 1.0 are one number, true is none."""
    if _type(one) != _type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same(inner, other[key]) for key, inner in one.items())
    return bool(one == other)
