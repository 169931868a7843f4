"""The inbox: open questions, in the order of urgency."""

from __future__ import annotations

from typing import Final

from fsm_agent.domain.selection import ANYBODY
from fsm_agent.errors import ArgumentInvalid
from fsm_agent.server.api.call import Call, Reply

_PAGE: Final = 50


async def questions(call: Call) -> Reply:
    query = call.query
    if query.get("to") == "me" and call.caller.name is None:
        raise ArgumentInvalid("nobody knows who `me` is, since the server asks nobody for a token: give a name")
    to = {None: None, "me": call.caller.name, "anybody": ANYBODY}.get(query.get("to"), query.get("to"))
    page = await call.service.runner.list(
        waiting=True,
        to=to,
        workflow=query.get("workflow"),
        limit=query.get("limit", _PAGE),
        after=query.get("after"),
    )
    return Reply(page.to_json())
