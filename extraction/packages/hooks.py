"""Where higher apps join in when versions go into production."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from extraction.packages.models import ExtractorVersion
from mixcv.kernel.registry import Registry


@dataclass(frozen=True)
class GateAnswer:
    """Whether a version may go into production. `words`: why not; `details`: what spoke for or against it, as JSON."""

    open: bool
    words: str = ""
    details: dict[str, Any] = field(default_factory=dict)


# Called inside the transaction in which a person or a rule promotes a version; all of them must be open.
production_gate: Registry[Callable[[ExtractorVersion], GateAnswer]] = Registry("production gates")
