"""Bad input at the command line: a sentence that names the place and what is allowed, and nothing is lost."""

from __future__ import annotations

import apsw
import pytest

from tests.support.shop import ORDER, Shop, working

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


@pytest.mark.parametrize("command", ["check", "run", "diagram"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workflow: [\n", "bad.yaml:2:1: FSM001 this is not YAML: "),
        ("#" * 2_000_000, "bad.yaml:1:1: FSM004 a workflow may take 1048576 bytes"),
        ("[" * 10_000, "FSM005 a file may nest 64 levels deep"),
        (BOMB, "FSM004 a file may hold 50000 values, each alias counted in full"),
        (ORDER.replace("version: 1", "versoin: 1"), "bad.yaml:3:1: FSM101 the workflow has no key 'versoin' (did you"),
        (ORDER.replace("do: pack", "do: !!python/name:os.system"), "bad.yaml:27:9: FSM009 "),
    ],
    ids=["malformed", "huge", "deep", "bomb", "unknown key", "tag"],
)
def test_a_file_that_is_no_workflow_is_refused_at_its_place(shop: Shop, command: str, text: str, said: str) -> None:
    shop.write("bad.yaml", text)
    refused = shop(command, "bad.yaml")
    assert refused.code == 1
    assert said in refused.out + refused.err
    assert not (shop.folder / "fsm-agent.db").exists()


ACTIONS = """
import time

from fsm_agent import action


@action
def raises(ctx):
    raise ValueError("no line")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


@action
def raises_what_cannot_be_told(ctx):
    raise Mute


@action
def raises_no_unicode(ctx):
    raise ValueError("half a pair: \\ud800")


@action
def exits(ctx):
    raise SystemExit(0)


@action
async def exits_on_the_loop(ctx):
    raise SystemExit(0)


@action
def hangs(ctx):
    time.sleep(60)


@action
def undeclared(ctx):
    return "wrapped"


@action
def no_event(ctx):
    return {"event": "packed"}


@action
def misshapen(ctx):
    return ctx.emit("packed", boxes="two", lid=True)


@action
def breaks_its_schema(ctx):
    ctx.data.boxes = 100
    return ctx.emit("packed", boxes=1)


@action
def no_field(ctx):
    ctx.data.boxs = 1


@action
def no_json(ctx):
    ctx.data.boxes = {1}


def no_context():
    return "packed"
"""

WORK = """
workflow: work
version: 1
data: {boxes: {type: integer, maximum: 9, default: 3}}
events:
  packed: {boxes: integer}
initial: working
states:
  working:
    do: shop_actions:DO
    timeout: TIMEOUT
    on:
      packed: done
  done: {final: true}
"""


@pytest.mark.parametrize(
    ("do", "kind", "said"),
    [
        ("raises", "ValueError", "no line"),
        ("raises_what_cannot_be_told", "Mute", "its message cannot be read, since __str__ raises RuntimeError"),
        ("raises_no_unicode", "ValueError", "half a pair: \\ud800"),
        ("exits", "RuntimeError", "action 'shop_actions:exits' told the process to exit with 0"),
        ("exits_on_the_loop", "RuntimeError", "told the process to exit with 0"),
        ("hangs", "TimeoutError", "action 'shop_actions:hangs' took longer than 100 ms"),
        ("undeclared", "IllegalEvent", "'wrapped' is not allowed in state 'working' as what action 'shop_actions:und"),
        ("no_event", "IllegalEvent", '{"event": "packed"} names no event, and is not allowed in state '),
        ("misshapen", "PayloadInvalid", "there is no field 'lid'; declared: boxes; boxes: \"two\" is not of type"),
        ("breaks_its_schema", "DataInvalid", "boxes: 100 is greater than the maximum of 9"),
        ("no_field", "DataInvalid", "there is no data field 'boxs' (did you mean `boxes`?); declared: boxes"),
        ("no_json", "DataInvalid", "boxes is {1} of type set, and only JSON can be kept"),
        ("no_context", "TypeError", "no_context() takes 0 positional arguments but 1 was given"),
    ],
)
def test_an_action_that_misbehaves_parks_its_agent_where_it_was(shop: Shop, do: str, kind: str, said: str) -> None:
    shop.write("shop_actions.py", ACTIONS)
    shop.write("work.yaml", WORK.replace("DO", do).replace("TIMEOUT", "100ms" if do == "hangs" else "1h"))
    parked = shop("--json", "run", "work.yaml", "--id", "one")
    assert (parked.code, parked.json["status"], parked.json["state"]) == (4, "parked", "working")
    assert parked.json["error"]["type"] == kind
    assert said in parked.json["error"]["message"]
    assert parked.json["data"] == {"boxes": 3}
    assert "Traceback" not in parked.err
    freed = shop("--json", "unpark", "one", "--event", "packed", "--payload", '{"boxes": 1}')
    assert (freed.code, freed.json["data"]) == (0, {"boxes": 3})


def test_a_module_that_cannot_be_imported_is_named_and_keeps_no_other_from_working(shop: Shop) -> None:
    shop.write("script.py", "raise SystemExit(0)\n")
    shop.write("wrapping.py", "from fsm_agent import action\n\n\n@action\ndef wrap(ctx): return 'packed'\n")
    shop.order()
    shop.write("pyproject.toml", '[tool.fsm-agent]\nmodules = ["script", "wrapping"]\n')
    shop.write("work.yaml", working("wrap"))
    well = shop.process("--json", "run", "work.yaml", "--id", "well")
    assert (well.code, well.json["status"]) == (0, "done")
    assert well.err == "module 'script' cannot be imported: SystemExit: 0; its actions and tools are missing\n"
    refused = shop("check", "--import", "workflows", "work.yaml")
    assert refused.code == 1
    cause = "module 'script' cannot be imported: SystemExit: 0"
    assert refused.out.splitlines()[0] == (
        f"workflows/order.yaml:27:9: FSM415 {cause}; so it is not known whether `pack` can be used"
    )
    begun = shop("run", "workflows/order.yaml", "--payload", '{"item": "x"}')
    assert (begun.code, begun.err.count(cause)) == (1, 1)
    why = f"no action 'pack'; there are wrap; {cause}"
    parked = shop("--json", "answer", "one", "--event", "approve")
    assert parked.json["error"] == {"type": "ActionMissing", "message": why}


def test_a_model_that_its_module_does_not_have_is_named_as_one(shop: Shop) -> None:
    shop.write("model.yaml", ORDER.replace("data:\n  item: string?\n  wrap: string?\n", "data: shop_actions:Order\n"))
    refused = shop("run", "model.yaml")
    assert refused.code == 1
    assert (
        "model.yaml:5:7: FSM116 the model 'shop_actions:Order' cannot be used: module 'shop_actions' has no pydantic"
        in (refused.err)
    )


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("{}", "item must be given: it has no default and may not be null"),
        ('{"item": 7}', 'item: 7 is not of type "string"'),
        ('{"item": ""}', 'item: "" is shorter than 1 character'),
        ('{"item": "x", "colour": 1}', "there is no field 'colour'; declared: item"),
        ('{"itme": "x"}', "there is no field 'itme' (did you mean `item`?); declared: item"),
        ('{"item": "\\ud800"}', "item is no Unicode text"),
        ("@latin.json", "'latin.json' is not UTF-8 text"),
        ("@missing.json", "'missing.json' cannot be read: No such file or directory"),
    ],
)
def test_a_payload_of_the_wrong_shape_says_what_is_right(shop: Shop, payload: str, said: str) -> None:
    (shop.folder / "latin.json").write_bytes(b'{"item": "caf\xe9"}')
    refused = shop("run", "workflows/order.yaml", "--payload", payload)
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)
    assert said in refused.err
    assert shop("--json", "list").json["agents"] == []


