"""All that is wrong with a body, told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mixcv.kernel.errors import DomainError, InvalidInput


class Faults:
    """Collects faults: `with faults.of(): check(...)`, and at the end `faults.tell()`."""

    def __init__(self) -> None:
        self.found: list[DomainError] = []

    def add(self, fault: DomainError) -> None:
        self.found.append(fault)

    @contextmanager
    def of(self) -> Iterator[None]:
        """Keeps what the block raises and goes on behind it."""
        try:
            yield
        except DomainError as fault:
            self.found.append(fault)

    def tell(self) -> None:
        """Raises the fault, or one InvalidInput that lists all of them with their places."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            first, others = self.found[0], len(self.found) - 1
            raise InvalidInput(
                f"{first.message} And {others} more: see validation_errors.",
                field=first.field,
                details={"validation_errors": [entry for fault in self.found for entry in entries(fault)]},
            )


def entries(fault: DomainError) -> list[dict[str, Any]]:
    """A fault in the API's list of faults."""
    if inner := fault.details.get("validation_errors"):
        return list(inner)
    place = ["body", *(fault.field.split(".") if fault.field else [])]
    return [{"type": fault.code, "location": place, "message": fault.message}]
