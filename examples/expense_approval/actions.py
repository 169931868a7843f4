"""What the states of ``expense_approval`` do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from examples.expense_approval.receipts import euros, read_report
from examples.files import write_whole
from fsm_agent import Context, action


@action(writes=["lines", "cents", "total", "problems"])
def check_receipts(ctx: Context, *, file: str) -> Literal["receipts_fine", "receipts_faulty"]:
    """Read the receipts and add them up; a file that cannot be read is a mistake of the author, like any other."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        ctx.data.problems = [f"the file cannot be read: {getattr(error, 'strerror', None) or error}"]
        return "receipts_faulty"
    report = read_report(text, ctx.now.date())
    ctx.data.problems = list(report.problems)
    if report.problems:
        return "receipts_faulty"
    ctx.data.lines = [
        {"date": receipt.day.isoformat(), "description": receipt.description, "cents": receipt.cents}
        for receipt in report.receipts
    ]
    ctx.data.cents = report.cents
    ctx.data.total = euros(report.cents)
    return "receipts_fine"


@action(writes=["entry"])
def enter_in_ledger(ctx: Context, *, ledger: str) -> Literal["entered"]:
    """Write the approved report into the folder ``ledger``: one file a report, so that a repeat adds nothing."""
    entry = {name: ctx.data.plain(name) for name in ("author", "approver", "total", "lines")}
    file = Path(ledger, f"{ctx.agent_id}.json")
    write_whole(file, json.dumps({"report": ctx.agent_id, **entry}, indent=2, ensure_ascii=False) + "\n")
    ctx.data.entry = str(file)
    return "entered"
