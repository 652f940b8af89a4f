"""Numbers beside the entries of the navigation, from the apps that own them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixcv.kernel.registry import Registry

# Called with the namespace's key; answers {nav entry: number}.
nav_counts: Registry[Callable[[int], dict[str, int]]] = Registry("navigation counts")

# Called with the namespace's key where jobs are live; answers how many of them wait for something that is not there.
stuck_jobs: Registry[Callable[[int], int]] = Registry("stuck jobs")


@dataclass(frozen=True)
class Entry:
    """A place of the navigation: `name` is its page's, and what pages say in `here`."""

    name: str
    title: str


# In the bar: what the loop needs all the time. Under "More": the rest. Only pages that exist are shown.
MAIN = (
    Entry("home", "Home"),
    Entry("images", "Images"),
    Entry("review", "Review"),
    Entry("datasets", "Datasets"),
    Entry("training", "Training"),
    Entry("versions", "Versions"),
    Entry("quality", "Quality"),
)
MORE = (
    Entry("detectors", "Detectors"),
    Entry("batches", "Batches"),
    Entry("models", "Models"),
    Entry("retrievers", "Retrievers"),
    Entry("clusters", "Clusters"),
    Entry("taxonomies", "Taxonomies"),
    Entry("rules", "Rules"),
    Entry("webhooks", "Webhooks"),
    Entry("tasks", "Tasks"),
    Entry("programs", "API"),
)
