"""Expired sessions.

MiniStack: forgets a session that has expired, which makes its keys unknown instead of expired. Superfluous when
MiniStack answers ExpiredToken for them.
"""

from ministack.services import sts

from localaws.core.patching import replace


def install() -> None:
    """Remember expired sessions."""
    replace(sts, "_evict_expired_sessions", lambda: None)
