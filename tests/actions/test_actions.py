"""What is known of an action before it is called, and where its name is looked up."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from fsm_agent.actions.action import Emission, Mode, action, describe
from fsm_agent.actions.context import Context
from fsm_agent.actions.registry import Actions
from fsm_agent.data.data import Data
from fsm_agent.domain.signature import Signature
from fsm_agent.errors import ActionError, ActionMissing, ModuleNotAllowed


async def waits(ctx: Context, depth: int, *, goal: str = "x") -> Literal["ok", "bad"]:
    return "ok"


def plain(ctx: Context, **rest: Any) -> Literal["ok"] | Literal["bad"]:
    return "ok"


def untold(ctx: Context) -> str:
    return "ok"


def test_a_function_says_what_it_emits_and_takes() -> None:
    assert describe(waits).signature == Signature(
        frozenset({"ok", "bad"}), frozenset({"depth", "goal"}), frozenset({"depth"})
    )
    assert describe(plain).signature == Signature(frozenset({"ok", "bad"}), None, frozenset())
    assert describe(untold).signature == Signature(None, frozenset(), frozenset())


def test_a_coroutine_is_awaited_a_plain_function_has_a_thread_unless_it_is_inline() -> None:
    assert (describe(waits).mode, describe(plain).mode) == (Mode.ASYNC, Mode.THREAD)
    assert describe(functools.partial(waits, depth=1)).mode is Mode.ASYNC
    assert action(inline=True)(lambda ctx: "ok").action.mode is Mode.INLINE


def test_a_mark_leaves_a_function_what_it_is_and_the_last_one_counts() -> None:
    def work(ctx: Context) -> str:
        return "ok"

    assert action(work) is work
    assert describe(work).name == "work"
    assert action(name="other", emits=["a"])(work) is work
    assert (describe(work).name, describe(work).signature.emits) == ("other", frozenset({"a"}))


def test_an_annotation_that_cannot_be_resolved_says_nothing() -> None:
    def work(ctx: "Nowhere") -> "Literal['ok']":  # type: ignore[name-defined]  # noqa: F821, UP037
        return "ok"

    assert describe(work).signature.emits is None


def test_an_emission_carries_its_payload() -> None:
    ctx = Context("a", "s", Data({}), 1, 1, {}, 0)
    assert ctx.emit("found", name="NYC", event="x") == Emission("found", {"name": "NYC", "event": "x"})


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two modules of an operator, and one that cannot be imported."""
    head = "from fsm_agent.actions.action import action\n"
    (tmp_path / "one_actions.py").write_text(
        f"{head}@action\ndef work(ctx): ...\n@action(name='named')\ndef _named(ctx): ...\ndef bare(ctx): ...\n"
    )
    (tmp_path / "two_actions.py").write_text(f"{head}@action\ndef work(ctx): ...\n")
    (tmp_path / "broken_actions.py").write_text("import nowhere_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = ["one_actions", "two_actions", "broken_actions"]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return names


def test_a_bare_name_is_the_marked_function_of_an_allowed_module(modules: list[str]) -> None:
    actions = Actions(modules=["one_actions"])
    assert list(actions.names()) == ["work", "named"]
    assert actions.find("named").function.__name__ == "_named"
    assert actions.find("one_actions:bare").name == "bare"
    with pytest.raises(ActionMissing, match=r"no action 'nmaed' \(did you mean `named`\?\); there are named, work"):
        actions.find("nmaed")
    with pytest.raises(ActionMissing, match="no action 'one_actions:missing'"):
        actions.find("one_actions:missing")


def test_nothing_is_imported_that_is_not_allowed(modules: list[str]) -> None:
    actions = Actions(modules=["one_actions"])
    with pytest.raises(ModuleNotAllowed, match=r"module 'two_actions' is not allowed: .* allowed: one_actions"):
        actions.find("two_actions:work")
    with pytest.raises(ModuleNotAllowed):
        actions.find("os:system")
    assert "two_actions" not in sys.modules
    assert actions.signature("os:system") is None


def test_a_name_that_two_modules_use_must_say_which(modules: list[str]) -> None:
    actions = Actions(modules=["one_actions", "two_actions"])
    with pytest.raises(ActionError, match="action 'work' stands in one_actions and two_actions: write `module:work`"):
        actions.find("work")
    assert actions.find("two_actions:work").name == "work"


def test_a_module_that_cannot_be_imported_says_why(modules: list[str]) -> None:
    with pytest.raises(ActionError, match="module 'broken_actions' cannot be imported: ModuleNotFoundError: No module"):
        Actions(modules=["broken_actions"]).find("anything")


def test_one_that_cannot_be_imported_keeps_nothing_else_from_being_found(
    modules: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    actions = Actions(modules=["broken_actions", "one_actions"])
    why = "module 'broken_actions' cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'"
    assert (actions.find("named").name, actions.tool("bare").__name__) == ("named", "bare")
    assert [record.getMessage() for record in caplog.records] == [f"{why}; its actions and tools are missing"]
    with pytest.raises(ActionMissing) as missing:
        actions.find("gone")
    assert str(missing.value) == f"no action 'gone'; there are named, work; {why}"
    with pytest.raises(ActionError, match=f"no tool 'gone' in broken_actions, one_actions; {why}"):
        actions.tool("gone")
    with pytest.raises(ActionError, match=why):
        actions.find("broken_actions:gone")
    assert len(caplog.records) == 1


def test_functions_that_were_handed_over_come_first(modules: list[str]) -> None:
    def work(ctx: Context) -> str:
        return "mine"

    actions = Actions([work], modules=["one_actions"])
    assert actions.find("work").function is work
    assert actions.are_listed
    assert not Actions().are_listed
    with pytest.raises(ActionMissing, match="no module is allowed that has one"):
        Actions().find("work")
