"""``python -m fsm_agent.server.api PAGE`` writes the reference of the API into a page; ``make http-api`` names it."""

from __future__ import annotations

import sys
from pathlib import Path

from fsm_agent.server.api.reference import written

page = Path(sys.argv[1])
page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
