"""Operations on agents: those that read them, and those that change them."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.replay import effect_json
from fsm_agent.errors import ArgumentInvalid
from fsm_agent.memory.threads import Thread
from fsm_agent.runtime.agent_reads import read_children
from fsm_agent.server.api.call import Call, Reply
from fsm_agent.server.problems import HttpProblem

_PAGE: Final = 50


async def start(call: Call) -> Reply:
    """Start an agent, once for each key."""
    body = call.body
    agent = await call.service.runner.start(
        call.service.startable(body["workflow"]),
        body.get("event"),
        body.get("payload"),
        data=body.get("data"),
        id=body.get("id"),
        key=call.key,
        by=call.caller.name,
        user=body.get("user"),
        labels=body.get("labels"),
        drive=False,
    )
    return await _created(call, agent)


async def fork(call: Call) -> Reply:
    body = call.body
    agent = await call.service.runner.fork(
        call.id, body.get("version"), id=body.get("id"), key=call.key, by=call.caller.name
    )
    return await _created(call, agent)


async def _created(call: Call, agent: Agent) -> Reply:
    status = 200 if agent.delivery == "duplicate" else 201
    agent = await call.service.go_on(agent, call.wait_s)
    return Reply.of_agent(agent, status, Location=f"/v1/agents/{agent.id}")


async def list_agents(call: Call) -> Reply:
    query = call.query
    selection: dict[str, Any] = {each: query[each] for each in ("workflow", "state", "user", "newest") if each in query}
    if "status" in query:
        selection["status"] = Status(query["status"])
    if "label" in query:
        name, has_text, text = query["label"].partition("=")
        selection["label"] = (name, text) if has_text else name
    page = await call.service.runner.list(**selection, **_page_of(call))
    return Reply(page.to_json())


def _page_of(call: Call) -> dict[str, Any]:
    return {"limit": call.query.get("limit", _PAGE), "after": call.query.get("after")}


async def show(call: Call) -> Reply:
    return Reply.of_agent(await call.service.runner.get(call.id, at=call.query.get("at")))


async def steps(call: Call) -> Reply:
    limit = call.query.get("limit", _PAGE)
    found = await call.service.runner.store.history(call.id, after=call.query.get("after", 0), limit=limit + 1)
    following = found[limit - 1].version if len(found) > limit else None
    return Reply({"steps": [step.to_json() for step in found[:limit]], "next": following})


async def effects(call: Call) -> Reply:
    entries = await call.service.runner.effects(call.id)
    return Reply({"effects": [effect_json(entry) for entry in entries]})


async def messages(call: Call) -> Reply:
    """The last messages of the agent's conversation, as the agent sees it."""
    last = call.query.get("last", _PAGE)
    found = await Thread.of_agent(call.service.runner.store, call.id).messages(last=last + 1)
    return Reply({"messages": [message.to_json() for message in found[-last:]], "earlier": len(found) > last})


async def children(call: Call) -> Reply:
    store = call.service.runner.store
    found = await read_children(store, await store.head(call.id))
    if found is None:
        return Reply({"children": [], "total": 0})
    listed: list[Json] = [
        {
            "id": head.id,
            "number": head.parent.number if head.parent else 0,
            "workflow": head.workflow,
            "state": head.state,
            "status": str(head.status),
            "version": head.version,
        }
        for head in found.heads
    ]
    return Reply({"children": listed, "total": found.total})


async def diagram(call: Call) -> Reply:
    """The picture of an agent's workflow, with the path that it has taken."""
    from fsm_agent.server.diagrams import MEDIA, draw_agent

    name = call.query.get("format", "svg")
    picture = await draw_agent(call.service.runner, call.id, name, at=call.query.get("at"))
    return Reply(Response(picture, media_type=MEDIA[name]))


async def send(call: Call) -> Reply:
    runner, body = call.service.runner, call.body
    return await _gone_on(call, await runner.send(call.id, body["event"], body.get("payload"), **_delivering(call)))


async def answer(call: Call) -> Reply:
    runner, body = call.service.runner, call.body
    if "question" not in body:
        raise HttpProblem(428, "question-unnamed", "the answer must name the id of the question that it is for")
    agent = await runner.answer(
        call.id, body.get("payload"), event=body.get("event"), question=body["question"], **_delivering(call)
    )
    return await _gone_on(call, agent)


async def cancel(call: Call) -> Reply:
    return await _gone_on(call, await call.service.runner.cancel(call.id, **_changing(call)))


async def unpark(call: Call) -> Reply:
    body = dict(call.body)
    if ("result" in body or "not_done" in body) and "effect" not in body:
        raise ArgumentInvalid("`result` and `not_done` say what became of an effect: name it with `effect`")
    return await _gone_on(call, await call.service.runner.unpark(call.id, **body, **_changing(call)))


async def rewind(call: Call) -> Reply:
    rewound = await call.service.runner.rewind(call.id, call.body["version"], **_changing(call))
    return await _gone_on(call, rewound.agent)


async def resume(call: Call) -> Reply:
    """Have an agent driven that was interrupted or is due."""
    agent = await call.service.runner.get(call.id)
    if call.expect_version not in (None, agent.version):
        raise HttpProblem(412, "conflict", f"agent {call.id!r} is at version {agent.version}")
    return await _gone_on(call, agent)


def _changing(call: Call) -> dict[str, Any]:
    return {"by": call.caller.name, "expect_version": call.expect_version, "drive": False}


def _delivering(call: Call) -> dict[str, Any]:
    return {**_changing(call), "key": call.key}


async def _gone_on(call: Call, agent: Agent) -> Reply:
    return Reply.of_agent(await call.service.go_on(agent, call.wait_s))
