"""What a command imports is what it costs: the light ones stay light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shop import Shop

PROBE = """
import json, sys
from fsm_agent.cli.main import main
try:
    main()
except SystemExit:
    pass
print("\\n" + json.dumps(sorted(sys.modules)))
"""
OURS = "fsm_agent."
DRIVERS = {"redis", "psycopg", "starlette", "uvicorn"}
#: what only those need whose agents ask models, call tools of servers, send requests or count exactly
THINKERS = {"pydantic_ai", "openai", "mcp", "httpx2", "httpx", "genai_prices", "bpe_openai", "litellm"}
#: what only those need who record what agents do
RECORDERS = {"opentelemetry", "prometheus_client"}
HEAVY = {"pydantic", "graphviz", "pygraphviz", "cryptography"} | DRIVERS | THINKERS | RECORDERS
#: what only the server needs
WEB = {"starlette", "uvicorn", "h11", "htpy", "markupsafe"}
#: what only those need that decide, draw, ask or read files
RULES = {"transitions", "cel_expr_python", "yaml", "yamlcore", "jsonschema_rs", "rfc8785"}
SCREENS = {"rich", "questionary", "prompt_toolkit"}


def imported(shop: Shop, *words: str) -> set[str]:
    """Packages, and modules that stand alone."""
    return {name.partition(".")[0] for name in all_imported(shop, *words)}


def ours_imported(shop: Shop, *words: str) -> set[str]:
    """Our own modules, by their names within the package."""
    return {name.removeprefix(OURS) for name in all_imported(shop, *words) if name.startswith(OURS)}


def all_imported(shop: Shop, *words: str) -> set[str]:
    probe = [sys.executable, "-c", PROBE, *words]
    done = subprocess.run(probe, cwd=shop.folder, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["list"],
        ["show", "one"],
        ["history", "one"],
        ["--json", "show", "one"],
        ["token", "list"],
        ["token", "new", "ana", "--scope", "read"],
    ],
)
def test_looking_imports_nothing_heavy(shop: Shop, words: list[str]) -> None:
    shop.order()
    assert imported(shop, *words) & (HEAVY | RULES | SCREENS) == set()


@pytest.mark.parametrize("words", [["answer", "one", "--event", "approve"], ["send", "one", "approve"]])
def test_delivering_imports_nothing_heavy(shop: Shop, words: list[str]) -> None:
    shop.order()
    assert imported(shop, *words) & (HEAVY | SCREENS | {"yaml", "yamlcore"}) == set()


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["serve", "--help"],
        ["token", "new", "ana", "--scope", "read"],
        ["list", "--waiting"],
        ["check", "workflows"],
        ["run", "workflows/order.yaml", "--no-input", "--payload", '{"item": "book"}'],
        ["answer", "one", "--event", "approve"],
        ["worker", "--once"],
    ],
)
def test_only_serving_imports_what_serves(shop: Shop, words: list[str]) -> None:
    shop.order()
    modules = all_imported(shop, *words)
    assert {name.partition(".")[0] for name in modules} & WEB == set()
    ours = {name.removeprefix(f"{OURS}server") for name in modules if name.startswith(f"{OURS}server")}
    assert ours <= {"", ".tokens", ".token_file", ".private_file"}


def modules_after(statement: str) -> set[str]:
    return printed_by(f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})")


def ours_after(statement: str) -> set[str]:
    """Our own modules, by their names within the package."""
    names = "{name.partition('.')[2] for name in sys.modules if name.startswith('fsm_agent.')}"
    return printed_by(f"{statement}\nimport sys\nprint(*{names})")


def printed_by(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_library_imports_nothing_that_thinks() -> None:
    assert modules_after("import fsm_agent") & (HEAVY | RULES | WEB) == set()
    runner = "from fsm_agent import *\nfrom fsm_agent import Runner\nfrom fsm_agent.actions.builtin import built_in"
    names = "for name in ('llm.generate', 'llm.decide', 'llm.agent', 'http.request'): built_in(name)"
    assert modules_after(f"{runner}\n{names}") & (DRIVERS | THINKERS) == set()


def test_running_an_agent_without_a_model_imports_nothing_that_thinks(shop: Shop) -> None:
    words = ["run", "workflows/order.yaml", "--no-input", "--payload", '{"item": "book"}']
    assert imported(shop, *words) & THINKERS == set()


def test_help_imports_no_event_loop_and_no_store(shop: Shop) -> None:
    assert imported(shop, "--help") & {"asyncio", "apsw"} == set()


def test_help_imports_of_ours_only_what_names_commands_and_options(shop: Shop) -> None:
    needed = {
        "cli",
        "cli.main",
        "cli.input",
        "project",
        "domain",
        "cli.input.global_options",
        "cli.input.parameters",
        "cli.settings",
        "project.defaults",
        "project.settings",
        "domain.text",
    }
    assert ours_imported(shop, "--help") == needed
    assert imported(shop, "--help") & {"pathlib", "dataclasses", "shlex"} == set()


def test_to_show_an_agent_imports_nothing_that_only_other_commands_need(shop: Shop) -> None:
    shop.order()
    assert (
        ours_imported(shop, "show", "one") & {"domain.replay", "data.erased", "cli.error_reports", "cli.views.errors"}
        == set()
    )
    assert imported(shop, "show", "one") & {"pathlib", "urllib"} == set()


#: of the standard library, what only those need that wait for an action or a server
WAITING = {"asyncio", "concurrent", "ssl", "subprocess"}
REJECTED = ["send", "one", "reject", "--payload", '{"reason": "no"}']


@pytest.mark.parametrize("words", [["list"], ["show", "one"], ["history", "one"], ["token", "list"], REJECTED])
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


def test_a_runner_is_imported_without_what_decides() -> None:
    ours = ours_after("from fsm_agent import Runner, open_store")
    rules = (
        "engine.machine",
        "expressions.compiler",
        "expressions.scope",
        "data.validation",
        "dialect",
        "memory",
        "engine.program",
    )
    assert {name for name in ours if name.startswith(rules)} == set()
    assert modules_after("from fsm_agent import Runner, open_store") & RULES == set()


POKED = """
import sys
from fsm_agent import State, Workflow, open_store
from fsm_agent.sync import Runner
poke = {"target": "waiting", "when": "data.count < 3", "assign": {"note": "'poked'", "count": 1, "is_poked": "true"}}
data = {"note": "string?", "count": {"type": "integer", "default": 0}, "is_poked": "boolean?"}
flow = Workflow("w", version=1, data=data, events={"poke": {}}, initial="waiting", states=[
    State("waiting", after={"30d": "done"}, on={"poke": poke}), State("done", final=True)])
