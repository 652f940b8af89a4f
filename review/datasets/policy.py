"""What a dataset takes, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mixcv.kernel.errors import InvalidInput

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Policy:
    """Which images of the extractor's namespace a version takes.

    buckets: ids; none: all. accept_above: detections from this confidence (0 to 1) on count as true on images that
    are not reviewed whole; None: such images stay out. background_share: how much of a split images without any object
    may be, 0 to 1. validation_share: how much of the training images, group by group, is put to `val` beside the
    holdout, 0 to 0.5. only_included: nothing but the images asked for one by one.
    """

    buckets: tuple[str, ...] = ()
    accept_above: float | None = None
    background_share: float = 0.1
    validation_share: float = 0.0
    seed: int = 0
    only_included: bool = False

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "buckets": list(self.buckets)}


def read_policy(values: Mapping[str, Any]) -> Policy:
    """A policy from its JSON form; what is left out is as usual. Raises InvalidInput naming the key."""
    known = Policy().as_json()
    if unknown := sorted(set(values) - set(known)):
        raise InvalidInput(
            f"A policy has no {', '.join(unknown)[:200]}. It has: {', '.join(known)}.", field="policy"
        )
    buckets = values.get("buckets") or []
    if not isinstance(buckets, list | tuple) or not all(isinstance(one, str) for one in buckets):
        raise InvalidInput("buckets is a list of buckets' ids; empty takes all.", field="policy.buckets")
    seed = values.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise InvalidInput(f"seed must be a whole number from 0 to {LARGEST_SEED}.", field="policy.seed")
    only = values.get("only_included", False)
    if not isinstance(only, bool):
        raise InvalidInput("only_included must be true or false.", field="policy.only_included")
    accept = values.get("accept_above")
    return Policy(
        tuple(sorted(set(buckets))),
        None if accept is None else _share("accept_above", accept, 1.0),
        _share("background_share", values.get("background_share", 0.1), 1.0),
        _share("validation_share", values.get("validation_share", 0.0), 0.5),
        seed,
        only,
    )


def _share(name: str, value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise InvalidInput(
            f"{name} is {str(value)[:50]!r}; it must be a number from 0 to {most:g}.", field=f"policy.{name}"
        )
    return float(value)
