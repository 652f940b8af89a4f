"""Why a training process gives up, in words for the person who started the run."""

from __future__ import annotations


class Fault(Exception):
    """`kind`: weights, classes, memory, numbers, settings or broken."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


def fault_of(error: BaseException) -> Fault:
    """The fault behind an error of torch or ultralytics."""
    if isinstance(error, Fault):
        return error
    text = str(error)
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in _MEMORY):
        return Fault(
            "memory",
            "The training ran out of memory. Choose a smaller batch or a smaller image size and start again.",
        )
    if "NaN" in text and isinstance(error, RuntimeError):
        return Fault(
            "numbers",
            "The losses stopped being numbers, and going back to the last checkpoint did not help. Look for broken "
            "boxes in the dataset, or start from other weights.",
        )
    return Fault("broken", f"The training broke: {type(error).__name__}: {text[:1500]}")


_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "cublas_status_alloc_failed")
