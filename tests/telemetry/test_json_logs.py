"""Logs as JSON: one object a line, with the facts of the entry, and without secrets."""

from __future__ import annotations

import io
import json
import logging
import math
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fsm_agent import open_store, sync
from fsm_agent.domain.agent import Status
from fsm_agent.telemetry import JsonLines
from tests.support.shop import Shop


class Log:
    """A logger whose entries are read again as JSON."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.logger = logging.getLogger("tests.json_logs")
        self.handler = logging.StreamHandler(self.stream)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def fails(self, error: Exception) -> dict[str, Any]:
        """The last line, after an exception was logged."""
        self.handler.setFormatter(JsonLines())
        self.logger.error("it failed", exc_info=error)
        return self.lines()[-1]

    def says(self, *message: Any, variables: tuple[str, ...] = (), **facts: Any) -> dict[str, Any]:
        """The last line, after an entry."""
        self.handler.setFormatter(JsonLines(variables=variables))
        self.logger.warning(*message, extra=facts)
        return self.lines()[-1]


@pytest.fixture
def log() -> Iterator[Log]:
    found = Log()
    found.logger.addHandler(found.handler)
    yield found
    found.logger.removeHandler(found.handler)


def test_an_entry_is_one_object_with_its_facts(log: Log) -> None:
    before = datetime.now(UTC)
    line = log.says("agent %s", "waits", action="agent_waiting", agent_id="a", attempt=2, status=Status.WAITING)
    at = datetime.fromisoformat(line.pop("at"))
    assert abs(at - before).total_seconds() < 60
    assert line == {
        "level": "warning",
        "logger": "tests.json_logs",
        "message": "agent waits",
        "action": "agent_waiting",
        "agent_id": "a",
        "attempt": 2,
        "status": "waiting",
    }
    assert list(log.lines()[0])[:4] == ["at", "level", "logger", "message"]


def test_an_error_has_its_traceback(log: Log) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        assert 1 / 0
    line = log.fails(caught.value)
    assert (line["level"], line["message"]) == ("error", "it failed")
    assert line["error"].startswith("Traceback")
    assert line["error"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x1b[2J", "\ud800", '"}\n{"at": "'])
def test_no_text_ends_a_line_or_steers_a_terminal(end: str) -> None:
    text = JsonLines().format(logging.makeLogRecord({"msg": f"one{end}two", "fact": end}))
    line = json.loads(text)
    assert (line["message"], line["fact"]) == (f"one{end}two", end)
    assert (len(text.splitlines()), text.isascii()) == (1, True)


def test_what_json_has_no_form_for_is_told_as_text(log: Log) -> None:
    line = log.says("x", seen={1: {"a"}, "moment": datetime(2026, 1, 1, tzinfo=UTC)}, never=math.nan, pair=(1, None))
    assert line["seen"] == {"1": ["a"], "moment": "2026-01-01 00:00:00+00:00"}
    assert (line["never"], line["pair"]) == ("nan", [1, None])


def test_a_fact_takes_no_place_of_another(log: Log) -> None:
    line = log.says("x", at="never", level="low", logger="me")
    assert (line["level"], line["logger"]) == ("warning", "tests.json_logs")
    assert line["at"] != "never"


SECRETS = [
    "fsm_Zq3vT0b8mJx1Qk5nR7sW2yA4cE6gI9oU-_lPdFhKjHb",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "Bearer abc.def-123456",
    "sk-proj-abcdef123",
    "postgresql://ana:hunter2@host/db",
    "https://host/?token=hunter2",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_struck_out_wherever_they_stand(log: Log, secret: str) -> None:
    log.says(
        "it said %s to me", secret, fact=secret, nested=[{"deep": secret, f"key {secret}": 1}], object=OSError(secret)
    )
    log.fails(ValueError(secret))
    text = log.stream.getvalue()
    assert not any(part in text for part in ("hunter2", "Zq3vT0b8", "MfKQ9r8", "abc.def", "abcdef123"))
    assert log.lines()[0]["message"].startswith("it said ")
    assert log.lines()[0]["message"].endswith(" to me")
    assert text.count("***") >= 5


def test_values_of_variables_of_the_environment_are_struck_out(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", 'open "sesame"')
    monkeypatch.setenv("SHOP_ADDRESS", "down the road")
    monkeypatch.setenv("SHOP_NAME", "Maria")
    line = log.says('open "sesame", down the road, Maria', variables=("SHOP_ADDRESS",))
    assert line["message"] == "***, ***, Maria"


def test_what_is_named_like_a_token_of_ours_and_is_none_stays(log: Log) -> None:
    said = "fsm_agent.runtime.command_loop, fsm_agent_of_my_own_project, fsm_short, basic structure"
    assert log.says(said)["message"] == said


WARNING = """
import warnings