"""


@pytest.fixture
def poking(tmp_path: Path) -> str:
    """Code that takes one event of an agent that waits, as the benchmark of a fresh process does."""
    url = f"sqlite:///{tmp_path / 'agents.db'}"
    starting = f"{POKED}\nwith Runner(open_store({url!r})) as runner:\n    runner.start(flow, id='one')"
    subprocess.run([sys.executable, "-c", starting], check=True, timeout=60)
    return f"""
from fsm_agent import open_store
from fsm_agent.sync import Runner
with Runner(open_store({url!r})) as runner:
    assert runner.send("one", "poke").data == {{"note": "poked", "count": 1, "is_poked": True}}
"""


def test_an_event_that_needs_no_cel_imports_none(poking: str) -> None:
    assert modules_after(poking) & {"cel_expr_python", "asyncio", "pathlib", "urllib"} == set()
    assert {name for name in ours_after(poking) if name.startswith(("memory", "check", "dialect.builtins"))} == set()


def test_an_event_imports_no_dataclass_of_ours_but_the_workflow(poking: str) -> None:
    counting = """
import sys, dataclasses
ours = [module for name, module in sys.modules.items() if name.startswith("fsm_agent")]
made = {each for module in ours for each in vars(module).values() if dataclasses.is_dataclass(each)}
print(*{each.__name__ for each in made if isinstance(each, type)})
"""
    assert printed_by(poking + counting) == {"Workflow"}


def test_no_named_tuple_on_the_road_of_an_event_has_many_annotations_that_are_text(poking: str) -> None:
    counting = """
import sys, typing
ours = {each for name, module in sys.modules.items() if name.startswith("fsm_agent") for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, tuple) and hasattr(each, "_fields")}
print(*{each.__name__ for each in ours
    if sum(isinstance(kind, typing.ForwardRef) for kind in each.__annotations__.values()) > 8})
"""
    assert printed_by(poking + counting) == set()


def test_a_blocking_thread_is_there_when_it_is_asked_for() -> None:
    assert "memory.threads" not in ours_after("from fsm_agent.sync import Runner")
    assert "memory.threads" in ours_after("from fsm_agent.sync import Thread")


def test_the_pytest_plugin_imports_nothing_of_the_engine_until_a_fixture_is_used() -> None:
    assert ours_after("import fsm_agent.testing.plugin") == {"testing", "testing.plugin"}


def test_what_tests_import_by_name_is_the_function_whatever_was_imported_before() -> None:
    said = (
        "from fsm_agent.testing.scripted import Drive\nfrom fsm_agent.testing import drive\nprint(type(drive).__name__)"
    )
    assert printed_by(said) == {"function"}
