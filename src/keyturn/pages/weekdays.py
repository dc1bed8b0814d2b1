"""The weekdays of a schedule in a form: a box for each day, of which only those that are ticked are sent."""

from keyturn.rotations.schedule import EVERY_DAY, WEEKDAYS
from keyturn.web.schema.wire import ApiModel


class WeekdayFields(ApiModel):
    """``days_shown``: the form had the boxes, so that one without any tick is told from a form without boxes."""

    days_shown: bool = False
    monday: bool = False
    tuesday: bool = False
    wednesday: bool = False
    thursday: bool = False
    friday: bool = False
    saturday: bool = False
    sunday: bool = False

    def ticked(self) -> dict[str, list[str]]:
        """Return the member of the API's request that the boxes stand for; nothing for a form without boxes."""
        return {"weekdays": [day for day in WEEKDAYS if getattr(self, day)]} if self.days_shown else {}


def ticks(weekdays: frozenset[int] = EVERY_DAY) -> dict[str, bool]:
    """Return the fields as they are filled in with these days."""
    return {day: number in weekdays for number, day in enumerate(WEEKDAYS)} | {"days_shown": True}
