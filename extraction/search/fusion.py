"""Several ranked lists as one."""

from __future__ import annotations

from collections.abc import Sequence

FUSIONS = ("rrf", "weighted", "max")
_RRF = 60

Ranked = Sequence[tuple[int, float]]


def fuse(lists: Sequence[Ranked], weights: Sequence[float], how: str) -> list[tuple[int, float]]:
    """(key, score) lists, the best first, as one of them, the best first; ties by key.

    `rrf`: reciprocal rank fusion (Cormack et al., 2009), k = 60. `weighted`: the mean of the scores by the weights, 0
    where a list does not have it. `max`: the best score. One list alone stays as it is.
    """
    if len(lists) == 1:
        return list(lists[0])
    fused: dict[int, float] = {}
    total = sum(weights) or 1.0
    for ranked, weight in zip(lists, weights, strict=True):
        for place, (key, score) in enumerate(ranked, 1):
            if how == "max":
                fused[key] = max(fused.get(key, score), score)
            elif how == "weighted":
                fused[key] = fused.get(key, 0.0) + weight / total * score
            else:
                fused[key] = fused.get(key, 0.0) + weight / (_RRF + place)
    return sorted(fused.items(), key=lambda pair: (-pair[1], pair[0]))
