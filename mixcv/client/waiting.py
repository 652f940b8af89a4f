"""How long to wait before a call is repeated: pure, over answers and numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from mixcv.client.errors import ApiError

LONGEST = 30.0
# Without an answer: soon, as a server that restarts is back in seconds, and not for ever, as an address may be wrong.
LONGEST_WITHOUT_ANSWER = 8.0
MOST_WITHOUT_ANSWER = 60.0


def told_in(response: httpx.Response, *, now: datetime | None = None) -> float | None:
    """Seconds that an answer's `Retry-After` (a number or a date) asks for; None where it asks for none."""
    text = response.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def wait_after(error: ApiError, attempt: int) -> float:
    """Seconds before the call is repeated for the `attempt`-th time, from 0: what the header says, else what the
    details say, else 2 s doubling; at most 30 s."""
    if not error.status:
        return min(LONGEST_WITHOUT_ANSWER, 0.25 * 2.0 ** min(attempt, 10))
    told = error.retry_after
    if told is None:
        in_details = error.details.get("retry_after_seconds")
        if isinstance(in_details, int | float) and in_details >= 0:
            told = float(in_details)
    return min(LONGEST, 2.0 * 2.0 ** min(attempt, 10) if told is None else told)
