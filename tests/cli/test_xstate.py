"""``xstate export`` and ``xstate import``: what goes where, and what is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsm_agent.loading.yaml_file import load
from tests.support.shop import ORDER, Shop


def test_a_machine_goes_to_stdout_or_to_a_file_and_what_is_lost_to_stderr(shop: Shop) -> None:
    printed = shop("xstate", "export", "workflows/order.yaml")
    written = shop("xstate", "export", "workflows/order.yaml", "-o", "order.json")
    assert (printed.code, written.code, written.out) == (0, 0, "")
    machine = json.loads((shop.folder / "order.json").read_text())
    assert json.loads(printed.out) == machine
    assert (machine["id"], machine["initial"]) == ("order", "new")
    assert "states.asking.ask: the question is not carried, only the events that answer it\n" in printed.err
    assert written.err == f"wrote order.json\n{printed.err}"


def test_a_machine_comes_back_as_a_workflow_that_check_can_read(shop: Shop) -> None:
    shop("xstate", "export", "workflows/order.yaml", "-o", "order.json")
    printed = shop("xstate", "import", "order.json")
    shop("xstate", "import", "order.json", "-o", "again.yaml")
    assert (shop.folder / "again.yaml").read_text() == printed.out
    back, ours = load(shop.folder / "again.yaml"), load(shop.folder / "workflows" / "order.yaml")
    assert [state.path for state in back.states] == [state.path for state in ours.states]
    assert "asking.on.reject: action 'wrap = event.reason' is a function: it is left out\n" in printed.err


def test_a_document_has_what_is_made_and_what_is_lost(shop: Shop) -> None:
    exported = shop("--json", "xstate", "export", "workflows/order.yaml").json
    assert list(exported) == ["machine", "lost", "flattened"]
    assert {tuple(loss) for loss in exported["lost"]} == {("place", "sentence")}
    shop.write("order.json", json.dumps(exported["machine"]))
    assert list(shop("--json", "xstate", "import", "order.json").json) == ["workflow", "lost"]
    assert shop("--json", "xstate", "import", "order.json", "-o", "b.yaml").json["file"] == "b.yaml"


@pytest.mark.parametrize("words", [("xstate", "export", "workflows/order.yaml"), ("xstate", "import", "odd.json")])
def test_hostile_text_comes_out_as_text(shop: Shop, words: tuple[str, ...]) -> None:
    odd = "</script>]|`\u202e\x1b[31m\n'\""
    shop.write(
        "workflows/order.yaml", f"{ORDER}\n".replace("Packs one thing, once somebody says how.", json.dumps(odd))
    )
    shop.write("odd.json", json.dumps({"id": odd, "initial": odd, "states": {odd: {"description": odd, "tags": 1}}}))
    told = shop(*words)
    assert told.code == 0
    assert not {"\u202e", "\x1b"} & set(told.out + told.err)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("m.json", "{", "it is not JSON (Expecting property name enclosed in double quotes, line 1, column 2)"),
        ("m.json", "{}", "this is no machine of XState that a workflow can be made of: it has no `states`"),
        ("m.json", "\xff" * 1_048_577, "m.json: a machine may take 1048576 bytes, and this file is larger"),
        ("m.json", '{"states": {"a": {"on": {"go": "b"}}}, "initial": "a"}', "a: there is no state 'b' to go to"),
        ("n.json", "", "there is no file 'm.json'"),
    ],
)
def test_what_is_no_machine_is_refused_in_a_sentence_and_writes_nothing(
    shop: Shop, file: str, text: str, said: str
) -> None:
    shop.write(file, text)
    refused = shop("xstate", "import", "m.json", "-o", "out.yaml")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)
    assert said in refused.err
    assert "m.json" in refused.err
    assert not (shop.folder / "out.yaml").exists()


def test_bytes_that_are_no_text_are_refused(shop: Shop) -> None:
    (Path(shop.folder) / "m.json").write_bytes(b'{"id": "\xff"}')
    assert shop("xstate", "import", "m.json").err == "error: m.json is not UTF-8 text\n"


def test_there_are_two_ways(shop: Shop) -> None:
    assert shop("xstate", "change", "workflows/order.yaml").code == 1
    assert shop("xstate", "export").code == 2
    assert "error: Missing argument 'export|import'. Choose from: export, import; `" in shop("xstate").err


def test_a_folder_that_is_not_there_is_made(shop: Shop) -> None:
    assert shop("xstate", "export", "workflows/order.yaml", "-o", "new/order.json").code == 0
    assert (shop.folder / "new" / "order.json").exists()
