"""A filter as a condition of a query.

Every condition is true or false, never unknown: a row without the field is not equal to anything, and so it is `ne`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Any, NoReturn

from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, OperationalError, connection, models, transaction
from django.db.models import BooleanField, F, Func, JSONField, Q, TextField, Value
from django.db.models.functions import Collate
from django.db.models.lookups import (
    Contains,
    EndsWith,
    IContains,
    IEndsWith,
    IRegex,
    IsNull,
    IStartsWith,
    Regex,
    StartsWith,
)

from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.filters.moments import moment
from mixcv.kernel.filters.tree import AllOf, AnyOf, Leaf, Node, words_of

_ORDERS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_PATTERNS: dict[str, tuple[Any, Any]] = {
    "contains": (IContains, Contains),
    "starts_with": (IStartsWith, StartsWith),
    "ends_with": (IEndsWith, EndsWith),
}
SECONDS = 10


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOL = "true or false"
    DATETIME = "time"
    JSON = "any"


@dataclass(frozen=True)
class Column:
    """Where a field stands: an ORM path, or an expression, and in a JSON column the keys below it.

    `within` wraps the condition where the column is another table's, as an Exists(). `blank`: an empty text counts as
    no value.
    """

    path: str | Any
    kind: Kind = Kind.TEXT
    keys: tuple[str, ...] = ()
    within: Callable[[Q], Q] | None = None
    blank: bool = False

    @property
    def value(self) -> Any:
        """The field's value as an expression of a query."""
        if self.kind == Kind.JSON:
            return _json(self)
        return F(self.path) if isinstance(self.path, str) else self.path


Resolve = Callable[[str], Column]


def to_q(node: Node, resolve: Resolve) -> Q:
    """The condition of a tree. Raises InvalidInput for an unknown field, or a value that its column cannot have."""
    return Q() if node == AllOf(()) else _q(node, resolve)


def _q(node: Node, resolve: Resolve) -> Q:
    if isinstance(node, Leaf):
        return _leaf(node, resolve(node.field))
    parts = [_q(inner, resolve) for inner in node.nodes]
    if isinstance(node, AllOf):
        return reduce(Q.__and__, parts, _constant(True)) if parts else _constant(True)
    if isinstance(node, AnyOf):
        return reduce(Q.__or__, parts) if parts else _constant(True)
    return reduce(Q.__and__, [_negated(part) for part in parts]) if parts else _constant(True)


def _constant(value: bool) -> Q:
    return Q(Value(value, output_field=BooleanField()))


def _negated(condition: Q) -> Q:
    """Not true: false, or unknown."""
    return Q(Func(condition, template="((%(expressions)s) IS NOT TRUE)", output_field=BooleanField()))


def _op(left: Any, sign: str, right: Any) -> Q:
    return Q(
        Func(
            left,
            right,
            template="(%(expressions)s)",
            arg_joiner=f" {sign} ",
            output_field=BooleanField(),
        )
    )


def _leaf(leaf: Leaf, column: Column) -> Q:
    within = column.within or (lambda condition: condition)
    if leaf.operator in {"exists", "is_null"} or (leaf.value is None and leaf.operator in {"eq", "ne"}):
        wanted = leaf.operator == "ne" if leaf.value is None else leaf.value is (leaf.operator == "exists")
        there = within(_there(column))
        return there if wanted else _negated(there)
    test = {"ne": "eq", "nin": "in"}.get(leaf.operator, leaf.operator)
    found = within(_test(column, test, leaf))
    return found if test == leaf.operator else _negated(found)


def _there(column: Column) -> Q:
    if column.kind == Kind.JSON:
        inner = _json(column)
        return Q(IsNull(inner, False)) & _op(inner, "<>", Func(function="jsonb", template="'null'::jsonb"))
    there = Q(IsNull(column.value, False))
    return there & _op(column.value, "<>", Value("")) if column.blank else there


def _test(column: Column, test: str, leaf: Leaf) -> Q:
    """A condition that is true only where the field has a value that passes."""
    if test == "in":
        values = [value for value in leaf.value if value is not None]
        parts = [_equal(column, value, leaf) for value in values]
        return reduce(Q.__or__, parts) if parts else _constant(False)
    if test == "eq":
        return _equal(column, leaf.value, leaf)
    if test in _ORDERS:
        return _ordered(column, _ORDERS[test], leaf)
    return _text(column, test, leaf)


def _equal(column: Column, value: Any, leaf: Leaf) -> Q:
    if column.kind == Kind.JSON:
        return _op(_json(column), "=", Value(value, output_field=JSONField()))
    return _op(column.value, "=", Value(_fitting(column, value, leaf)))


def _ordered(column: Column, sign: str, leaf: Leaf) -> Q:
    if column.kind == Kind.JSON:
        inner = _json(column)
        if isinstance(leaf.value, str):
            # Texts by their code points, so that ISO times in metadata compare as times.
            return _is(inner, "string") & _op(Collate(_json_text(column), "C"), sign, Value(leaf.value))
        return _is(inner, "number") & _op(inner, sign, Value(leaf.value, output_field=JSONField()))
    if column.kind == Kind.BOOL:
        _misfit(leaf, "true or false, which has no order")
    value = _fitting(column, leaf.value, leaf)
    left = Collate(column.value, "C") if column.kind == Kind.TEXT else column.value
    return _op(left, sign, Value(value))


