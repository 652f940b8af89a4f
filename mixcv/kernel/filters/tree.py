"""Reading a filter: JSON in, a small tree of frozen values out, every fault with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from mixcv.kernel.errors import InvalidInput

TEXTS = ("contains", "starts_with", "ends_with", "regex", "text", "phrase", "words")
ORDERS = ("gt", "lt", "gte", "lte")
OPERATORS = ("eq", "ne", *ORDERS, "in", "nin", *TEXTS, "exists", "is_null")
GEO = ("geo_radius", "geo_bounding_box", "geo_polygon")

DEEPEST = 12
MOST_LEAVES = 200
MOST_GROUPS = 1000
MOST_VALUES = 1000
LONGEST_TEXT = 2000
LONGEST_FIELD = 200
LONGEST_REGEX = 200
MOST_WORDS = 20
LARGEST_INTEGER = 2**63

_LEAF_KEYS = {"field", "operator", "value", "case_sensitive"}


@dataclass(frozen=True)
class Leaf:
    """One test of one field. `place` is where it stands in the body, for errors."""

    field: str
    operator: str
    value: Any
    case_sensitive: bool = False
    place: str = "filters"


@dataclass(frozen=True)
class AllOf:
    """Every one of `nodes`; of none: always true."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of `nodes`."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """None of `nodes`."""

    nodes: tuple[Node, ...]


Node = AllOf | AnyOf | Not | Leaf
_KINDS: dict[str, type[AllOf] | type[AnyOf] | type[Not]] = {"AND": AllOf, "OR": AnyOf, "NOT": Not}


