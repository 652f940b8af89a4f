"""Public ids: readable where a row has a name, sortable and random where it has none."""

from __future__ import annotations

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: no i, l, o, u


def slug(name: str) -> str:
    """`name` with every run of other characters than letters, digits and underscore as one underscore.

    Letters of any script stay. An empty result becomes `_`.
    """
    return re.sub(r"\W+", "_", name.strip()).strip("_").lower() or "_"


def named_id(prefix: str, name: str) -> str:
    """`bkt_security_footage` for prefix `bkt` and name `security footage`."""
    return f"{prefix}_{slug(name)}"


def random_id(prefix: str) -> str:
    """A 22-character id after `prefix`: 48 bits of milliseconds, then 62 random bits, so that ids sort by time."""
    value = (int(time.time() * 1000) << 62) | secrets.randbits(62)
    digits = []
    for _ in range(22):
        value, digit = divmod(value, 32)
        digits.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(digits))}"