def _text(column: Column, test: str, leaf: Leaf) -> Q:
    if column.kind == Kind.JSON:
        inner = _json(column)
        listed = _is(inner, "array") & _op(inner, "@>", Value([leaf.value], output_field=JSONField()))
        if not isinstance(leaf.value, str):
            return listed
        found = _is(inner, "string") & _pattern(_json_text(column), test, leaf)
        return found | listed if test == "contains" else found
    if column.kind != Kind.TEXT or not isinstance(leaf.value, str):
        _misfit(leaf, f"{column.kind.value}: {test} is for texts")
    return _pattern(column.value, test, leaf)


def _pattern(left: Any, test: str, leaf: Leaf) -> Q:
    lookup = _PATTERNS.get(test)
    if lookup:
        return Q(lookup[leaf.case_sensitive](left, leaf.value))
    kind: Any = Regex if leaf.case_sensitive else IRegex
    if test == "regex":
        return Q(kind(left, leaf.value.replace(r"\b", r"\y")))
    words = words_of(leaf.value)
    if test == "phrase":
        return Q(kind(left, _word(r"\W+".join(words))))
    return reduce(Q.__or__ if test == "words" else Q.__and__, [Q(kind(left, _word(word))) for word in words])


def _word(pattern: str) -> str:
    return rf"(^|\W){pattern}(\W|$)"


def _is(inner: Func, kind: str) -> Q:
    return _op(Func(inner, function="jsonb_typeof", output_field=TextField()), "=", Value(kind))


def _json(column: Column) -> Func:
    keys = [Value(key) for key in column.keys]
    return Func(F(column.path), *keys, function="jsonb_extract_path", output_field=JSONField())


def _json_text(column: Column) -> Func:
    keys = [Value(key) for key in column.keys]
    return Func(F(column.path), *keys, function="jsonb_extract_path_text", output_field=TextField())


def _fitting(column: Column, value: Any, leaf: Leaf) -> Any:
    """The value as its column takes it. Raises InvalidInput."""
    kind = column.kind
    if kind == Kind.TEXT and isinstance(value, str):
        return value
    if kind == Kind.BOOL and isinstance(value, bool):
        return value
    if kind == Kind.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if kind == Kind.DATETIME and (found := moment(value)) is not None:
        return found
    _misfit(leaf, f"a {kind.value}" if kind != Kind.BOOL else kind.value)


def _misfit(leaf: Leaf, what: str) -> NoReturn:
    extra = ", written as in 2026-05-03T14:30:00Z" if what == "a time" else ""
    raise InvalidInput(
        f"{leaf.field} is {what}{extra}; {str(leaf.value)[:60]!r} does not fit.", field=f"{leaf.place}.value"
    )


def columns(
    mapping: Mapping[str, str | Column],
    free: Mapping[str, str] | None = None,
    *,
    model: type[models.Model] | None = None,
) -> Resolve:
    """A resolver of allow-listed fields.

    `mapping` gives a field's ORM path, whose kind is looked up in `model`, or its Column. `free` gives JSON columns
    below which any name goes: `{"metadata": "metadata"}` allows `metadata.camera_id`; the name "" is for all other
    fields, as `camera_id` alone.
    """
    free = free or {}
    known = {
        name: column if isinstance(column, Column) else Column(column, _kind(model, column))
        for name, column in mapping.items()
    }

    def resolve(field: str) -> Column:
        if field in known:
            return known[field]
        parts = field.split(".")
        if parts[0] in free and len(parts) > 1:
            return Column(free[parts[0]], Kind.JSON, tuple(parts[1:]))
        if "" in free:
            return Column(free[""], Kind.JSON, tuple(parts))
        allowed = sorted(known) + sorted(f"{name}.…" for name in free)
        raise InvalidInput(
            f"There is no field {field!r} to filter by. There are: {', '.join(allowed)}.", field=field
        )

    return resolve


def _kind(model: type[models.Model] | None, path: str) -> Kind:
    """The kind of the column at an ORM path."""
    field: Any = None
    for part in path.split("__"):
        if model is None:
            return Kind.TEXT
        try:
            field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            return Kind.NUMBER  # an annotation: counts are what lists are annotated with
        model = field.related_model
    kinds: list[tuple[type[Any], Kind]] = [
        (models.JSONField, Kind.JSON),
        (models.BooleanField, Kind.BOOL),
        (models.DateField, Kind.DATETIME),
        (models.CharField, Kind.TEXT),
        (models.TextField, Kind.TEXT),
    ]
    return next((kind for cls, kind in kinds if isinstance(field, cls)), Kind.NUMBER)


@contextmanager
def tell_faults(place: str = "filters") -> Iterator[None]:
    """Run a query that people's filters shaped: it ends after some seconds, and what it cannot do is InvalidInput."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(SECONDS * 1000)])
            yield
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    except DataError as error:
        raise InvalidInput(f"The database cannot run this filter: {error}".strip(), field=place) from None
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":
            raise
        raise InvalidInput(
            f"This filter took longer than {SECONDS} seconds; make it narrower.", field=place
        ) from None