@pytest.mark.parametrize(
    "words",
    [
        ["show", "\udcff"],
        ["--by", "\udcff", "answer", "one", "--event", "approve"],
        ["send", "one", "reject", "--payload", '{"reason": "x"}', "--key", "\udcff"],
        ["list", "--workflow", "\udcff"],
    ],
    ids=["id", "by", "key", "workflow"],
)
def test_what_is_no_unicode_is_refused(shop: Shop, words: list[str]) -> None:
    """Python reads a byte that is not UTF-8, in a command line, as half a pair."""
    shop.order()
    refused = shop(*words)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("error: ")
    assert "is no Unicode text" in refused.err
    assert shop("--json", "show", "one").json["version"] == 2


def test_an_unknown_id_is_cut_to_a_length_that_fits_a_sentence(shop: Shop) -> None:
    refused = shop("show", "x" * 5_000)
    assert (refused.code, len(refused.err) < 200) == (1, True)


def test_a_newer_database_is_left_alone(shop: Shop) -> None:
    shop.order()
    db = apsw.Connection("fsm-agent.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    refused = shop("answer", "one", "--event", "approve")
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)
    assert "has schema version 99, and this fsm-agent knows versions up to" in refused.err


def test_a_worker_does_not_wait_for_a_damaged_database_to_heal(shop: Shop) -> None:
    shop.order()
    file = shop.folder / "fsm-agent.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)
    refused = shop.process("worker")
    assert refused.code == 1
    assert "is damaged" in refused.err.splitlines()[-1]


def test_a_full_disk_is_named_when_a_picture_is_written(shop: Shop) -> None:
    refused = shop("diagram", "workflows/order.yaml", "--format", "dot", "-o", "/dev/full")
    assert (refused.code, refused.err) == (1, "error: /dev/full: No space left on device\n")


def test_of_processes_that_answer_at_once_one_wins_and_the_others_are_told(shop: Shop) -> None:
    shop.order()
    racing = [shop.spawn("--by", name, "answer", "one", "--event", "approve") for name in ("ana", "ben", "eve")]
    said = [process.communicate(timeout=60) for process in racing]
    assert sorted(process.returncode for process in racing) == [0, 1, 1]
    [winner] = [name for name, process in zip(("ana", "ben", "eve"), racing, strict=True) if process.returncode == 0]
    assert all(err.startswith("error: ") for (_, err), process in zip(said, racing, strict=True) if process.returncode)
    steps = shop("--json", "history", "one").json["steps"]
    assert [step["by"] for step in steps if step["event"] == "approve"] == [winner]
