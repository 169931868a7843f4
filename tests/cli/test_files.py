"""``check``, ``schema``, ``diagram`` and ``init``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from fsm_agent.cli.commands import init
from tests.support.shop import ACTIONS, ORDER, Shop, working

BAD = working("pck")
ENDLESS = ORDER.replace("    after: {3d: lapsed}\n", "").replace("  lapsed: {final: true, outcome: cancelled}\n", "")


def test_check_is_silent_about_what_is_right_but_for_the_sum(shop: Shop) -> None:
    checked = shop("check", "workflows")
    assert (checked.code, checked.out, checked.err) == (0, "1 file: no mistakes\n", "")


def test_check_names_an_action_that_no_allowed_module_has(shop: Shop) -> None:
    shop.write("bad.yaml", BAD)
    checked = shop("check", "bad.yaml")
    assert checked.code == 1
    assert "bad.yaml:9:9: " in checked.out
    assert "did you mean `pack`?" in checked.out
    assert checked.out.endswith("1 file: 1 error, 0 warnings\n")


MANY = """
workflow: many
version: 1
events: {next: {}, stop: {}}
initial: a
states:
  a: {do: read_goal, on: {next: b, error: z}}
  b: {do: book, on: {next: c, error: z}}
  c: {do: llm.agent, with: {prompt: x, tools: [search]}, on: {stop: z, error: z}}
  z: {final: true}
