"""Dates of .ics files: which order is proven, which assumed, and which cannot be told."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.formats.ics_date import DateOrder, read_dates, written


def read(text, other=None, *, mixed=False):
    return read_dates(text, other, orders_mixed=mixed)[0]


@pytest.mark.parametrize(
    ("text", "order", "day"),
    [
        ("21 6 1995", DateOrder.PROVEN, date(1995, 6, 21)),
        ("7 22 1997", DateOrder.PROVEN, date(1997, 7, 22)),
        ("4 5 1999", DateOrder.ASSUMED, date(1999, 5, 4)),
        ("5 5 1999", DateOrder.PROVEN, date(1999, 5, 5)),
        ("5 11 92", DateOrder.ASSUMED, date(1992, 11, 5)),
        ("30 10 980", DateOrder.UNREADABLE, None),
        ("30 2 1995", DateOrder.UNREADABLE, None),
        ("1995", DateOrder.UNREADABLE, None),
        ("0 0 1995", DateOrder.UNREADABLE, None),
        ("5 11 0092", DateOrder.UNREADABLE, None),
    ],
)
def test_a_date_is_read_day_first_unless_it_proves_otherwise(text, order, day):
    found = read(text)
    assert (found.order, found.day, found.text) == (order, day, text)


def test_a_date_of_a_mixed_volume_that_allows_both_orders_is_ambiguous():
    found = read("6 3 1996", mixed=True)
    assert (found.order, found.day) == (DateOrder.AMBIGUOUS, None)


def test_a_mixed_volume_does_not_unsettle_a_proven_date():
    assert read("21 6 1995", mixed=True).day == date(1995, 6, 21)


def test_a_month_first_date_puts_the_other_of_its_file_in_doubt():
    assert read("4 5 1999", "7 22 1995").order is DateOrder.AMBIGUOUS
    assert read("4 5 1999", "22 7 1995").order is DateOrder.ASSUMED


def test_missing_dates_are_none():
    assert read_dates(None, "", orders_mixed=False) == (None, None)


@pytest.mark.parametrize(
    ("text", "mixed", "note"),
    [
        ("21 6 1995", False, ""),
        ("4 5 1999", False, ""),
        ("5 11 92", False, "two digits"),
        ("30 10 980", False, "no date"),
        ("6 3 1996", True, "day month or month day"),
    ],
)
def test_what_is_odd_about_a_date_is_noted(text, mixed, note):
    said = read(text, mixed=mixed).note
    assert (said == "") == (note == "")
    assert note in said


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_a_date_that_is_written_is_read_again(day):
    assert written(day).day == day
    assert read(written(day).text) == written(day)
