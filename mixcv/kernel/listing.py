"""Lists of the API: filters, search, sort and pages, the same for every resource."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.filters import Leaf, Node, Resolve, columns, parse, tell_faults, to_q
from mixcv.kernel.serializers import StrictSerializer

Row = TypeVar("Row", bound=Model)
DEEPEST_OFFSET = 1_000_000
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class PageQuery(serializers.Serializer[Any]):
    """The parameters of every list. `limit` wins over `page_size`, `offset` over `page`."""

    limit = serializers.IntegerField(required=False)
    page_size = serializers.IntegerField(required=False)
    offset = serializers.IntegerField(required=False)
    page = serializers.IntegerField(required=False)
    cursor = serializers.CharField(required=False)
    include_total = serializers.BooleanField(required=False)
    search = serializers.CharField(required=False)


class SortBody(StrictSerializer):
    field = serializers.CharField(max_length=200)
    direction = serializers.ChoiceField(choices=["asc", "desc"], required=False, default="asc")


class ListBody(StrictSerializer):
    """The body of every `POST …/list`; it wins over the query."""

    limit = serializers.IntegerField(required=False, allow_null=True)
    page_size = serializers.IntegerField(required=False, allow_null=True)
    offset = serializers.IntegerField(required=False, allow_null=True)
    page = serializers.IntegerField(required=False, allow_null=True)
    cursor = serializers.CharField(required=False, allow_null=True, max_length=2000)
    next_cursor = serializers.CharField(required=False, allow_null=True, max_length=2000)
    after = serializers.CharField(required=False, allow_null=True, max_length=2000)
    include_total = serializers.BooleanField(required=False, allow_null=True)
    search = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=500)
    filters = serializers.DictField(required=False, allow_null=True)
    sort = SortBody(required=False, allow_null=True)
    sorts = SortBody(required=False, allow_null=True, many=True)
    case_sensitive = serializers.BooleanField(required=False, default=False)


class PaginationAnswer(serializers.Serializer[Any]):
    total = serializers.IntegerField(allow_null=True)
    page = serializers.IntegerField()
    page_size = serializers.IntegerField()
    total_pages = serializers.IntegerField(allow_null=True)
    next_page = serializers.CharField(allow_null=True)
    previous_page = serializers.CharField(allow_null=True)
    next_cursor = serializers.CharField(allow_null=True)


@cache
def page_answer(item: type[serializers.Serializer[Any]], total_name: str | None = "total_count") -> Any:
    """What a list of `item` answers."""
    fields: dict[str, Any] = {"results": item(many=True), "pagination": PaginationAnswer()}
    if total_name:
        fields[total_name] = serializers.IntegerField()
    name = item.__name__.removesuffix("Answer")
    return inline_serializer(f"{name}Page", fields)


@dataclass(frozen=True)
class Listing:
    """What a resource's list can be filtered, searched and sorted by.

    `columns`: field of the API → ORM path, for filters and sort. `free`: prefix of the API → JSON column, whose keys
    are filtered by; `resolve` in place of both for filters that need more. `words`: field → shown value → stored
    value, where the two differ. `search`: ORM paths that the searched text may stand in. `order`: a field of
    `columns`, with `-` for falling; ties go by the row's key in the same direction, so that pages and cursors never
    lose or repeat a row.
    """

    columns: Mapping[str, str]
    order: str
    free: Mapping[str, str] = field(default_factory=dict)
    resolve: Resolve | None = None
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    search: tuple[str, ...] = ()
    default: int = 100
    most: int = 1000
    total_name: str | None = "total_count"

    parameters = PageQuery

    def narrowed(self, rows: QuerySet[Row], data: Mapping[str, Any]) -> QuerySet[Row]:
        """`rows` by the filters and the search of a body. Raises InvalidInput."""
        if data.get("filters"):
            resolve = self.resolve or columns(self.columns, self.free, model=rows.model)
            rows = rows.filter(to_q(self._stored(parse(data["filters"])), resolve))
        if text := str(data.get("search") or ""):
            if "\x00" in text:
                return rows.none()
            wanted = Q()
            for path in self.search:
                wanted |= Q(**{f"{path}__{'contains' if data.get('case_sensitive') else 'icontains'}": text})
            rows = rows.filter(wanted)
        return rows

    def _stored(self, node: Node) -> Node:
        """The tree with the values that rows have in place of those that answers show."""
        if not isinstance(node, Leaf):
            return replace(node, nodes=tuple(self._stored(inner) for inner in node.nodes))
        words = self.words.get(node.field, {})
        value = node.value
        if isinstance(value, str):
            value = words.get(value.upper(), value)
        elif isinstance(value, list | tuple):
            value = type(value)(words.get(one.upper(), one) if isinstance(one, str) else one for one in value)
        return replace(node, value=value) if words else node

    def page(
        self,
        rows: QuerySet[Row],
        present: Callable[[Row], dict[str, Any]],
        request: Request,
        data: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One page of `rows` in the API's form, as the query and the body (`data`) ask for it.

        Raises InvalidInput for a field that is not allowed, a number out of range or a cursor that is none.
        """
        asked = _merged(request, data or {})
        limit, offset = self._numbers(asked)
        names = self._sorting(asked)
        with tell_faults() if asked.get("filters") else nullcontext():
            return self._page(self.narrowed(rows, asked), present, asked, limit, offset, names)

    def _page(
        self,
        rows: QuerySet[Row],
        present: Callable[[Row], dict[str, Any]],
        asked: Mapping[str, Any],
        limit: int,
        offset: int,
        names: list[tuple[str, bool]],
    ) -> dict[str, Any]:
        wants_total = bool(asked.get("include_total"))
        total = rows.count() if self.total_name or wants_total else None
        paths = [(self.columns[name], falling) for name, falling in names]
        falling_key = paths[0][1]
        rows = rows.order_by(
            *[_ordered(path, falling) for path, falling in paths], _ordered("pk", falling_key)
        )
        cursor = asked.get("cursor") or asked.get("next_cursor") or asked.get("after")
        if cursor:
            rows, offset = _after(rows, cursor, names, paths), 0
        found = list(rows[offset : offset + limit + 1])
        more = len(found) > limit
        found = found[:limit]
        page = offset // limit + 1
        body: dict[str, Any] = {
            "results": [present(row) for row in found],
            "pagination": {
                "total": total if wants_total else None,
                "page": page,
                "page_size": limit,
                "total_pages": -(-total // limit) if wants_total and total is not None else None,
                "next_page": str(page + 1) if more else None,
                "previous_page": str(page - 1) if page > 1 else None,
                "next_cursor": _cursor(found[-1], names, paths) if more else None,
            },
        }
        if self.total_name:
            body[self.total_name] = total
        return body

    def _numbers(self, asked: Mapping[str, Any]) -> tuple[int, int]:
        limit = _number(asked, "limit", 1, self.most) or _number(asked, "page_size", 1, self.most)
        limit = limit or self.default
        offset = _number(asked, "offset", 0, DEEPEST_OFFSET)
        if offset is None:
            offset = ((_number(asked, "page", 1, 10_000) or 1) - 1) * limit
        return limit, offset

    def _sorting(self, asked: Mapping[str, Any]) -> list[tuple[str, bool]]:
        sorts = asked.get("sorts") or ([asked["sort"]] if asked.get("sort") else [])
        if not sorts:
            return [(self.order.lstrip("-"), self.order.startswith("-"))]
        for one in sorts:
            if one is None:  # DRF lets a list's null entries through where the list may be null
                raise InvalidInput("sorts has an entry that is null.", field="sorts")
            if one["field"] not in self.columns:
                raise InvalidInput(
                    f"There is no sorting by {one['field']!r}. Allowed: {', '.join(sorted(self.columns))}.",
                    field="sort.field",
                )
        return [(one["field"], one["direction"] == "desc") for one in sorts[:5]]


def _merged(request: Request, data: Mapping[str, Any]) -> dict[str, Any]:
    query = request.query_params
    asked: dict[str, Any] = {
        name: query[name]
        for name in (*PageQuery().fields, "next_cursor", "after")
        if query.get(name) not in (None, "")
    }
    if "include_total" in asked:
        word = str(asked["include_total"]).lower()
        if word not in _WORDS:
            raise InvalidInput(
                f"include_total is {word[:50]!r}; it must be true or false.", field="include_total"
            )
        asked["include_total"] = _WORDS[word]
    return asked | {name: value for name, value in data.items() if value is not None}


def _number(asked: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    raw = asked.get(name)
    if raw in (None, ""):
        return None
    try:
        value = int(str(raw))
    except ValueError:
        raise InvalidInput(f"{name} is {str(raw)[:50]!r}; it must be a whole number.", field=name) from None
    if not low <= value <= high:
        raise InvalidInput(f"{name} is {value}; it must be {low} to {high:,}.", field=name)
    return value


def _ordered(path: str, falling: bool) -> str:
    return f"-{path}" if falling else path


def _value(row: Model, path: str) -> Any:
    value: Any = row
    for part in path.split("__"):
        value = getattr(value, part) if value is not None else None
    return value


def _cursor(row: Model, names: list[tuple[str, bool]], paths: list[tuple[str, bool]]) -> str:
    """Where a page ends: the last row's sort values and its key."""
    values = [_plain(_value(row, path)) for path, _ in paths]
    packed = json.dumps({"by": names, "at": [*values, row.pk]}).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    return float(value) if isinstance(value, Decimal) else value


def _after(
    rows: QuerySet[Row], cursor: str, names: list[tuple[str, bool]], paths: list[tuple[str, bool]]
) -> QuerySet[Row]:
    values = _unpacked(cursor, names)
    try:
        return rows.filter(_beyond(values, paths))
    except (ValueError, TypeError, ValidationError):  # values of another kind than the columns
        raise _wrong_cursor() from None


def _beyond(values: list[Any], paths: list[tuple[str, bool]]) -> Q:
    """The rows after these values in this order. PostgreSQL puts nulls last when rising, first when falling."""
    keyed = [*paths, ("pk", paths[0][1])]
    beyond, same = Q(), Q()
    for (path, falling), value in zip(keyed, values, strict=True):
        if value is None:
            after = Q(**{f"{path}__isnull": False}) if falling else Q(pk__in=[])
            equal = Q(**{f"{path}__isnull": True})
        else:
            after = Q(**{f"{path}__{'lt' if falling else 'gt'}": value})
            if not falling and path != "pk":
                after |= Q(**{f"{path}__isnull": True})
            equal = Q(**{path: value})
        beyond |= same & after
        same &= equal
    return beyond


def _unpacked(cursor: str, names: list[tuple[str, bool]]) -> list[Any]:
    try:
        packed = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        by, values = packed["by"], packed["at"]
    except (binascii.Error, ValueError, TypeError, KeyError):
        raise _wrong_cursor() from None
    if by != [list(name) for name in names] or not isinstance(values, list) or len(values) != len(names) + 1:
        raise _wrong_cursor()
    read = [_read(value) for value in values]
    if not isinstance(read[-1], int) or any(isinstance(value, dict | list) for value in read):
        raise _wrong_cursor()
    return read


def _wrong_cursor() -> InvalidInput:
    return InvalidInput(
        "This cursor is not one of this list in this order. Start again without it.", field="cursor"
    )


def _read(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"time"} and isinstance(value["time"], str):
        try:
            return parse_datetime(value["time"]) or value
        except ValueError:
            return value
    return value
