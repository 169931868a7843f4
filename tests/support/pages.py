"""What tests look for in a page that came as HTML."""

from __future__ import annotations

import html
import re

from fsm_agent.domain.agent import Agent
from tests.support.servers.in_thread import Served


def text_of(page: str) -> str:
    """What a page says, with single blanks."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(
        html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<(?!/?(a|b|bdi|span|strong)\b)", " <", body))).split()
    )


def facts_of(served: Served, agent_id: str) -> Agent:
    """The agent as it is now."""
    return served.run(served.services["default"].runner.get(agent_id))
