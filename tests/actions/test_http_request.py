"""``http.request`` against a real server: what is sent, what comes of the answers, and what can never be sent."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fsm_agent import Agent, Runner, Status, Surroundings, open_store
from fsm_agent.dialect.writer import to_document
from fsm_agent.domain.workflow import Workflow
from fsm_agent.errors import WorkflowInvalid
from fsm_agent.loading.yaml_file import dump
from fsm_agent.runtime.scripted.clock import FakeClock
from tests.support.runtime import flow, on_loop
from tests.support.servers.own_server import free_port
from tests.support.servers.web import Answer, Web
from tests.support.shop import Shop

TOKEN = "s3cr3t-token"  # noqa: S105 - of nobody
ALLOWED = Surroundings(environment=["SHOP_TOKEN"])


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    with Web() as server:
        yield server


def asking(url: str, more: str = "", *, state: str = "", on: str = "got: done, error: failed") -> Any:
    return flow(f"""
        data: {{x: string?, n: integer?, flag: boolean?, answer: {{default: null}}}}
        events: {{got: {{}}}}
        initial: asking
        states:
          asking:
            do: http.request
            with: {{url: '{url}', into: answer, {more}}}
            {state}
            on: {{{on}}}
          done: {{final: true, output: {{answer: data.answer}}}}
          failed: {{final: true, outcome: failed}}
    """)


async def asked(workflow: Any, **data: Any) -> Agent:
    async with Runner(open_store("memory://")) as runner:
        return await runner.start(workflow, data=data, id="a")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@on_loop
async def test_a_request_is_sent_and_the_text_of_the_answer_kept(web: Web, method: str) -> None:
    agent = await asked(asking(f"{web.url}/a", f"method: {method}"))
    assert (agent.status, agent.output) == (Status.DONE, {"answer": "fine"})
    assert [(each.method, each.path) for each in web.requests] == [(method, "/a")]


@on_loop
async def test_the_head_of_an_answer_has_no_text(web: Web) -> None:
    assert (await asked(asking(f"{web.url}/a", "method: HEAD"))).output == {"answer": ""}


@on_loop
async def test_a_json_body_and_headers_are_made_of_data_and_a_json_answer_is_parsed(web: Web) -> None:
    web.answer = lambda _: Answer(body=b'{"n": [1, null]}', headers={"content-type": "application/json"})
    more = """method: POST, json: {name: data.x, twice: data.n * 2, is: true}, headers: {X-Note: "n={{ data.n }}"}"""
    agent = await asked(asking(f"{web.url}/a", more), x="Ana", n=2)
    assert agent.output == {"answer": {"n": [1, None]}}
    (request,) = web.requests
    assert json.loads(request.body) == {"name": "Ana", "twice": 4, "is": True}
    assert (request.headers["content-type"], request.headers["x-note"]) == ("application/json", "n=2")


@on_loop
async def test_a_text_is_sent_as_it_reads(web: Web) -> None:
    await asked(asking(f"{web.url}/a", 'method: PUT, body: "Dear {{ data.x }}"'), x="Ana")
    assert web.requests[0].body == b"Dear Ana"


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (Answer(204, b""), ""),
        (Answer(body=b"", headers={"content-type": "application/json"}), None),
        (Answer(body="für".encode("latin-1"), headers={"content-type": "text/plain; charset=latin-1"}), "für"),
        (Answer(body=b"f\xfcr", headers={"content-type": "text/plain; charset=klingon"}), "f\ufffdr"),
    ],
)
@on_loop
async def test_odd_answers_are_kept_too(web: Web, answer: Answer, kept: Any) -> None:
    web.answer = lambda _: answer
    assert (await asked(asking(f"{web.url}/a"))).output == {"answer": kept}


@on_loop
async def test_statuses_that_are_expected_are_no_error(web: Web) -> None:
    web.answer = lambda _: Answer(404, b"none")
    assert (await asked(asking(f"{web.url}/a", "expect: [200, 404]"))).output == {"answer": "none"}
    web.answer = lambda _: Answer(201)
    agent = await asked(asking(f"{web.url}/a", "expect: [200]"))
    assert agent.error == {"type": "HttpFailed", "message": f"GET {web.url}/a failed: status 201"}


FAILING = {
    "status 404": Answer(404),
    "status 302, and redirects are not followed": Answer(302, headers={"location": "/elsewhere"}),
    "the answer says that it is JSON, and is none that can be kept": Answer(
        body=b"[NaN]", headers={"content-type": "application/json"}
    ),
}


@pytest.mark.parametrize("why", FAILING)
@on_loop
async def test_what_would_be_no_better_later_is_not_tried_again(web: Web, why: str) -> None:
    web.answer = lambda _: FAILING[why]
    workflow = asking(f"{web.url}/a?key=x", state="retry: {attempts: 3, backoff: 1ms}")
    async with Runner(open_store("memory://")) as runner:
        agent = await runner.start(workflow, id="a")
        assert agent.error == {"type": "HttpFailed", "message": f"GET {web.url}/a failed: {why}"}
        assert [entry.is_open for entry in await runner.effects("a")] == [False], "that it failed is known"
    assert len(web.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@on_loop
async def test_what_may_be_better_later_is_tried_again_as_declared(web: Web, status: int) -> None:
    web.answer = lambda _: Answer(status if len(web.requests) < 3 else 200)
    workflow = asking(f"{web.url}/a", state="retry: {attempts: 3, backoff: 1ms, on: [HttpUnavailable]}")
    assert (await asked(workflow)).status is Status.DONE
    keys = {request.headers["idempotency-key"] for request in web.requests}
    assert (len(web.requests), len(keys)) == (3, 1)


@on_loop
async def test_whoever_wants_to_be_left_alone_for_a_while_is(web: Web) -> None:
    web.answer = lambda _: Answer(429, headers={"retry-after": "90"})
    clock = FakeClock()
    async with Runner(open_store("memory://", clock=clock)) as runner:
        workflow = asking(f"{web.url}/a", state="retry: {attempts: 2, backoff: 1s}")
        await runner.start(workflow, id="a", drive=False)
        await runner.resume("a", stay=False)
        assert (await runner.store.head("a")).retry_ms == clock.ms + 90_000


@on_loop
async def test_a_refused_connection_is_said_and_worth_another_try(web: Web) -> None:
    url = f"http://127.0.0.1:{free_port()}/a"
    agent = await asked(asking(url, state="retry: {attempts: 2, backoff: 1ms, on: [HttpUnavailable]}"))
    assert agent.error is not None
    assert agent.error["type"] == "HttpUnavailable"
    assert agent.error["message"].startswith(f"GET {url} failed: ConnectError: ")


@on_loop
async def test_a_server_that_hangs_up_is_unavailable(web: Web) -> None:
    web.answer = lambda _: None
    agent = await asked(asking(f"{web.url}/a"))
    assert agent.error is not None
    assert agent.error["message"].startswith(f"GET {web.url}/a failed: RemoteProtocolError")


@on_loop
async def test_one_that_does_not_answer_costs_no_more_than_the_timeout(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        agent = await asked(asking(url, state="timeout: 100ms"))
    assert agent.error is not None
    assert agent.error["type"] in ("TimeoutError", "HttpUnavailable")


@on_loop
async def test_an_answer_without_end_is_read_no_further_than_shows_that(web: Web) -> None:
    web.answer = lambda _: Answer(body=b"x" * 1_000_000, times=1_000)
    agent = await asked(asking(f"{web.url}/a"))
    assert agent.error is not None
    assert agent.error["message"] == f"GET {web.url}/a failed: the answer is longer than 10000000 bytes"
    assert web.written < 100


@on_loop
async def test_the_token_goes_into_the_request_and_nowhere_else(
    web: Web, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    more = "auth: SHOP_TOKEN, headers: {Authorization: none}"
    path = tmp_path / "agents.db"
    async with Runner(open_store(f"sqlite:///{path}"), surroundings=ALLOWED) as runner:
        for number, status in enumerate((200, 404, 500)):
            web.answer = lambda _, status=status: Answer(status)  # type: ignore[misc]
            await runner.start(asking(f"{web.url}/a", more), id=str(number))
    assert [request.headers["authorization"] for request in web.requests] == [f"Bearer {TOKEN}"] * 3
    kept = _bytes_in(tmp_path)
    assert b"SHOP_TOKEN" in kept
    assert TOKEN.encode() not in kept
    assert TOKEN not in caplog.text


def _bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("variable", ["SHOP_TOKEN", "HOME"])
@on_loop
async def test_a_variable_that_is_not_allowed_is_neither_read_nor_sent(
    web: Web, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, TOKEN)
    agent = await asked(asking(f"{web.url}/a", f"auth: {variable}"))
    why = (
        f"`auth: {variable}` names an environment variable that workflows may not read: add it to `environment` under "
        "[tool.fsm-agent] in pyproject.toml"
    )
    assert (agent.error, web.requests) == ({"type": "ActionError", "message": why}, [])


KEYS_ARE_FOR_NOBODY = "FSM_AGENT_KEYS: the keys of sealed agents are sent to nobody"


def test_the_keys_of_sealed_agents_are_sent_to_nobody_and_the_check_says_so(web: Web, shop: Shop) -> None:
    text = dump(to_document(asking(f"{web.url}/a", "auth: SHOP_TOKEN"))).replace("SHOP_TOKEN", "FSM_AGENT_KEYS")
    shop.write("ask.yaml", text)
    for words in (["check", "ask.yaml"], ["run", "ask.yaml"]):
        told = shop(*words)
        assert (told.code, KEYS_ARE_FOR_NOBODY in told.out + told.err) == (1, True)
        assert "add it to `environment`" not in told.out + told.err
    assert web.requests == []


@on_loop
async def test_nor_by_agents_that_were_begun_before_they_were_refused(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FSM_AGENT_KEYS", TOKEN)
    document = json.dumps(asking(f"{web.url}/a", "auth: SHOP_TOKEN").to_json()).replace("SHOP_TOKEN", "FSM_AGENT_KEYS")
    agent = await asked(Workflow.from_json(json.loads(document)))
    told = {"type": "ActionError", "message": f"`auth` cannot be {KEYS_ARE_FOR_NOBODY}"}
    assert (agent.error, web.requests) == (told, [])


def test_the_settings_of_a_project_say_which_variables_may_be_sent(web: Web, shop: Shop) -> None:
    shop.write("ask.yaml", dump(to_document(asking(f"{web.url}/a", "auth: SHOP_TOKEN"))))
    assert shop("run", "ask.yaml").code == 3
    assert web.requests == []
    shop.write("pyproject.toml", '[tool.fsm-agent]\nenvironment = ["SHOP_TOKEN"]\n')
    assert shop("run", "ask.yaml").code == 0
    assert [request.headers["authorization"] for request in web.requests] == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("", "`auth: SHOP_TOKEN` names an environment variable that is not set: give it the token"),
        ("two words", "environment variable SHOP_TOKEN holds what cannot be a token: blanks, or no ASCII"),
        ("line\n", "environment variable SHOP_TOKEN holds what cannot be a token: blanks, or no ASCII"),
    ],
)
@on_loop
async def test_without_a_token_nothing_is_begun(
    web: Web, monkeypatch: pytest.MonkeyPatch, token: str, why: str
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", token)
    async with Runner(open_store("memory://"), surroundings=ALLOWED) as runner:
        agent = await runner.start(asking(f"{web.url}/a", "auth: SHOP_TOKEN, mode: at_most_once"), id="a")
        assert agent.error == {"type": "ActionError", "message": why}
        assert (list(await runner.effects("a")), web.requests) == ([], [])


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "für", "\x00"])
@on_loop
async def test_data_cannot_bring_a_header_of_its_own(web: Web, value: str) -> None:
    agent = await asked(asking(f"{web.url}/a", """headers: {X-Note: "{{ data.x }}"}"""), x=value)
    assert agent.error is not None
    assert agent.error["message"].startswith("header 'x-note' can hold visible ASCII characters alone")
    assert web.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://{{ data.x }}/",
        "https://good.example{{ data.x }}",
        "https://good.example:{{ data.x }}/",
        "https://good.example@evil.example/",
        "https://user:word@good.example/",
        "https://good.example:80@evil.example/",
        "https://good.example\\\\@evil.example/",
        "https://good.example?x={{ data.x }}",
        "https://good.example#@evil.example/",
        "https://\uff47ood.example/",
        "https://good\u3002example/",
        "//good.example/",
        "file:///etc/passwd",
        "{{ data.x }}",
    ],
)
def test_a_workflow_names_its_host_or_is_none(url: str) -> None:
    with pytest.raises(WorkflowInvalid, match="must name its host before any expression"):
        asking(url)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("@evil.example", "/a/%40evil.example/b?q=%40evil.example"),
        ("../../admin", "/a/..%2F..%2Fadmin/b?q=..%2F..%2Fadmin"),
        ("//evil.example/", "/a/%2F%2Fevil.example%2F/b?q=%2F%2Fevil.example%2F"),
        ("x&role=admin#y", "/a/x%26role%3Dadmin%23y/b?q=x%26role%3Dadmin%23y"),
        ("ü\n", "/a/%C3%BC%0A/b?q=%C3%BC%0A"),
        ("", "/a//b?q="),
        (None, "/a//b?q="),
    ],
)
@on_loop
async def test_data_is_one_part_of_the_address_whatever_it_holds(web: Web, value: str | None, path: str) -> None:
    agent = await asked(asking(f"{web.url}/a/{{{{ data.x }}}}/b?q={{{{ data.x }}}}"), x=value)
    assert (agent.error, web.requests[0].path) == (None, path)
    assert web.requests[0].headers["host"] == f"127.0.0.1:{web.port}"


@on_loop
async def test_numbers_and_truths_stand_in_it_as_in_json(web: Web) -> None:
    await asked(asking(f"{web.url}/{{{{ data.n }}}}?f={{{{ data.flag }}}}"), n=7, flag=True)
    assert web.requests[0].path == "/7?f=true"


@on_loop
async def test_data_cannot_lead_up_the_path(web: Web) -> None:
    agent = await asked(asking(f"{web.url}/a/{{{{ data.x }}}}/b"), x="..")
    assert agent.error is not None
    assert agent.error["message"].startswith("'..' cannot stand in the path of an address")
    assert web.requests == []


@on_loop
async def test_an_answer_that_is_recorded_is_not_asked_for_again(web: Web) -> None:
    """As after a crash between the record and the step."""
    async with Runner(open_store("memory://")) as runner:
        workflow = asking(f"{web.url}/a", on="got: {target: done, when: data.n == 1}, error: failed")
        agent = await runner.start(workflow, id="a", data={"n": 1}, drive=False)
        head = await runner.store.head("a")
        loop = runner._loop
        perform = loop.perform
        died = []

        async def mortal(effect: Any) -> Any:
            if type(effect).__name__ == "Commit" and not died:
                died.append(effect)
                raise KeyboardInterrupt
            return await perform(effect)

        loop.perform = mortal  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            await runner.resume("a")
        await runner.store.release("a", head.epoch + 1)
        agent = await runner.resume("a")
        assert (agent.status, agent.output, len(web.requests)) == (Status.DONE, {"answer": "fine"}, 1)


@on_loop
async def test_what_must_not_happen_twice_parks_in_doubt(web: Web) -> None:
    web.answer = lambda _: Answer(503)
    more = "method: POST, mode: at_most_once"
    async with Runner(open_store("memory://")) as runner:
        workflow = asking(f"{web.url}/a", more, state="retry: {attempts: 3, backoff: 1ms}")
        agent = await runner.start(workflow, id="a")
        assert agent.error is not None
        assert (agent.status, agent.error["type"], len(web.requests)) == (Status.PARKED, "EffectInDoubt", 1)
        (effect,) = await runner.effects("a")
        agent = await runner.unpark("a", effect=effect.key, result={"status": 200, "body": "it was done"})
        assert agent.output == {"answer": "it was done"}


def test_without_the_extra_it_says_what_to_install() -> None:
    code = """
import sys
sys.modules["httpx2"] = None
from fsm_agent import sync, open_store
from fsm_agent.loading.yaml_file import loads
flow = loads('''
workflow: w
version: 1
events: {got: {}}
initial: asking
states:
  asking: {do: http.request, with: {url: "https://a.example/"}, on: {got: done, error: failed}}
  done: {final: true}
  failed: {final: true, outcome: failed}
''')
with sync.Runner(open_store("memory://")) as runner:
    print(runner.start(flow).error["message"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "`http.request` needs an extra: pip install 'fsm-agent[http]'\n"
