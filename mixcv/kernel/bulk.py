"""Many rows of one model at once: COPY in, and one UPDATE from arrays; a few statements for any number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import FloatField, JSONField, Model
from psycopg.types.json import Jsonb


def reserve_keys(model: type[Model], number: int) -> list[int]:
    """Keys that no other row of `model` will get."""
    if not number:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [model._meta.db_table, number],
        )
        return [row[0] for row in cursor.fetchall()]


def copy_in(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY values into a model's table. `columns` are column names; a JSON value is a plain Python one."""
    wrapped = _json_places(model, columns)
    names = ", ".join(f'"{name}"' for name in columns)
    with (
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN') as copy,
    ):
        for row in rows:
            values = list(row)
            for place in wrapped:
                values[place] = Jsonb(values[place])
            copy.write_row(values)


def update_all(rows: Sequence[Model], columns: Sequence[str]) -> None:
    """Write `columns` of rows that are all of one model, in one statement."""
    if not rows:
        return
    model = type(rows[0])
    fields = {field.column: field for field in model._meta.concrete_fields}
    wrapped = {columns[place] for place in _json_places(model, columns)}
    arrays, casts = [[row.pk for row in rows]], ["%s::bigint[]"]
    for name in columns:
        values = [getattr(row, name) for row in rows]
        if isinstance(fields[name], FloatField):  # whole and other numbers do not go into one array
            values = [None if value is None else float(value) for value in values]
        if name in wrapped:
            arrays.append([Jsonb(value) for value in values])
            casts.append("%s::jsonb[]")
        else:
            arrays.append(values)
            casts.append(f"%s::{_array_type(fields[name])}[]")
    names = ", ".join(f'"{name}"' for name in columns)
    sets = ", ".join(f'"{name}" = v."{name}"' for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE "{model._meta.db_table}" t SET {sets} '
            f"FROM unnest({', '.join(casts)}) AS v(id, {names}) WHERE t.id = v.id",
            arrays,
        )


def _array_type(field: Any) -> str:
    kind = str(field.rel_db_type(connection) if field.is_relation else field.db_type(connection))
    return "text" if kind.startswith("varchar") else kind  # a cast to varchar(n) would cut without a word


def _json_places(model: type[Model], columns: Sequence[str]) -> list[int]:
    json = {field.column for field in model._meta.concrete_fields if isinstance(field, JSONField)}
    return [place for place, name in enumerate(columns) if name in json]
