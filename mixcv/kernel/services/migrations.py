"""Brings the database's schema up to date, once, however many processes start together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from mixcv.kernel.services.errors import ServiceFailed

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
    """Applies what is missing; how many migrations that were. Raises ServiceFailed without a database."""
    try:
        connection.ensure_connection()
    except OperationalError as error:
        where = "named by DATABASE_URL " if os.environ.get("DATABASE_URL") else ""
        raise ServiceFailed(f"The database {where}does not answer: {str(error).strip()}") from None
    with one_at_a_time():
        missing = unapplied()
        if missing:
            call_command("migrate", interactive=False, verbosity=0)
    # The pool's connection would otherwise stay open for as long as the supervisor runs.
    connection.close()
    return missing
