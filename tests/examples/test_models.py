"""The workflows of the gallery that talk to models: on scripts, as the README says, and over HTTP to a provider."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import examples.chat.__main__ as chat
from fsm_agent import Runner, Workflow, open_store
from fsm_agent.actions.surroundings import Surroundings
from fsm_agent.domain.message import Chunk, Role, own_thread
from fsm_agent.domain.step_kind import StepKind
from tests.support.runtime import on_loop
from tests.support.servers.openai_stub import OpenAIStub, Request, calling, failing

ROOT = Path(__file__).parents[2]
FSM_AGENT = Path(sys.executable).with_name("fsm-agent")
MODEL = "openai-chat:any"
TOOLS = ["examples.deep_research.tools"]


def scripted(name: str) -> str:
    return f"scripted:{ROOT / 'examples' / name / 'script.yaml'}"


def gallery(name: str) -> Workflow:
    return Workflow.load(ROOT / "workflows" / f"{name}.yaml")


def command(folder: Path, *words: str, **environment: str) -> Any:
    """The JSON document of a command, run from the root of the repository as a user does."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FSM_AGENT", "OPENAI"))}
    store = f"sqlite:///{folder}/agents.db"
    done = subprocess.run(
        [str(FSM_AGENT), "--store", store, "--json", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**clean, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.long
def test_the_machine_bounds_what_a_model_triages(tmp_path: Path) -> None:
    model = ("--model", scripted("support_triage"))
    payload = '{"message": "Where is B-7?! I want my 250 back", "customer": "Bob"}'
    asked = command(tmp_path, *model, "run", "workflows/support_triage.yaml", "--id", "b", "--payload", payload)
    assert (asked["state"], asked["usage"]["refused"]) == ("approving", 1), "`cancel` was none of its choices"
    assert asked["question"]["prompt"] == "Refund 250 for order B-7? (it never arrived)"
    done = command(tmp_path, *model, "answer", "b", "--event", "approved")
    assert done["output"]["reply"] == "I am sorry that your order B-7 never arrived. We pay 250 back."


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ("My order A-17 arrived broken", "answered"),
        ("What are your opening hours?", "answered"),
        ("Zwölf Boxkämpfer jagen Viktor", "handing_over"),
    ],
)
@on_loop
async def test_a_ticket_goes_where_it_belongs(message: str, state: str) -> None:
    around = Surroundings(model=scripted("support_triage"))
    async with Runner(open_store("memory://"), surroundings=around) as runner:
        agent = await runner.start(gallery("support_triage"), "ticket", {"message": message})
        assert agent.state == state
        assert not (await runner.replay(agent.id)).mismatches


@on_loop
async def test_a_ticket_whose_model_is_gone_is_handed_to_a_person() -> None:
    async with Runner(open_store("memory://"), surroundings=Surroundings(model="nobody:x")) as runner:
        agent = await runner.start(gallery("support_triage"), "ticket", {"message": "Help"})
        assert agent.state == "handing_over"
        assert agent.question is not None
        assert "model 'nobody:x' cannot be used" in agent.question.prompt


@pytest.mark.long
def test_research_is_planned_looked_into_written_and_reviewed(tmp_path: Path) -> None:
    model = ("--model", scripted("deep_research"))
    payload = '{"question": "When can a ship enter a harbour that falls dry?"}'
    asked = command(tmp_path, *model, "run", "workflows/deep_research.yaml", "--id", "r", "--payload", payload)
    assert (asked["state"], asked["progress"]["done"], asked["progress"]["remaining"]) == ("reviewing", 2, 0)
    assert [finding["topic"] for finding in asked["data"]["findings"]] == ["tides", "harbours"]
    assert asked["usage"]["requests"] == 8, "its own two, and three of each child"
    again = command(tmp_path, *model, "answer", "r", '{"remark": "shorter, please"}', "--event", "again")
    assert again["data"]["report"] == "Around high tide, twice in 24 h 50 min, or through a lock (tides, harbours)."
    done = command(tmp_path, *model, "answer", "r", "--event", "accepted")
    assert done["output"] == {"report": again["data"]["report"]}
    children = [agent["id"] for agent in command(tmp_path, "list")["agents"] if agent["workflow"] == "research_topic"]
    assert len(children) == 2
    called = [effect["name"] for effect in command(tmp_path, "effects", children[1])["effects"]]
    assert called == ["model", "model", "model", "tool read", "tool read", "tool search"]
    assert command(tmp_path, "replay", "r")["mismatches"] == []


@on_loop
async def test_research_that_finds_nothing_says_so_and_why(stub: OpenAIStub) -> None:
    def answer(request: Request) -> Any:
        if "You plan research" not in json.dumps(request.body):
            return failing(400, "no such account")
        return calling(request.body["tools"][0]["function"]["name"], {"topics": ["tides", "harbours"]})

    stub.script = answer
    async with Runner(open_store("memory://"), modules=TOOLS, surroundings=Surroundings(model=MODEL)) as runner:
        agent = await runner.start(gallery("deep_research"), "research", {"question": "Tides?"})
        assert (agent.state, agent.status, agent.data["findings"]) == ("failed", "failed", [None, None])
        reason = agent.output["reason"]
        assert reason.startswith("0 of 2 topics were looked into; tides was not: ")
        assert reason.count("no such account") == 2
        assert str(agent.progress) == "0 of 2: nothing was found"
        assert [each["error"]["type"] for each in agent.data["outcomes"]] == ["ModelRefused"] * 2


