"""Dates of DDSM's .ics files: day month year by rule, month first in some of one volume."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

_DATE = re.compile(r"(\d{1,2}) (\d{1,2}) (\d{2}|\d{4})", re.ASCII)


class DateOrder(StrEnum):
    """How it is known which number of a date is the day."""

    PROVEN = "proven"
    ASSUMED = "assumed"
    AMBIGUOUS = "ambiguous"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class IcsDate:
    """A date as an .ics file writes it.

    Attributes
    ----------
    text : as it stands there
    order : PROVEN: only one order gives a date; ASSUMED: day month year, as the archive writes;
        AMBIGUOUS: both give one, in a volume that uses both; UNREADABLE: neither does
    day : the date; None where ambiguous or unreadable
    """

    text: str
    order: DateOrder
    day: date | None = None

    @property
    def note(self) -> str:
        """What departs from the rules, in a few words; "" where nothing does."""
        if self.order is DateOrder.UNREADABLE:
            return f"is no date: {self.text[:40]!r}"
        if self.order is DateOrder.AMBIGUOUS:
            return f"may be day month or month day: {self.text!r}"
        return "" if re.search(r"\d{4}$", self.text) else f"has a year of two digits: {self.text!r}"


def read_dates(
    study: str | None, scan: str | None, *, orders_mixed: bool
) -> tuple[IcsDate | None, IcsDate | None]:
    """Read the two dates of one file; one that proves month day puts the other in doubt.

    Parameters
    ----------
    study, scan : text of the two values; None or "" where missing
    orders_mixed : whether the file is of a volume that writes both orders
    """
    texts = [text or None for text in (study, scan)]
    mixed = orders_mixed or any(text is not None and _is_month_first(text) for text in texts)
    first, second = (None if text is None else _read(text, mixed=mixed) for text in texts)
    return first, second


def written(day: date) -> IcsDate:
    """Return a date as the archive writes it: day month year, without leading zeros."""
    return _read(f"{day.day} {day.month} {day.year}", mixed=False)


def _read(text: str, *, mixed: bool) -> IcsDate:
    by_day, by_month = _readings(text)
    if by_day is None or by_month is None:
        known = by_day or by_month
        order = DateOrder.UNREADABLE if known is None else DateOrder.PROVEN
        return IcsDate(text=text, order=order, day=known)
    if by_day == by_month:
        return IcsDate(text=text, order=DateOrder.PROVEN, day=by_day)
    if mixed:
        return IcsDate(text=text, order=DateOrder.AMBIGUOUS)
    return IcsDate(text=text, order=DateOrder.ASSUMED, day=by_day)


def _is_month_first(text: str) -> bool:
    by_day, by_month = _readings(text)
    return by_day is None and by_month is not None


def _readings(text: str) -> tuple[date | None, date | None]:
    """Read a date as day month year and as month day year; None where that gives no date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None, None
    first, second, year = (int(number) for number in found.groups())
    # All films are of the nineties or a little older; none is of the next century.
    year += 1900 if len(found[3]) == 2 else 0
    return _date(year, second, first), _date(year, first, second)


def _date(year: int, month: int, day: int) -> date | None:
    if not 1900 <= year < 2100:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None
