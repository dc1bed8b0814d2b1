"""How long before something ends by itself somebody should act."""

from datetime import timedelta

WARNS_BEFORE_END = timedelta(days=30)
URGENT_BEFORE_END = timedelta(days=7)