migrations: []
"""


@pytest.mark.parametrize(
    ("text", "cause", "unread"),
    [
        (None, "ModuleNotFoundError: No module named 'gone'", "not found as a file"),
        ("def x(:\n", "SyntaxError: invalid syntax (gone.py, line 1)", "cannot be read: it is not Python in line 1"),
        ("raise ValueError('no key')\n", "ValueError: no key", ""),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_mistake_whatever_may_be_in_it(
    shop: Shop, text: str | None, cause: str, unread: str
) -> None:
    shop.write("pyproject.toml", '[tool.fsm-agent]\nmodules = ["gone", "fine"]\n')
    shop.write("fine.py", "from fsm_agent import action\n\n\n@action\ndef look(ctx): return 'next'\n")
    if text is not None:
        shop.write("gone.py", text)
    shop.write("many.yaml", MANY)
    found = shop.process("--json", "check", "--import", "many.yaml")
    [mistake] = found.json
    assert (mistake["code"], mistake["line"]) == ("FSM415", 7)
    assert mistake["message"] == (
        f"module 'gone' cannot be imported: {cause}; "
        "so it is not known whether `read_goal`, `book`, `search` can be used"
    )
    assert cause not in found.err
    if unread:
        [note] = shop("--json", "check", "many.yaml").json
        assert (note["code"], note["severity"]) == ("FSM413", "note")
        assert note["message"].startswith("not all is known of `read_goal`, `book`, `search`: module 'gone' ")
        assert unread in note["message"]


def test_a_module_that_nothing_needs_is_told_beside_the_findings(shop: Shop) -> None:
    shop.write("pyproject.toml", '[tool.fsm-agent]\nmodules = ["gone", "shop_actions"]\n')
    found = shop.process("check", "--import", "workflows/order.yaml")
    assert found.code == 0
    assert found.err == (
        "module 'gone' cannot be imported: ModuleNotFoundError: No module named 'gone'; "
        "its actions and tools are missing\n"
    )


def test_check_without_modules_trusts_bare_names_alone_and_says_so(shop: Shop) -> None:
    shop.write("pyproject.toml", "")
    shop.write("bad.yaml", BAD)
    trusting = shop("check", "bad.yaml")
    assert trusting.code == 0
    assert "no module is listed, so the names of actions are trusted" in trusting.err
    shop.write("bad.yaml", working("os:getcwd"))
    assert shop("check", "bad.yaml").code == 1


def test_check_names_a_module_outside_the_list_and_what_is_allowed(shop: Shop) -> None:
    shop.write("bad.yaml", working("os:getcwd"))
    checked = shop("check", "bad.yaml")
    assert checked.code == 1
    assert checked.out == (
        "bad.yaml:9:9: FSM401 module 'os' is not allowed: add it to `modules` under [tool.fsm-agent] in pyproject.toml "
        "or name it with --module; allowed: shop_actions\n"
        "        do: os:getcwd\n"
        "            ^\n"
        "1 file: 1 error, 0 warnings\n"
    )
    assert checked.err == ""


def test_a_warning_fails_a_strict_check_alone(shop: Shop) -> None:
    shop.write("endless.yaml", ENDLESS)
    assert shop("check", "endless.yaml").code == 0
    assert shop("check", "--strict", "endless.yaml").code == 1


def test_check_tells_programs_in_json_and_pull_requests_in_annotations(shop: Shop) -> None:
    shop.write("bad.yaml", BAD)
    [finding] = shop("check", "--format", "json", "bad.yaml").json
    assert [finding["file"], finding["line"], finding["severity"]] == ["bad.yaml", 9, "error"]
    assert shop("--json", "check", "bad.yaml").json == [finding]
    assert shop("--json", "check", "workflows").json == []
    assert shop("check", "--format", "github", "bad.yaml").out.startswith("::error file=bad.yaml,line=9,col=9,")


def test_the_line_is_shown_with_a_caret_under_the_place(shop: Shop) -> None:
    shop.write(
        "wide.yaml", working("pack").replace("packed: done", """packed: {target: done, when: "'旅' == data.no"}""")
    )
    [line, caret] = shop("check", "wide.yaml").out.splitlines()[1:3]
    assert line.strip() == """packed: {target: done, when: "'旅' == data.no"}"""
    assert len(caret) == line.index("data.no") + len("旅") + 1
    shop.write("long.yaml", working("pack").replace("do: pack", f"do: pack  # {'x' * 300}\n    description: 3"))
    assert all(len(line) < 140 for line in shop("check", "long.yaml").out.splitlines())
    shop.write("far.yaml", f"{working('pack')}limits: {{{'steps: 1, ' * 1}visits: {{working: {' ' * 200}none}}}}\n")
    [line, caret] = shop("check", "far.yaml").out.splitlines()[1:3]
    assert line[caret.index("^") :].startswith("none")
    shop.write("escape.yaml", working("pack").replace("version: 1", 'version: "\x1b[31m"'))
    assert "\x1b" not in shop("check", "escape.yaml").out


def test_a_code_is_explained_as_the_page_does_it(shop: Shop) -> None:
    page = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
    told = shop("check", "--explain", "fsm110").out
    assert told.startswith("FSM110: a state is unknown\n\n")
    assert told.strip() in page
    assert "Fails:" in told
    assert "### " not in told
    assert shop("--json", "check", "--explain", "FSM110").json == {"code": "FSM110", "entry": f"### {told.rstrip()}"}
    unknown = shop("check", "--explain", "FSM11")
    assert (unknown.code, "there is no code 'FSM11' (did you mean" in unknown.err) == (1, True)
    assert shop("check").code == 2


def test_check_takes_files_and_folders_each_once(shop: Shop) -> None:
    shop.write("workflows/more.yml", ORDER)
    shop.write("workflows/notes.txt", "no workflow")
    assert shop("check", "workflows", "workflows/order.yaml").out == "2 files: no mistakes\n"
    assert shop("check", ".").code == 1


MARK = "open('ran', 'w').close()\n"
MODEL = """
from pydantic import BaseModel

class Order(BaseModel):
    item: str | None = None
    wrap: str | None = None