def test_a_conversation_of_several_days_remembers_people(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(chat.main())
    said = capsys.readouterr().out
    assert "ana: Where do I sleep in June?\nchat: In your tent of 3 kg, as you said on Monday." in said
    assert "ben: Do you know me?\nchat: Not yet. Tell me about you." in said
    assert "chat: Hello again, Ana.\nana: Do you know me?\nchat: Of course, Ana. How is Rex?" in said


@on_loop
async def test_a_long_conversation_is_summarised_and_stays_within_its_window() -> None:
    around = Surroundings(model=scripted("chat"))
    async with Runner(open_store("memory://"), actions=[chat.greet, chat.remember], surroundings=around) as runner:
        agent = await runner.start(gallery("chat"), user="ana")
        for number in range(12):
            agent = await runner.answer(agent.id, {"text": f"{number}: {'blah ' * 60}"}, event="said")
        messages = await runner.store.messages(own_thread(agent.id))
        written = [message for message in messages if message.role is Role.SUMMARY]
        assert written
        effects = [effect for effect in await runner.effects(agent.id) if effect.name == "summarise"]
        assert len(effects) == len(written), "each is paid for once"


@pytest.mark.parametrize("listens", [False, True], ids=["whole", "streamed"])
@on_loop
async def test_a_provider_over_http_triages(stub: OpenAIStub, listens: bool) -> None:
    heard: list[Chunk] = []
    stub.script = lambda request: (
        calling("refund", order="A-1", amount=20, reason="broken") if request.number == 0 else "We pay 20 back."
    )
    around = Surroundings(model=MODEL, listen=heard.append if listens else None)
    async with Runner(open_store("memory://"), surroundings=around) as runner:
        agent = await runner.start(gallery("support_triage"), "ticket", {"message": "It is broken"})
        assert (agent.state, agent.data["reply"]) == ("answered", "We pay 20 back.")
        assert (agent.usage.input_tokens, agent.usage.output_tokens) == (22, 14)
    first, second = (request.body for request in stub.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["answer", "refund", "escalate"]
    assert second.get("stream", False) is listens
    assert "".join(chunk.text for chunk in heard) == ("We pay 20 back." if listens else "")


@on_loop
async def test_a_provider_over_http_researches_with_real_tools(stub: OpenAIStub) -> None:
    def answer(request: Request) -> Any:
        if "You plan research" in json.dumps(request.body):
            tool = request.body["tools"][0]["function"]["name"]
            return calling(tool, {"topics": ["tides", "harbours"]})
        if "You write short reports" in json.dumps(request.body):
            return "A report."
        return calling("search", query="tide") if request.turn == 0 else f"found in {request.turn} turns"

    stub.script = answer
    async with Runner(open_store("memory://"), modules=TOOLS, surroundings=Surroundings(model=MODEL)) as runner:
        agent = await runner.start(gallery("deep_research"), "research", {"question": "Tides?"})
        assert (agent.state, agent.data["report"]) == ("reviewing", "A report.")
        assert [finding["answer"] for finding in agent.data["findings"]] == ["found in 1 turns"] * 2
    told = [message for request in stub.requests for message in request.body["messages"] if message["role"] == "tool"]
    assert "harbours" in told[0]["content"], "the tool has looked into the notes"


@pytest.mark.long
@on_loop
async def test_a_provider_that_fails_for_a_while_costs_a_retry_and_nothing_else(stub: OpenAIStub) -> None:
    stub.script = lambda request: failing(503) if request.number == 0 else calling("escalate", why="unclear")
    workflow = gallery("support_triage")
    async with Runner(open_store("memory://"), surroundings=Surroundings(model=MODEL)) as runner:
        agent = await runner.start(workflow, "ticket", {"message": "Help"})
        assert (agent.state, agent.data["why"]) == ("handing_over", "unclear")
        kinds = [step.kind for step in await runner.history(agent.id)]
        assert kinds == [StepKind.CREATED, StepKind.EVENT, StepKind.EVENT]
    assert len(stub.requests) == 2


@pytest.mark.long
def test_any_endpoint_is_named_by_the_environment(stub: OpenAIStub, tmp_path: Path) -> None:
    stub.script = lambda _: calling("answer", text="From nine to five.")
    asked = command(
        tmp_path,
        "run",
        "workflows/support_triage.yaml",
        "--payload",
        '{"message": "When are you there?"}',
        FSM_AGENT_MODEL=MODEL,
        **stub.environment,
    )
    assert (asked["state"], asked["output"]["reply"]) == ("answered", "From nine to five.")
