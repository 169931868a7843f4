"""DOT and Mermaid are the same bytes every time, and these bytes.

``python -m tests.render.test_expected`` writes the expected files anew; look at what changed before you keep it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from fsm_agent.domain.workflow import Workflow
from fsm_agent.render.formats import FORMATS, draw
from fsm_agent.render.overlay import Overlay, overlay_from_history
from tests.support.workflows import BOOK_FLIGHT, BOOK_FLIGHT_STEPS, EXPENSE_APPROVAL

EXPECTED: Final = Path(__file__).parent / "expected"
PICTURES: Final[dict[str, tuple[Workflow, Overlay | None]]] = {
    "book_flight": (BOOK_FLIGHT, None),
    "book_flight_path": (BOOK_FLIGHT, overlay_from_history(BOOK_FLIGHT, "waiting_feedback", BOOK_FLIGHT_STEPS)),
    "expense_approval": (EXPENSE_APPROVAL, None),
}


@pytest.mark.parametrize("format_name", ["dot", "mermaid"])
@pytest.mark.parametrize("name", PICTURES)
def test_the_text_formats_are_byte_for_byte_what_is_expected(name: str, format_name: str) -> None:
    workflow, overlay = PICTURES[name]
    expected = (EXPECTED / name).with_suffix(FORMATS[format_name].suffix).read_bytes()
    assert draw(workflow, format_name, overlay=overlay) == expected


@pytest.mark.parametrize("format_name", ["dot", "mermaid"])
def test_a_workflow_that_was_stored_and_read_back_draws_alike(format_name: str) -> None:
    again = Workflow.from_json(EXPENSE_APPROVAL.to_json())
    assert draw(again, format_name) == draw(EXPENSE_APPROVAL, format_name)


def write_expected() -> None:
    for name, (workflow, overlay) in PICTURES.items():
        for format_name in ("dot", "mermaid"):
            file = (EXPECTED / name).with_suffix(FORMATS[format_name].suffix)
            file.write_bytes(draw(workflow, format_name, overlay=overlay))


if __name__ == "__main__":
    write_expected()
