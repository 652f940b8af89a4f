"""How many calls a key may make in a minute."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from mixcv.kernel.errors import DomainError
from mixcv.tenancy.models import ApiKey

log = logging.getLogger(__name__)
WINDOW = 60


class TooManyRequests(DomainError):
    """The key's limit of calls is used up for this minute."""

    code = "too_many_requests"
    status: ClassVar[int] = 429


@dataclass(frozen=True)
class Rate:
    """A key's limit, what is left of it, and when it begins anew (unix seconds)."""

    limit: int
    left: int
    reset: int

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.left)),
            "X-RateLimit-Reset": str(self.reset),
            "X-RateLimit-Window": str(WINDOW),
        }


def count_call(key: ApiKey) -> Rate | None:
    """Count one call of this key; None where nothing is limited, or the counter does not answer."""
    limit = settings.MIXCV_RATE_LIMIT if key.rate_limit is None else key.rate_limit
    if not limit:
        return None
    now = int(time.time())
    window = now // WINDOW
    name = f"rate:{key.pk}:{window}"
    try:
        cache.add(name, 0, timeout=2 * WINDOW)
        used = cache.incr(name)
    except (RedisError, ValueError):  # no limit is better than no service
        log.warning("The counter of calls does not answer")
        return None
    return Rate(limit, limit - used, (window + 1) * WINDOW)


def refuse(rate: Rate) -> TooManyRequests:
    wait = max(1, rate.reset - int(time.time()))
    return TooManyRequests(
        f"This key may make {rate.limit:,} calls a minute and has made them. Try again in {wait} s.",
        details={
            "limit": rate.limit,
            "window": WINDOW,
            "retry_after": wait,
            "retry_after_seconds": wait,
            "retryable": True,
        },
    )
