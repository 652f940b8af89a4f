"""What the room refuses."""

from __future__ import annotations

from mixcv.kernel.errors import Conflict


class NotDeployable(Conflict):
    """The version's state does not allow this now."""

    code = "not_deployable"


class InUse(Conflict):
    """Something still needs it; the message names what."""

    code = "in_use"
