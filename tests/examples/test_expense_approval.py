"""The receipts of the expense approval, without any agent."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import examples.expense_approval
from examples.expense_approval.receipts import Receipt, euros, read_report
from examples.files import write_whole

TODAY = date(2026, 11, 23)
HEAD = "date,description,amount\n"


def test_the_receipts_of_the_gallery_are_right() -> None:
    file = Path(examples.expense_approval.__file__).with_name("receipts.csv")
    report = read_report(file.read_text(encoding="utf-8"), TODAY)
    assert (report.problems, len(report.receipts), euros(report.cents)) == ((), 3, "212.40")


def test_a_right_receipt_is_read_whole() -> None:
    report = read_report(HEAD + '2026-03-02,"Train, second class",58.90\n', TODAY)
    assert report.receipts == (Receipt(date(2026, 3, 2), "Train, second class", 5890),)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("2026-02-30,Lunch,1.00", "line 2: '2026-02-30' is not a date; write it like 2027-02-05"),
        ("2026-11-24,Lunch,1.00", "line 2: 2026-11-24 is in the future"),
        ("2026-03-02, ,1.00", "line 2: the description is empty"),
        ("2026-03-02,Lunch,1", "line 2: '1' is not an amount; write it like 12.50"),
        ("2026-03-02,Lunch,0.00", "line 2: '0.00' is not an amount; write it like 12.50"),
        ("2026-03-02,Lunch,-1.00", "line 2: '-1.00' is not an amount; write it like 12.50"),
        ("2026-03-02,Lunch", "line 2: '' is not an amount; write it like 12.50"),
        ("2026-03-02,Lunch,1.00,2.00", "line 2: there are more than 3 columns"),
        ('2026-03-02,"Lunch"x,1.00', "line 2: ',' expected after '\"'"),
        ("", "the file has no receipts"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(row: str, problem: str) -> None:
    report = read_report(f"{HEAD}{row}\n", TODAY)
    assert (report.receipts, report.problems) == ((), (problem,))


def test_every_wrong_row_is_named_not_only_the_first() -> None:
    report = read_report(HEAD + "x,Lunch,1.00\n2026-03-02,Lunch,1.00\n2026-03-02,Lunch,y\n", TODAY)
    assert [problem.partition(":")[0] for problem in report.problems] == ["line 2", "line 4"]
    assert report.cents == 100


def test_a_file_with_other_columns_is_not_read() -> None:
    assert read_report("when,what\n1,2\n", TODAY).problems == ("line 1: the columns must be date, description, amount",)


@given(st.text(max_size=80))
def test_any_text_is_read_without_failing(text: str) -> None:
    assert read_report(text, TODAY).problems
    assert read_report(HEAD + text, TODAY).cents >= 0


@given(st.integers(min_value=0, max_value=10**11))
def test_cents_are_written_as_euros_and_nothing_is_rounded(cents: int) -> None:
    assert int(euros(cents).replace(".", "")) == cents


def test_a_file_that_is_written_again_is_the_same_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "page.md"
    for _ in range(2):
        write_whole(file, "text\n")
    assert file.read_text(encoding="utf-8") == "text\n"
    assert [each.name for each in file.parent.iterdir()] == ["page.md"]
