"""The engine that the documentation writes keeps the contract."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

from tests.support.runtime import on_loop

_PAGE: Final = Path(__file__).parents[2] / "docs" / "workers.md"


def names_of_the_page() -> dict[str, Any]:
    """What the examples in Python define, from top to bottom."""
    names: dict[str, Any] = {"__name__": __name__}
    for example in re.findall(r"^```python\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        exec(compile(example, str(_PAGE), "exec"), names)  # noqa: S102 - it is our own page
    return names


NAMES: Final = names_of_the_page()
TestQueueEngine: Any = NAMES["TestQueueEngine"]


@on_loop
async def test_the_worker_of_the_page_works_until_it_is_stopped() -> None:
    stopped = asyncio.Event()
    working = asyncio.create_task(NAMES["work_with_engine"]("local://page", stopped))
    await asyncio.sleep(0)
    stopped.set()
    await asyncio.wait_for(working, 20)
