"""What the room refuses."""

from __future__ import annotations

from mixcv.kernel.errors import Conflict


class NotDeployable(Conflict):
    """The version's state does not allow this now."""

    code = "not_deployable"


class InUse(Conflict):
    """Something still needs it; the message names what."""

    code = "in_use"


class GateClosed(Conflict):
    """The version does not show what production asks for; `details` has each check."""

    code = "gate_closed"


class NothingBefore(Conflict):
    """There is no version to go back to."""

    code = "nothing_before"
