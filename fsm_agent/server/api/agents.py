"""Operations on agents: those that read them, and those that change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from fsm_agent.domain.agent import Agent, Status
from fsm_agent.domain.json import Json
from fsm_agent.domain.replay import effect_json
from fsm_agent.errors import ArgumentInvalid, Conflict, KeyReuse
from fsm_agent.memory.conversation_reader import Position
from fsm_agent.memory.threads import Thread
from fsm_agent.runtime.agent_reads import read_children
from fsm_agent.server.api.call import Call, Reply
from fsm_agent.server.api.given_schemas import CONTENT
from fsm_agent.server.tokens import Scope

_PAGE: Final = 50
#: for who opens a picture in a browser: nothing in it runs
_PICTURE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


async def start(call: Call) -> Reply:
    """Start an agent, once for each key."""
    body = call.body
    _refuse_lone_payload(body)
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
    """The agent that was made, now or by the first request under its key, which may not have asked for another id."""
    if call.key is not None and call.body.get("id", agent.id) != agent.id:
        raise KeyReuse(call.key, "id")
    status = 200 if agent.delivery == "duplicate" else 201
    where = f"?namespace={call.service.namespace}" if len(call.caller.namespaces) > 1 else ""
    return await _gone_on(call, agent, status, Location=f"/v1/agents/{agent.id}{where}")


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
    return Reply({"id": call.id, "steps": [step.to_json() for step in found[:limit]], "next": following})


async def effects(call: Call) -> Reply:
    entries = await call.service.runner.effects(call.id)
    return Reply({"effects": [effect_json(entry) for entry in entries]})


async def messages(call: Call) -> Reply:
    """Messages of the agent's conversation, as the agent sees it: the last ones, or the last before some."""
    limit, before = call.query.get("limit", _PAGE), call.query.get("before")
    place = Position(*map(int, before.split("."))) if before else None
    found = await Thread.of_agent(call.service.runner.store, call.id).page(limit + 1, before=place)
    told = found[-limit:]
    earlier = "{}.{}".format(*told[0].at) if len(found) > limit else None
    return Reply({"messages": [each.message.to_json() for each in told], "earlier": earlier})


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
    return Reply(Response(picture, media_type=MEDIA[name], headers={"Content-Security-Policy": _PICTURE_POLICY}))


async def send(call: Call) -> Reply:
    runner, body = call.service.runner, call.body
    return await _gone_on(call, await runner.send(call.id, body["event"], body.get("payload"), **_delivering(call)))


async def answer(call: Call) -> Reply:
    runner, body = call.service.runner, call.body
    agent = await runner.answer(
        call.id, body.get("payload"), event=body.get("event"), question=body["question"], **_delivering(call)
    )
    return await _gone_on(call, agent)


async def cancel(call: Call) -> Reply:
    return await _gone_on(call, await call.service.runner.cancel(call.id, **_changing(call)))


async def unpark(call: Call) -> Reply:
    body = dict(call.body)
    said = [name for name in ("result", "not_done") if body.get(name, False) is not False]
    if said and "effect" not in body:
        raise ArgumentInvalid(f"{said[0]} says what became of an effect: name its key as `effect`")
    if "effect" in body and (len(said) != 1 or "event" in body):
        raise ArgumentInvalid("an effect is settled by its `result` or by `not_done`: one of them, and without `event`")
    _refuse_lone_payload(body)
    return await _gone_on(call, await call.service.runner.unpark(call.id, **body, **_changing(call)))


def _refuse_lone_payload(body: Mapping[str, Any]) -> None:
    if "payload" in body and "event" not in body:
        raise ArgumentInvalid("`payload` is that of an `event`, which is missing")


async def rewind(call: Call) -> Reply:
    rewound = await call.service.runner.rewind(call.id, call.body["version"], **_changing(call))
    return await _gone_on(call, rewound.agent)


async def resume(call: Call) -> Reply:
    """Have an agent driven that was interrupted or is due."""
    agent = await call.service.runner.get(call.id)
    if call.expect_version is not None and call.expect_version != agent.version:
        raise Conflict(call.id, call.expect_version, agent.version)
    return await _gone_on(call, agent)


def _changing(call: Call) -> dict[str, Any]:
    return {"by": call.caller.name, "expect_version": call.expect_version, "drive": False}


def _delivering(call: Call) -> dict[str, Any]:
    return {**_changing(call), "key": call.key}


async def _gone_on(call: Call, agent: Agent, status: int = 200, **headers: str) -> Reply:
    """The agent, driven on, after the time that the caller would wait. Its data are for those who may read."""
    agent = await call.service.go_on(agent, call.wait_s)
    if call.wait_s:
        headers["Preference-Applied"] = f"wait={call.wait_s}"
    reply = Reply.of_agent(agent, status, headers)
    return reply if call.caller.may(Scope.READ) else reply.without(CONTENT)
