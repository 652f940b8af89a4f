"""Work of several people at the same moment, each in a thread and a connection of its own."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

PATIENCE = 1.0


def at_once(*works: Callable[[], Any], before: str, nth: int = 1) -> list[Any]:
    """What each work returns, or the exception that it raises.

    Each waits before its `nth` statement that matches the pattern `before` until the others are there too, or for a
    second: by then another is known to wait for a lock.
    """
    meeting = threading.Barrier(len(works))
    outcomes: list[Any] = [None] * len(works)

    def run(place: int, work: Callable[[], Any]) -> None:
        seen = 0

        def meet(execute: Any, sql: str, *rest: Any) -> Any:
            nonlocal seen
            if re.search(before, sql, re.DOTALL):
                seen += 1
                if seen == nth:
                    with contextlib.suppress(threading.BrokenBarrierError):
                        meeting.wait(PATIENCE)
            return execute(sql, *rest)

        try:
            with connection.execute_wrapper(meet):
                outcomes[place] = work()
        except Exception as error:
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
