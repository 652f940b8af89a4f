"""How a host can fail. Each message is for the person who looks at the failed item."""

from __future__ import annotations

from mixcv.kernel.errors import DomainError


class HostError(DomainError):
    """The extractor host did not give a result."""

    code = "host_failed"
    status = 503

    def __init__(self, message: str, *, last_words: str = "") -> None:
        said = f"\nThe host's last words:\n{last_words}" if last_words else ""
        super().__init__(message + said, details={"last_words": last_words})
        self.last_words = last_words


class HostCrashed(HostError):
    """The process ended by itself."""

    code = "host_crashed"


class HostTimeout(HostError):
    """The process took longer than it may, and was killed."""

    code = "host_timeout"


class HostOutOfMemory(HostError):
    """The process needed more memory than it may have."""

    code = "host_out_of_memory"


class HostClosed(HostError):
    """The host was closed while the request waited."""

    code = "host_closed"


class PackageError(HostError):
    """The package's own code raised, and the host goes on."""

    code = "package_error"
    status = 422