class _Counted:
    """What was read of a filter so far. It stops at the bounds: what comes after them is not looked at."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._leaves = self._groups = 0

    def leaf(self) -> None:
        self._leaves += 1
        if self._leaves > MOST_LEAVES:
            _fault(self._place, f"A filter may have {MOST_LEAVES} conditions at most.")

    def group(self) -> None:
        self._groups += 1
        if self._groups > MOST_GROUPS:
            _fault(self._place, f"A filter may have {MOST_GROUPS:,} groups at most, empty ones too.")


def parse(raw: Any, place: str = "filters") -> Node:
    """The tree of a filter. Nothing, and an empty object or list, is the filter that lets everything through.

    Raises InvalidInput, whose field is the place of the fault.
    """
    return _node(raw, place, _Counted(place), depth=0, case_sensitive=False)


def leaves(node: Node) -> Iterator[Leaf]:
    """All conditions of a tree."""
    if isinstance(node, Leaf):
        yield node
    else:
        for inner in node.nodes:
            yield from leaves(inner)


def _node(raw: Any, place: str, counted: _Counted, *, depth: int, case_sensitive: bool) -> Node:
    if depth > DEEPEST:
        _fault(place, f"A filter may be nested {DEEPEST} levels deep at most.")
    if not isinstance(raw, Mapping) or "field" not in raw:
        counted.group()
    if raw is None:
        return AllOf(())
    if isinstance(raw, list):
        return AllOf(_nodes(raw, place, counted, depth, case_sensitive))
    if not isinstance(raw, Mapping):
        _fault(place, 'A filter is an object such as {"AND": [{"field": …, "operator": "eq", "value": …}]}.')
    exact = case_sensitive or _flag(raw.get("case_sensitive"), f"{place}.case_sensitive")
    if "field" in raw:
        counted.leaf()
        return _leaf(raw, place, exact)
    if any(key in raw for key in _KINDS):
        return _logic(raw, place, counted, depth, exact)
    found = []
    for key in raw:
        if key != "case_sensitive":
            counted.leaf()
            found.append(_short(key, raw[key], place, exact))
    return _one(AllOf(tuple(found)))


def _logic(raw: Mapping[str, Any], place: str, counted: _Counted, depth: int, exact: bool) -> Node:
    unknown = set(raw) - set(_KINDS) - {"case_sensitive"}
    if unknown:
        _fault(
            place,
            f"{_some(unknown)} beside AND, OR or NOT: put it into the list as a condition of its own.",
        )
    parts: list[Node] = []
    for key in _KINDS:
        inner = raw.get(key)
        if inner is None:
            continue
        if isinstance(inner, Mapping):
            inner = [inner]
        if not isinstance(inner, list):
            _fault(f"{place}.{key}", f"{key} wants a list of conditions.")
        nodes = _nodes(inner, f"{place}.{key}", counted, depth, exact)
        if nodes:
            parts.append(_one(_KINDS[key](nodes)))
    return _one(AllOf(tuple(parts)))


def _nodes(raw: list[Any], place: str, counted: _Counted, depth: int, exact: bool) -> tuple[Node, ...]:
    if len(raw) > MOST_LEAVES:
        _fault(place, f"A filter may have {MOST_LEAVES} conditions at most.")
    return tuple(
        _node(item, f"{place}.{number}", counted, depth=depth + 1, case_sensitive=exact)
        for number, item in enumerate(raw)
    )


def _some(keys: set[Any]) -> str:
    """The first few of the keys, none of them at length."""
    return ", ".join(sorted(str(key)[:60] for key in keys)[:5])


def _one(node: AllOf | AnyOf | Not) -> Node:
    """A list of one is that one."""
    return node.nodes[0] if len(node.nodes) == 1 and not isinstance(node, Not) else node


def _short(field: Any, value: Any, place: str, exact: bool) -> Leaf:
    if isinstance(value, Mapping):
        _fault(
            f"{place}.{field}",
            f'Write a condition on {field} as {{"field": "{field}", "operator": "lt", "value": …}}, or as '
            f'{{"{field}": value}} for equality.',
        )
    operator = "in" if isinstance(value, list) else "eq"
    return _checked(Leaf(_field(field, place), operator, value, exact, place))


def _leaf(raw: Mapping[str, Any], place: str, exact: bool) -> Leaf:
    unknown = set(raw) - _LEAF_KEYS
    if unknown:
        _fault(
            place,
            f"Unknown key {_some(unknown)} in a condition. Accepted: {', '.join(sorted(_LEAF_KEYS))}.",
        )
    operator = raw.get("operator") or "eq"
    if operator in GEO:
        _fault(f"{place}.operator", "Places on earth are not filtered here: geo operators are not offered.")
    if operator not in OPERATORS:
        _fault(
            f"{place}.operator",
            f"There is no operator {str(operator)[:40]!r}. Allowed: {', '.join(OPERATORS)}.",
        )
    if "value" not in raw and operator not in {"exists", "is_null"}:
        _fault(f"{place}.value", f"The operator {operator} wants a value.")
    value = raw.get("value", True)
    return _checked(Leaf(_field(raw["field"], f"{place}.field"), operator, value, exact, place))


def _field(raw: Any, place: str) -> str:
    if not isinstance(raw, str) or not raw or len(raw) > LONGEST_FIELD:
        _fault(place, f"A field is a name of 1 to {LONGEST_FIELD} characters, such as metadata.camera_id.")
    _text(raw, place)
    if not all(raw.split(".")):
        _fault(place, f"{raw!r} has an empty part between its dots.")
    return raw


def _flag(raw: Any, place: str) -> bool:
    if raw is None or isinstance(raw, bool):
        return bool(raw)
    _fault(place, "case_sensitive is true or false.")


def _checked(leaf: Leaf) -> Leaf:
    """The leaf, its value of a form that the operator can take."""
    place, value, operator = f"{leaf.place}.value", leaf.value, leaf.operator
    _bounded(value, place)
    if operator in {"exists", "is_null"} and not isinstance(value, bool):
        _fault(place, f"{operator} wants true or false.")
    if operator in {"in", "nin"}:
        if not isinstance(value, list):
            _fault(place, f"{operator} wants a list.")
        if any(isinstance(item, list | dict) for item in value):
            _fault(place, f"{operator} wants a list of plain values.")
    if operator in ORDERS and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        _fault(place, f"{operator} wants a number, a text or a time.")
    if operator == "contains" and (value is None or isinstance(value, list | dict)):
        _fault(place, "contains wants a text, or one value that a list may hold.")
    if operator in TEXTS and operator != "contains" and not isinstance(value, str):
        _fault(place, f"{operator} wants a text.")
    if operator == "regex":
        check_regex(value, place)
    if operator in {"text", "phrase", "words"} and not 0 < len(words_of(value)) <= MOST_WORDS:
        _fault(place, f"{operator} wants 1 to {MOST_WORDS} words.")
    return leaf


def _bounded(value: Any, place: str) -> None:
    """Refuse what no column can hold or no database can compare, and more values than that at any depth."""
    left, seen = [value], 0
    while left:
        one = left.pop()
        if isinstance(one, str):
            _text(one, place)
        elif isinstance(one, int) and abs(one) >= LARGEST_INTEGER:
            _fault(place, "That number is too large.")
        elif isinstance(one, float) and not math.isfinite(one):
            _fault(place, "That is no finite number.")
        elif isinstance(one, Mapping | list):
            seen += len(one)
            if seen > MOST_VALUES:
                _fault(place, f"At most {MOST_VALUES:,} values.")
            left += [*one.keys(), *one.values()] if isinstance(one, Mapping) else one


def _text(value: str, place: str) -> None:
    if len(value) > LONGEST_TEXT:
        _fault(place, f"A text here may have {LONGEST_TEXT} characters at most.")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        _fault(place, "This text has a character that no text column holds.")


def words_of(text: str) -> list[str]:
    """The words of a text: runs of letters, digits and underscores."""
    return re.findall(r"\w+", text)


def check_regex(pattern: str, place: str) -> None:
    """Only what Python's and PostgreSQL's engines read alike, and what cannot run without end.

    Raises InvalidInput.
    """
    if len(pattern) > LONGEST_REGEX:
        _fault(place, f"A regular expression may have {LONGEST_REGEX} characters at most.")
    foreign = re.search(r"\\[0-9A-Za-z](?<!\\[dDwWsSbtnr])|\(\?(?!:)|[*+?}]\+|\[[.:=]", pattern)
    if foreign:
        _fault(
            place,
            f"{foreign.group()!r} cannot be used in a regular expression here: no back references, lookarounds, "
            "flags, possessive repeats or named classes.",
        )
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        _fault(place, f"That is no regular expression: {error}.")


def _fault(place: str, message: str) -> NoReturn:
    raise InvalidInput(message, field=place)
