"""What can go wrong with the embedded services and the processes that are supervised."""

from __future__ import annotations

from mixcv.kernel.errors import Unavailable


class ServiceFailed(Unavailable):
    """A service or process could not be started or stopped."""


class HomeTaken(ServiceFailed):
    """Another process serves this data folder."""


class PortTaken(ServiceFailed):
    """Another program listens on the port."""