"""


def modelled(module: str) -> str:
    """The order with a model of that module for its data."""
    return ORDER.replace("data:\n  item: string?\n  wrap: string?\n", f"data: {module}:Order\n")


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("--no-import",), ("--import",)])
@pytest.mark.parametrize(
    "words", [("check", "workflows"), ("check", "--format", "github", "workflows"), ("diagram", "workflows/order.yaml")]
)
def test_modules_are_run_only_where_that_is_said(shop: Shop, words: tuple[str, ...], options: tuple[str, ...]) -> None:
    shop.write("far/__init__.py", MARK)
    shop.write(
        "far/away.py",
        MARK + ACTIONS + MODEL,
    )
    shop.write("pyproject.toml", '[tool.fsm-agent]\nmodules = ["far.away"]\n')
    shop.write("workflows/order.yaml", modelled("far.away"))
    looked = shop.process(words[0], *options, *words[1:])
    assert looked.code == 0
    assert (shop.folder / "ran").exists() is ("--import" in options)


def test_what_cannot_be_told_without_an_import_is_noted_and_fails_nothing(shop: Shop) -> None:
    shop.write("shop_actions.py", "from elsewhere import action\n\n@action\ndef pack(ctx): ...\n")
    shop.write("workflows/order.yaml", modelled("shop_actions"))
    looked = shop("check", "--strict", "workflows")
    assert looked.code == 0
    assert looked.out == (
        "workflows/order.yaml:5:7: FSM119 the fields of the model 'shop_actions:Order' are unknown without importing "
        "it: --import looks at them\n"
        "    data: shop_actions:Order\n"
        "          ^\n"
        "workflows/order.yaml:25:9: FSM413 not all is known of `pack`: whether module 'shop_actions' has it cannot be "
        "told from its text; --import looks, and runs its module\n"
        "        do: pack\n"
        "            ^\n"
        "1 file: no mistakes, 2 notes\n"
    )
    assert [each["severity"] for each in shop("--json", "check", "workflows").json] == ["note", "note"]
    assert shop("check", "--format", "github", "workflows").out.startswith("::notice file=workflows/order.yaml,line=5")


def test_what_does_not_need_the_unknown_is_judged_as_strictly_as_ever(shop: Shop) -> None:
    model = modelled("shop_actions")
    shop.write("workflows/order.yaml", model.replace("assign: {wrap: event.reason}", "assign: {wrap: event.raeson}"))
    looked = shop("check", "workflows")
    assert (looked.code, "(did you mean `event.reason`?)" in looked.out) == (1, True)


def test_a_picture_is_the_same_whether_a_data_model_is_known(shop: Shop) -> None:
    shop.write(
        "shop_actions.py",
        ACTIONS + MODEL,
    )
    shop.write("workflows/order.yaml", modelled("shop_actions"))
    for name in ("dot", "mermaid"):
        words = ("diagram", "workflows/order.yaml", "--format", name)
        assert shop(*words).out == shop(*words, "--import").out != ""


def test_the_schema_is_json_schema(shop: Shop) -> None:
    assert shop("schema").json["$schema"].startswith("https://json-schema.org/")


# --- diagram


def test_a_diagram_goes_to_stdout_or_to_a_file_by_its_name(shop: Shop) -> None:
    printed = shop("diagram", "workflows/order.yaml", "--format", "dot")
    assert (printed.code, printed.out.startswith("digraph")) == (0, True)
    shop("diagram", "workflows/order.yaml", "-o", "order.dot")
    assert (shop.folder / "order.dot").read_text() == printed.out


def test_a_folder_of_diagrams_holds_each_format_and_is_fresh(shop: Shop) -> None:
    written = shop("--json", "diagram", "workflows", "--out-dir", "diagrams")
    names = ["diagrams/order.dot", "diagrams/order.mmd", "diagrams/order.svg"]
    assert written.json == {"files": names}
    assert shop("diagram", "workflows", "--out-dir", "diagrams", "--check").code == 0


@pytest.mark.parametrize("name", ["order.dot", "order.mmd"])
def test_a_stale_diagram_is_named(shop: Shop, name: str) -> None:
    shop("diagram", "workflows", "--out-dir", "diagrams")
    shop.write(f"diagrams/{name}", "old")
    checked = shop("diagram", "workflows", "--out-dir", "diagrams", "--check")
    assert (checked.code, checked.err) == (1, f"diagrams/{name} is stale\n3 pictures: 1 not fresh\n")
    assert (shop.folder / "diagrams" / name).read_text() == "old"


def test_every_missing_diagram_is_named_and_an_old_picture_is_not_compared(shop: Shop) -> None:
    shop.write("diagrams/order.svg", "old")
    checked = shop("diagram", "workflows", "--out-dir", "diagrams", "--check")
    assert checked.code == 1
    assert checked.err.splitlines()[:2] == ["diagrams/order.dot is missing", "diagrams/order.mmd is missing"]
    (shop.folder / "diagrams/order.svg").unlink()
    assert "order.svg is missing" in shop("diagram", "workflows", "--out-dir", "diagrams", "--check").err


def test_the_path_of_an_agent_is_drawn_though_its_file_is_gone(shop: Shop) -> None:
    plain = shop("diagram", "workflows/order.yaml", "--format", "dot").out
    shop.order()
    shutil.rmtree(shop.folder / "workflows")
    drawn = shop("diagram", "--agent", "one", "--format", "dot")
    assert drawn.code == 0
    assert drawn.out != plain
    assert "asking" in drawn.out


def test_two_workflows_do_not_fit_into_one_file(shop: Shop) -> None:
    shop.write("workflows/more.yaml", ORDER)
    assert shop("diagram", "workflows", "-o", "one.dot").code == 1
    assert shop("diagram", "workflows", "--format", "dot").code == 1


def test_a_workflow_with_mistakes_is_not_drawn(shop: Shop) -> None:
    shop.write("bad.yaml", "workflow: x\n")
    refused = shop("diagram", "bad.yaml", "-o", "bad.svg")
    assert refused.code == 1
    assert not (shop.folder / "bad.svg").exists()


# --- init


@pytest.fixture
def begun(shop: Shop) -> Shop:
    assert shop("init", "begun").code == 0
    return Shop(shop.folder / "begun", is_empty=True)


@pytest.mark.long
def test_a_new_project_passes_check_runs_and_passes_its_own_tests(begun: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(begun.folder)
    assert begun.process("check", "--strict", "workflows").out == "1 file: no mistakes\n"
    waiting = begun.process("--json", "run", "workflows/hello.yaml", "--id", "first")
    assert waiting.json["question"]["prompt"] == "Who is there?"
    done = begun.process("--json", "answer", "first", "Ana")
    assert (done.json["output"], done.code) == ({"greeting": "Hello, Ana!"}, 0)
    pytest_in_it = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tested = subprocess.run(pytest_in_it, cwd=begun.folder, capture_output=True, check=False)
    assert tested.returncode == 0, tested.stdout


def test_init_keeps_every_file_that_is_there(shop: Shop) -> None:
    shop.write("README.md", "mine")
    begun = shop("--json", "init")
    assert begun.json["kept"] == ["README.md", "pyproject.toml"]
    assert (shop.folder / "README.md").read_text() == "mine"
    assert "workflows/hello.yaml" in begun.json["written"]
    assert shop("--json", "init").json["written"] == []


def test_init_says_what_a_kept_project_needs(shop: Shop) -> None:
    assert 'modules = ["greetings"]' in shop("init").out


def test_init_notices_that_it_has_been_run(begun: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(begun.folder)
    again = begun("init")
    assert again.out.splitlines()[0] == "wrote  nothing: this was done before, and every file is there"
    assert "add to" not in again.out
    (begun.folder / "README.md").unlink()
    assert begun("--json", "init").json["written"] == ["README.md"]


def test_the_schema_that_a_new_workflow_names_is_there_and_is_ours(begun: Shop) -> None:
    workflow = begun.folder / "workflows" / "hello.yaml"
    named = re.match(r"# yaml-language-server: \$schema=(.*)\n", workflow.read_text())
    assert named is not None
    schema = workflow.parent / named[1]
    assert schema.read_text() == begun("schema").out
    validator = jsonschema_rs.validator_for(json.loads(schema.read_text()))
    assert validator.is_valid(yaml.safe_load(workflow.read_text().replace("\n    on:", '\n    "on":')))
    assert not validator.is_valid({"workflow": "hello", "versoin": 1})


@pytest.mark.long
def test_pip_installs_a_new_project(begun: Shop, tmp_path: Path) -> None:
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(tmp_path / "site")]
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "install", *flags, "."], cwd=begun.folder, capture_output=True, check=False
    )
    assert pip.returncode == 0, pip.stderr
    assert {each.name for each in (tmp_path / "site").iterdir()} >= {"greetings.py", "hello_agent-0.1.0.dist-info"}
    [facts] = (tmp_path / "site").glob("*.dist-info/METADATA")
    assert "Requires-Dist: fsm-agent\n" in facts.read_text()


def test_every_command_of_the_new_readme_exists() -> None:
    from fsm_agent.cli.main import COMMANDS

    readme = (Path(init.__file__).parents[1] / "starter" / "README.md.txt").read_text()
    commands = [line.split()[2] for line in readme.splitlines() if line.startswith("$ fsm-agent")]
    assert set(commands) <= {name for entries in COMMANDS.values() for name in entries}