from fsm_agent import action


@action
def pack(ctx):
    warnings.warn("this is old")
    return "packed"
"""
FAILING = """
from fsm_agent import action


@action
def pack(ctx):
    raise ValueError("sk-proj-abcdef123 is refused")
"""


def leave_work(shop: Shop) -> None:
    """An agent whose next action nobody has begun."""
    shop.order()
    with sync.Runner(open_store(f"sqlite:///{shop.folder / 'fsm-agent.db'}")) as runner:
        runner.answer("one", event="approve", drive=False)


def logging_is() -> list[Any]:
    """How this process logs."""
    root, ours = logging.getLogger(), logging.getLogger("fsm_agent")
    return [root.handlers[:], root.level, ours.handlers[:], ours.level]


def test_a_worker_logs_json_and_nothing_else(shop: Shop) -> None:
    before = logging_is()
    shop.write("shop_actions.py", FAILING)
    leave_work(shop)
    done = shop("worker", "--once", "--log-format", "json")
    assert logging_is() == before
    lines = [json.loads(line) for line in done.err.splitlines()]
    told = {line["action"]: line for line in lines}
    assert (done.code, done.out) == (0, "")
    failed, ended = told["action_failed"], told["agent_failed"]
    assert {"agent_id": "one", "state": "packing", "do": "pack", "attempt": 1}.items() <= failed.items()
    assert (failed["level"], "abcdef" in done.err, "*** is refused" in failed["message"]) == ("error", False, True)
    assert {"agent_id": "one", "workflow": "order", "state": "failed", "level": "info"}.items() <= ended.items()
    assert told["worker_ended"]["message"] == "drove 1 agent"


def test_a_worker_without_it_logs_sentences_as_before(shop: Shop) -> None:
    leave_work(shop)
    done = shop("worker", "--once")
    assert done.err.splitlines() == ["one  done in sent", "drove 1 agent"]


@pytest.mark.long
def test_with_debug_everything_is_logged_as_json_warnings_of_python_too(shop: Shop) -> None:
    shop.write("shop_actions.py", WARNING)
    leave_work(shop)
    done = shop.process("worker", "--once", "--log-format", "json", "--debug")
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert {"asyncio", "fsm_agent", "py.warnings"} <= {line["logger"] for line in lines}
    assert "debug" in {line["level"] for line in lines}


def test_json_on_stdout_stays_apart(shop: Shop) -> None:
    leave_work(shop)
    done = shop("--json", "worker", "--once", "--log-format", "json")
    assert done.json == {"driven": ["one"]}
    assert "agent_done" in {json.loads(line)["action"] for line in done.err.splitlines()}


@pytest.mark.long
def test_a_worker_says_in_json_that_it_watches(shop: Shop) -> None:
    shop.order()
    process = shop.spawn("worker", "--log-format", "json")
    assert process.stderr is not None
    began = json.loads(process.stderr.readline())
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=60)
    assert (began["action"], process.returncode) == ("worker_began", 0)
    assert "watching sqlite:///" in began["message"]
    assert [json.loads(line)["action"] for line in rest.splitlines()] == ["worker_ended"]


def test_an_unknown_format_is_refused(shop: Shop) -> None:
    done = shop("worker", "--log-format", "xml")
    assert done.code == 1
    assert "'xml' is not one of 'text', 'json'" in done.err
