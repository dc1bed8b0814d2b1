"""How much there may be of what people and programs make, so that nobody fills the server or the pages of others."""

from keyturn.errors import Refused


def require_room(there: int, most: int, what: str, setting: str) -> None:
    """Raise Refused when there are as many as there may be; 0 is no limit.

    Counted in the transaction that adds one. Servers that add at the same moment on PostgreSQL may exceed it by a few.
    """
    if most and there >= most:
        raise Refused(
            f"There are {there} {what} already, as many as this server allows.",
            code="access.quota",
            fix=f"Delete what nobody needs, or ask the operator of this server for a higher {setting}.",
        )
