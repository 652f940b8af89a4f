"""Brings the database's schema up to date, once, however many processes start together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

# Any number that nothing else in this database uses as an advisory lock.
_LOCK = 0x6D69786376


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds an advisory lock of the database; a second process waits here until the first has migrated."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        # In a transaction that failed nothing can be asked; the lock then ends with the process.
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def unapplied() -> int:
    """How many migrations the database lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def migrate_if_needed() -> int:
    """Applies what is missing; how many migrations that were."""
    with one_at_a_time():
        missing = unapplied()
        if missing:
            call_command("migrate", interactive=False, verbosity=0)
    # The pool's connection would otherwise stay open for as long as the supervisor runs.
    connection.close()
    return missing
