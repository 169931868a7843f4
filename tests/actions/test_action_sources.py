"""Actions as the text of their modules tells them: as an import would find them, and without running anything."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fsm_agent.actions.catalogue import Imported
from fsm_agent.actions.registry import Actions
from fsm_agent.actions.source_catalogue import Sources
from fsm_agent.domain.signature import Signature
from fsm_agent.errors import ActionError, ActionMissing, ModuleNotAllowed

ROOT = Path(__file__).parents[2]

#: functions of all shapes, of which an import knows the same as their text tells
TOLD = """
from __future__ import annotations
import typing as t
from typing import Annotated, Literal, Union
import fsm_agent as f
from fsm_agent import Context, Emission, action
from fsm_agent.actions.action import action as mark

Ends = Literal["done", "lost"]
EVENTS = ["one", "two"]


@action
def bare(ctx): ...


@action()
async def called(ctx: Context, *, depth: int, width: int = 2) -> Literal["done"]: ...


@mark(emits=["go", "stop"], name="renamed")
def odd(ctx, first, second=1, *rest): ...


@f.action(emits={"go"}, inline=True)
def dotted(ctx, **anything): ...


@action(emits=None)
def silent(ctx) -> str: ...


@action
def united(ctx) -> Literal["a", "b"] | t.Literal["c"] | Union[Literal["d"], Literal["e"]]: ...


@action
def aliased(ctx) -> Ends: ...


@action
def wrapped(ctx) -> Annotated[Literal["x"], "a note"]: ...


@action
def emitting(ctx) -> Emission | Literal["x"]: ...


if True:

    @action
    def branched(ctx, /, only, *, also=None) -> "Literal['quoted']": ...


def plain(ctx, goal) -> Literal["told"]: ...


async def later(ctx): ...


def _hidden(ctx): ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        file = folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    importlib.invalidate_caches()


def outcome(look: Any, name: str) -> object:
    """What a look-up gives, or the sentence of its error."""
    try:
        return look(name)
    except ActionError as error:
        return type(error), str(error)


def test_the_text_tells_what_an_import_finds(folder: Path) -> None:
    write(folder, told=TOLD)
    text, truth = Sources(["told"], folder=folder), Imported(Actions(modules=["told"]))
    assert text.actions() == truth.actions()
    assert set(text.actions()) > {"bare", "renamed", "dotted", "branched"}
    for name in ("told:plain", "told:bare", "told:later", "told:nothing", "other:plain", "plain", "nothing"):
        assert outcome(text.action, name) == outcome(truth.action, name)
    for name in ("told:plain", "told:nothing", "told:later", "other:x"):
        assert outcome(text.function, name) == outcome(truth.function, name)
    for name in ("plain", "told:plain", "bare", "told:_hidden", "nothing", "other:x", "Literal"):
        assert outcome(text.tool, name) == outcome(truth.tool, name)


def test_the_text_of_the_gallery_tells_all_that_an_import_finds() -> None:
    modules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["fsm-agent"]["modules"]
    text, truth = Sources(modules, folder=ROOT), Imported(Actions(modules=modules))
    assert text.actions() == truth.actions()
    assert {signature.doubt for signature in text.actions().values()} == {""}


def test_the_fields_that_an_action_writes_are_read_and_whether_it_asks_people(folder: Path) -> None:
    write(
        folder,
        told="from fsm_agent import action\nFIELDS = ['a', 'b']\n"
        "@action(writes=FIELDS)\ndef work(ctx): return ctx.ask('Go?', ['go'])\n",
        nothing="from fsm_agent import action\n@action(writes=())\ndef rest(ctx): return 'go'\n",
    )
    text, truth = Sources(["told", "nothing"], folder=folder), Imported(Actions(modules=["told", "nothing"]))
    work = Signature(None, frozenset(), writes=frozenset({"a", "b"}), asks=True)
    rest = Signature(None, frozenset(), writes=frozenset())
    assert text.actions() == truth.actions() == {"work": work, "rest": rest}


def test_fields_that_are_not_written_out_are_doubted(folder: Path) -> None:
    imports = "from fsm_agent import action\nfrom x import F, E\n"
    write(folder, veiled=f"{imports}@action(writes=F)\ndef work(ctx): ...\n")
    doubt = "the fields that it may write are not written out in line 4"
    assert Sources(["veiled"], folder=folder).action("work") == Signature(None, frozenset(), doubt=doubt)
    write(
        folder,
        open="from fsm_agent import action\nfrom x import F, E\n@action(emits=E, writes=F)\ndef work(ctx): ...\n",
    )
    both = "the events that it may name and the fields that it may write are not written out in line 4"
    assert Sources(["open"], folder=folder).action("work").doubt == both


