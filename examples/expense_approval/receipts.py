"""Receipts as a CSV file with the columns date, description and amount, and what can be wrong with them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import Final

_COLUMNS: Final = ("date", "description", "amount")
_AMOUNT: Final = re.compile(r"(\d{1,9})\.(\d{2})")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One expense; amounts are counted in cents, because money is no fraction."""

    day: date
    description: str
    cents: int


@dataclass(frozen=True, slots=True)
class Report:
    """The receipts that are right, and a sentence for every mistake, with its line."""

    receipts: tuple[Receipt, ...]
    problems: tuple[str, ...]

    @property
    def cents(self) -> int:
        return sum(receipt.cents for receipt in self.receipts)


def read_report(text: str, today: date) -> Report:
    """Read a whole file; a mistake in one line does not hide those in the next."""
    rows = csv.DictReader(StringIO(text, newline=""), strict=True)
    receipts: list[Receipt] = []
    problems: list[str] = []
    try:
        if tuple(rows.fieldnames or ()) != _COLUMNS:
            return Report((), (f"line 1: the columns must be {', '.join(_COLUMNS)}",))
        for row in rows:
            match _receipt(row, today):
                case Receipt() as receipt:
                    receipts.append(receipt)
                case mistake:
                    problems.append(f"line {rows.line_num}: {mistake}")
    except csv.Error as error:
        problems.append(f"line {rows.reader.line_num}: {error}")
    if not receipts and not problems:
        problems.append("the file has no receipts")
    return Report(tuple(receipts), tuple(problems))


def euros(cents: int) -> str:
    """12345 -> "123.45"."""
    return f"{cents // 100}.{cents % 100:02}"


def _receipt(row: Mapping[str, str | None], today: date) -> Receipt | str:
    """The receipt of a row, or what is wrong with it. A row that is too short has ``None`` in its columns."""
    said, description, amount = (str(row[column] or "").strip() for column in _COLUMNS)
    day = _day(said)
    price = _AMOUNT.fullmatch(amount)
    if len(row) > len(_COLUMNS):
        return f"there are more than {len(_COLUMNS)} columns"
    if day is None:
        return f"{said!r} is not a date; write it like 2027-02-05"
    if day > today:
        return f"{said} is in the future"
    if not description:
        return "the description is empty"
    if price is None or amount == "0.00":
        return f"{amount!r} is not an amount; write it like 12.50"
    return Receipt(day, description, 100 * int(price[1]) + int(price[2]))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
