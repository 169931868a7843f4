"""Tools of MCP servers, real ones: over standard input and output, and over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fsm_agent.actions.builtin.mcp_client import Server
from fsm_agent.domain.agent import Status
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import McpUnavailable
from tests.support.llm_agents import offered, run_agent, runner, sent_messages, unwrapped, why
from tests.support.runtime import flow, on_loop
from tests.support.servers.mcp_server import COMMAND, over_http
from tests.support.servers.openai_stub import Answer, OpenAIStub, calling, in_order

#: a server that never says a word
SILENT = {"command": [sys.executable, "-c", "import sys; sys.stdin.read()"]}


def working(given: str = "", rest: str = "") -> Workflow:
    return flow(f"""
        data: {{answer: string?}}
        events: {{done: {{}}, yes: {{}}, no: {{}}}}
        initial: working
        states:
          working:
            do: llm.agent
            with: {{prompt: Add., mcp: [sums], into: answer, emit: done{given}}}
            {rest}
            on: {{done: end, yes: working, no: working, error: failed, timeout: failed}}
          end: {{final: true}}
          failed: {{final: true, outcome: failed}}
    """)


@pytest.fixture(params=["stdio", "http"])
def mcp(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    if request.param == "stdio":
        yield {"sums": {"command": COMMAND, "env": {"GIVEN": "given"}}}
        return
    with over_http() as url:
        yield {"sums": {"url": url}}


@on_loop
async def test_what_a_server_offers_can_be_called(stub: OpenAIStub, mcp: dict[str, Any]) -> None:
    stub.script = in_order([calling("sums__add", a=1, b=2), calling("sums__odd_name_here"), "Three."])
    async with runner(mcp=mcp) as running:
        agent = await running.start(working())
        assert (agent.status, agent.data["answer"]) == (Status.DONE, "Three."), agent.error
        assert set(offered(stub)) == {f"sums__{name}" for name in ("add", "odd_name_here", "fail", "die", "variable")}
        assert offered(stub)["sums__add"]["required"] == ["a", "b"]
        assert [each["content"] for each in sent_messages(stub) if each["role"] == "tool"] == ["3", "odd"]
        assert [entry.name for entry in await running.effects(agent.id)] == [
            "model", "model", "model", "tool sums__add", "tool sums__odd_name_here",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (calling("sums__fail"), "no such file"),
        (calling("sums__add", a="one", b=2), "a"),
        (calling("sums__substract", a=1, b=2), "there is no tool 'sums__substract'"),
    ],
)
@on_loop
async def test_what_a_server_says_is_wrong_is_told_to_the_model(
    stub: OpenAIStub, mcp: dict[str, Any], call: Answer, said: str
) -> None:
    stub.script = in_order([call, "Then not."])
    agent = await run_agent(working(), mcp=mcp)
    assert agent.status is Status.DONE, agent.error
    message = sent_messages(stub)[-1]["content"]
    assert message.startswith('{"error":')
    assert said in unwrapped(message)


@on_loop
async def test_a_server_that_dies_fails_the_attempt_which_is_retried_as_declared(
    stub: OpenAIStub, mcp: dict[str, Any]
) -> None:
    stub.script = in_order([calling("sums__die")])
    agent = await run_agent(working(rest="timeout: 20s"), mcp=mcp)
    assert agent.status is Status.FAILED
    assert why(agent)[0] == "McpUnavailable"
    assert why(agent)[1].startswith("MCP server 'sums' cannot be used now: ")
    assert len(stub.requests) == 1


@on_loop
async def test_a_tool_of_a_server_may_need_approval_too(stub: OpenAIStub, mcp: dict[str, Any]) -> None:
    stub.script = in_order([calling("sums__add", a=1, b=2), "Three."])
    given = ", tools: [{tool: 'sums:add', approval: required, mode: at_most_once}], approval: {approve: yes, deny: no}"
    async with runner(mcp=mcp) as running:
        agent = await running.start(working(given))
        assert agent.question is not None
        assert agent.question.prompt == 'May the agent call `sums__add` with {"a": 1, "b": 2}?'
        agent = await running.answer(agent.id, event="yes")
        assert (agent.status, sent_messages(stub)[-1]["content"]) == (Status.DONE, "3")
        [entry] = [each for each in await running.effects(agent.id) if each.name == "tool sums__add"]
        assert entry.mode == "at_most_once"


@on_loop
async def test_a_server_sees_what_it_is_given_and_no_key_of_anybody(stub: OpenAIStub) -> None:
    stub.script = in_order(
        [*(calling("sums__variable", {"name": name}) for name in ("OPENAI_API_KEY", "GIVEN")), "Done."]
    )
    await run_agent(working(), mcp={"sums": {"command": COMMAND, "env": {"GIVEN": "given"}}})
    assert [each["content"] for each in sent_messages(stub) if each["role"] == "tool"] == ["nothing", "given"]


@pytest.mark.parametrize(
    ("mcp", "kind", "said"),
    [
        ({}, "ActionError", "MCP server 'sums' is not configured under [tool.fsm-agent.mcp]; none is"),
        (
            {"files": SILENT},
            "ActionError",
            "MCP server 'sums' is not configured under [tool.fsm-agent.mcp]; there are files",
        ),
        (
            {"sums": {"command": ["no-such-program-anywhere"]}},
            "McpUnavailable",
            "MCP server 'sums' cannot be used now: FileNotFoundError: No such file or directory; see",
        ),
        (
            {"sums": {"command": [sys.executable, "-c", "pass"]}},
            "McpUnavailable",
            "MCP server 'sums' cannot be used now: it says ",
        ),
        (
            {"sums": {"url": "http://somebody:secret@127.0.0.1:9/mcp"}},
            "McpUnavailable",
            "MCP server 'sums' cannot be used now: ConnectError; see",
        ),
    ],
    ids=["none", "another", "no program", "ends", "refused"],
)
@on_loop
async def test_a_server_that_cannot_be_reached_says_which_and_why(
    stub: OpenAIStub, mcp: dict[str, Any], kind: str, said: str
) -> None:
    agent = await run_agent(working(), mcp=mcp)
    assert why(agent)[0] == kind
    assert why(agent)[1].startswith(said)
    assert "secret" not in why(agent)[1]
    assert stub.requests == []


@on_loop
async def test_a_server_is_not_waited_for_forever() -> None:
    with pytest.raises(McpUnavailable, match=r"it does not begin within 0.5 s"):
        await Server("sums", {"sums": SILENT}, patience_s=0.5).__aenter__()


@on_loop
async def test_a_tool_that_hangs_is_a_timeout_of_the_state(stub: OpenAIStub) -> None:
    agent = await run_agent(working(rest="timeout: 700ms"), mcp={"sums": SILENT})
    assert why(agent)[1] == "action 'llm.agent' took longer than 700 ms"


@on_loop
async def test_what_is_said_of_a_tool_that_is_not_offered_would_be_said_in_vain(stub: OpenAIStub) -> None:
    given = ", tools: [{tool: 'sums:ad', approval: required}], approval: {approve: yes, deny: no}"
    agent = await run_agent(working(given), mcp={"sums": {"command": COMMAND}})
    assert why(agent) == (
        "ActionError",
        "MCP server 'sums' has no tool 'ad' (did you mean `add`?); it has add, odd.name/here, fail, die, variable",
    )