def test_actions_are_followed_to_the_module_that_defines_them(folder: Path) -> None:
    inner = "from fsm_agent import action\n@action(emits=['go'])\ndef work(ctx): ...\n"
    shared = "from fsm_agent import action\n@action\ndef share(ctx): ...\n"
    package = "from .inner import work as renamed\nfrom .shared import *\n"
    write(folder, **{"shop/__init__": package, "shop/inner": inner, "shop/shared": shared})
    text, truth = Sources(["shop"], folder=folder), Imported(Actions(modules=["shop"]))
    assert (
        text.actions()
        == truth.actions()
        == {"work": Signature(frozenset({"go"}), frozenset()), "share": Signature(None, frozenset())}
    )
    assert text.action("shop:renamed") == truth.action("shop:renamed")


@pytest.mark.parametrize(
    "text",
    [
        "from elsewhere import action\n@action\ndef work(ctx): ...\n",
        "from fsm_agent import action\nimport functools\n@functools.cache\n@action\ndef work(ctx): ...\n",
        "from fsm_agent import action\nwork = action(print)\n",
        "from elsewhere import work\n",
        "from elsewhere import *\n",
        "def make():\n    def work(ctx): ...\n    return work\nother = make()\n",
        "import elsewhere\nother = elsewhere.make('work')\n",
        "globals()['wo' + 'rk'] = print\n",
        "def __getattr__(name): ...\n",
        "import sys\nsys.modules[__name__] = object()\n",
        "from fsm_agent import action\n@action(**{'name': 'x'})\ndef work(ctx): ...\n",
        "def (\n",
    ],
)
def test_what_the_text_leaves_open_is_doubted_and_not_denied(folder: Path, text: str) -> None:
    write(folder, open=text)
    sources = Sources(["open"], folder=folder)
    assert sources.actions() == {}
    assert sources.action("work").doubt
    assert sources.action("open:work").doubt or "functools" in text
    assert "import work" in text or sources.tool("work")  # what is only imported is no tool
    assert sources.function("open:work")


def test_events_that_are_not_written_out_are_doubted_and_the_rest_is_known(folder: Path) -> None:
    write(folder, open="from fsm_agent import action\nfrom x import E\n@action(emits=E)\ndef work(ctx, a): ...\n")
    doubt = "the events that it may name are not written out in line 4"
    work = Signature(None, frozenset({"a"}), frozenset({"a"}), doubt=doubt)
    assert Sources(["open"], folder=folder).actions() == {"work": work}


def test_a_name_that_only_another_unreadable_module_could_have_is_doubted(folder: Path) -> None:
    write(folder, known="x = 1\n")
    known = Sources(["known"], folder=folder)
    with pytest.raises(ActionMissing):
        known.action("work")
    assert "'gone' is not found" in Sources(["known", "gone"], folder=folder, paths=[]).action("work").doubt


def test_a_name_in_two_modules_is_as_wrong_as_it_is_for_an_import(folder: Path) -> None:
    action = "from fsm_agent import action\n@action\ndef work(ctx): ...\n"
    write(folder, one=action, two=action)
    text, truth = Sources(["one", "two"], folder=folder), Imported(Actions(modules=["one", "two"]))
    assert outcome(text.action, "work") == outcome(truth.action, "work")


def test_nothing_runs_neither_a_module_nor_the_packages_around_it(folder: Path) -> None:
    marker = folder / "ran"
    harm = f"open({str(marker)!r}, 'w').close()\n"
    action = "from fsm_agent import action\n@action\ndef work(ctx): ...\n"
    write(folder, **{"far/__init__": harm, "far/away/__init__": harm, "far/away/actions": harm + action})
    sources = Sources(["far.away.actions"], folder=folder)
    assert sources.action("far.away.actions:work") == sources.action("work") == Signature(None, frozenset())
    assert sources.model_schema("far.away.actions:Model") is None
    with pytest.raises(ModuleNotAllowed):
        sources.model_schema("far:Model")
    assert not marker.exists()
    assert not [name for name in sys.modules if name.startswith("far")]


def test_a_module_is_found_where_an_import_would_find_it(folder: Path) -> None:
    early, late = folder / "early", folder / "late"
    text = "from fsm_agent import action\n@action\ndef {}(ctx): ...\n"
    write(early, **{"both/__init__": "", "open/first": text.format("first")})
    write(late, **{"both/inner": text.format("late"), "open/second": text.format("second")})
    roots = {"folder": early, "paths": [str(late)]}
    assert set(Sources(["open.first", "open.second"], **roots).actions()) == {"first", "second"}  # a namespace
    assert "is not found" in Sources(["both.inner"], **roots).action("late").doubt  # the first package hides the other
