"""Numbers beside the entries of the navigation, from the apps that own them."""

from __future__ import annotations

from collections.abc import Callable

from mixcv.kernel.registry import Registry

# Called with the namespace's key; answers {nav entry: number}.
nav_counts: Registry[Callable[[int], dict[str, int]]] = Registry("navigation counts")

# Called with the namespace's key where jobs are live; answers how many of them wait for something that is not there.
stuck_jobs: Registry[Callable[[int], int]] = Registry("stuck jobs")
