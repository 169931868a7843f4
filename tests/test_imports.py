"""What a command imports is what it costs: the light ones stay light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.shop import Shop

PROBE = """
import json, sys
from fsm_agent.cli.main import main
try:
    main()
except SystemExit:
    pass
loaded = {name.partition(".")[0] for name in sys.modules}
print("\\n" + json.dumps(sorted(loaded)))
"""
DRIVERS = {"redis", "psycopg", "starlette", "uvicorn"}
#: what only those need whose agents ask models, call tools of servers, send requests or count exactly
THINKERS = {"pydantic_ai", "openai", "mcp", "httpx2", "httpx", "genai_prices", "bpe_openai", "litellm"}
HEAVY = {"pydantic", "networkx", "graphviz", "pygraphviz", "cryptography"} | DRIVERS | THINKERS
#: what only those need that decide, draw, ask or read files
RULES = {"transitions", "cel_expr_python", "yaml", "yamlcore", "jsonschema_rs", "rfc8785"}
SCREENS = {"rich", "questionary", "prompt_toolkit"}


def imported(shop: Shop, *words: str) -> set[str]:
    probe = [sys.executable, "-c", PROBE, *words]
    done = subprocess.run(probe, cwd=shop.folder, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["show", "one"], ["history", "one"], ["--json", "show", "one"]]
)
def test_looking_imports_nothing_heavy(shop: Shop, words: list[str]) -> None:
    shop.order()
    assert imported(shop, *words) & (HEAVY | RULES | SCREENS) == set()


@pytest.mark.parametrize("words", [["answer", "one", "--event", "approve"], ["send", "one", "approve"]])
def test_delivering_imports_nothing_heavy(shop: Shop, words: list[str]) -> None:
    shop.order()
    assert imported(shop, *words) & (HEAVY | SCREENS | {"yaml", "yamlcore"}) == set()


def modules_after(statement: str) -> set[str]:
    probe = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_library_imports_nothing_that_thinks() -> None:
    assert modules_after("import fsm_agent") & (HEAVY | RULES) == set()
    runner = (
        "from fsm_agent import *\nfrom fsm_agent.runner import Runner\nfrom fsm_agent.actions.builtin import built_in"
    )
    names = "for name in ('llm.generate', 'llm.decide', 'llm.agent', 'http.request'): built_in(name)"
    assert modules_after(f"{runner}\n{names}") & (DRIVERS | THINKERS) == set()


def test_running_an_agent_without_a_model_imports_nothing_that_thinks(shop: Shop) -> None:
    words = ["run", "workflows/order.yaml", "--no-input", "--payload", '{"item": "book"}']
    assert imported(shop, *words) & THINKERS == set()


def test_help_imports_no_event_loop_and_no_store(shop: Shop) -> None:
    assert imported(shop, "--help") & {"asyncio", "apsw"} == set()


#: of the standard library, what only those need that wait for an action or a server
WAITING = {"asyncio", "concurrent", "ssl", "subprocess"}
REJECTED = ["send", "one", "reject", "--payload", '{"reason": "no"}']


@pytest.mark.parametrize("words", [["list"], ["show", "one"], ["history", "one"], REJECTED])
def test_a_command_that_calls_no_action_imports_no_event_loop(shop: Shop, words: list[str]) -> None:
    shop.order()
    assert imported(shop, *words) & WAITING == set()


def test_an_event_for_a_stored_agent_imports_no_event_loop_and_nothing_that_draws_or_reads_files(shop: Shop) -> None:
    shop.order()
    url = f"sqlite:///{shop.folder / 'fsm-agent.db'}"
    sending = f"""
from fsm_agent import open_store
from fsm_agent.sync import Runner
with Runner(open_store({url!r})) as runner:
    assert runner.send("one", "reject", {{"reason": "no"}}).state == "rejected"
"""
    assert modules_after(sending) & (HEAVY | SCREENS | WAITING | {"yaml", "yamlcore", "psutil"}) == set()


def test_a_runner_is_imported_without_an_event_loop() -> None:
    assert modules_after("from fsm_agent import Runner, open_store") & (HEAVY | WAITING) == set()
