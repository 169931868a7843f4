"""The command line as programs see it: documents, exit codes, what stands on which stream."""

from __future__ import annotations

import json
import re

import pytest

from fsm_agent import __version__
from fsm_agent.cli.main import COMMANDS
from tests.support.shop import ACTIONS, FORM, ORDER, Shop, working

AGENT = [
    "id", "workflow", "workflow_version", "state", "status", "version", "data", "question", "allowed", "output",
    "error", "retry", "created_at", "updated_at", "user", "progress", "usage", "context_tokens", "messages", "parent",
    "labels",
]  # fmt: skip
STEP = [
    "version", "kind", "event", "payload", "from", "to", "delta", "by", "at", "duration_ms", "reason",
    "messages", "usage", "asks_anew",
]  # fmt: skip
ENTRY = [
    "id", "workflow", "workflow_version", "state", "status", "version", "question", "created_at", "updated_at", "user",
    "progress", "error", "retry", "labels",
]  # fmt: skip


def test_an_agent_is_printed_with_exactly_the_fields_of_the_contract(shop: Shop) -> None:
    started = shop.order()
    assert started.code == 0
    assert list(started.json) == [*AGENT, "delivery"]
    assert list(shop("--json", "show", "one").json) == [*AGENT, "children", "failed_children"]
    question = started.json["question"]
    assert list(question) == ["id", "prompt", "to", "deadline", "events"]
    assert (question["prompt"], list(question["events"])) == ("Pack book?", ["approve", "reject"])
    assert started.json["allowed"] == ["approve", "reject", "cancel"]


def test_a_history_is_printed_with_exactly_the_fields_of_the_contract(shop: Shop) -> None:
    shop.order()
    document = shop("--json", "history", "one").json
    assert list(document) == ["id", "steps"]
    assert [list(step) for step in document["steps"]] == [STEP, STEP]
    assert [(step["event"], step["from"], step["to"]) for step in document["steps"]] == [
        ("created", None, "new"),
        ("ordered", "new", "asking"),
    ]


def test_a_list_goes_on_where_the_last_one_ended(shop: Shop) -> None:
    for agent_id in ("a", "b", "c"):
        shop.order(agent_id)
    first = shop("--json", "list", "--limit", "2").json
    assert list(first) == ["agents", "next", "damaged"]
    assert [list(entry) for entry in first["agents"]] == [ENTRY, ENTRY]
    rest = shop("--json", "list", "--after", first["next"]).json
    assert [entry["id"] for entry in rest["agents"]] == ["c"]
    assert rest["next"] is None


def test_a_list_keeps_to_a_status_and_a_workflow(shop: Shop) -> None:
    shop.order("a")
    shop.order("b")
    shop("cancel", "b")
    assert [entry["id"] for entry in shop("--json", "list", "--status", "waiting").json["agents"]] == ["a"]
    assert shop("--json", "list", "--workflow", "other").json["agents"] == []


@pytest.mark.parametrize(
    ("item", "status", "code"), [("book", "done", 0), ("bomb", "failed", 3), ("glass", "failed", 3)]
)
def test_the_exit_code_says_how_the_agent_ended(shop: Shop, item: str, status: str, code: int) -> None:
    shop.order(item=item)
    answered = shop("--json", "answer", "one", "--event", "approve")
    assert (answered.json["status"], answered.code) == (status, code)


def test_an_agent_whose_action_is_missing_is_parked_and_goes_on_when_it_is_there(shop: Shop) -> None:
    parked = shop.strand()
    assert (parked.json["status"], parked.code) == ("parked", 4)
    assert "no action 'pack'" in parked.json["error"]["message"]
    shop.write("shop_actions.py", "from fsm_agent import action\n\n@action\ndef pack(ctx):\n    return 'packed'\n")
    freed = shop("--json", "unpark", "one", "--retry")
    assert (freed.json["status"], freed.code) == ("done", 0)


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("pck", "work.yaml:9:9: FSM401 there is no action `pck` (did you mean `pack`?)"),
        ("shop_actions:pck", "work.yaml:9:9: FSM401 no action 'shop_actions:pck' (did you mean `shop_actions:pack`?)"),
        ("os:getcwd", "work.yaml:9:9: FSM401 module 'os' is not allowed"),
        ("helper", "work.yaml:9:9: FSM401 no action 'helper'; function 'helper' of module 'shop_actions' lacks the"),
    ],
)
def test_run_checks_first_and_begins_nothing_that_would_be_parked(
    shop: Shop, options: tuple[str, ...], do: str, said: str
) -> None:
    shop.write("shop_actions.py", f"{ACTIONS}\n\ndef helper(ctx): ...\n")
    shop.write("work.yaml", working(do))
    refused = shop(*options, "run", "work.yaml", "--id", "one")
    assert refused.code == 1
    assert said in (refused.json["error"]["detail"] if options else refused.err)
    assert shop("--json", "list").json["agents"] == []


def test_run_minds_only_what_would_park_an_agent(shop: Shop) -> None:
    lost = working("fail_once", extra="retry: {attempts: 2, backoff: 1ms}").replace(
        "done: {final: true}", "done: {final: true}\n  lost: {final: true}"
    )
    shop.write("work.yaml", lost)
    assert "FSM301 state `lost` is never entered" in shop("check", "work.yaml").out
    assert shop("run", "work.yaml").code == 0


def test_without_any_module_run_needs_the_action_that_check_trusts(shop: Shop) -> None:
    shop.write("pyproject.toml", "")
    shop.write("work.yaml", working("pack"))
    assert shop("check", "work.yaml").code == 0
    refused = shop("run", "work.yaml")
    assert (refused.code, "FSM401 there is no action `pack`" in refused.err) == (1, True)


def test_an_operator_may_let_an_event_happen_to_a_parked_agent(shop: Shop) -> None:
    shop.strand()
    freed = shop("--json", "--by", "ana", "unpark", "one", "--event", "packed")
    assert freed.json["status"] == "done"
    assert shop("--json", "history", "one").json["steps"][-1]["by"] == "ana"


@pytest.mark.parametrize(
    "words",
    [
        ("send", "one", "approve"),
        ("answer", "one", "--event", "approve"),
        ("answer", "one", "--event", "gone"),
        ("cancel", "one"),
        ("unpark", "one", "--retry"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_who_expects_an_earlier_version_is_told_who_was_first(
    shop: Shop, words: tuple[str, ...], options: tuple[str, ...]
) -> None:
    shop.order()
    shop("--by", "ana", "answer", "one", "--event", "approve")
    late = shop(*options, *words, "--expect-version", "2")
    assert (late.code, list(late.json) if options else late.out) == (1, ["error"] if options else "")
    assert late.err == (
        "error: agent 'one' is at version 4, and version 2 was expected: "
        "since then ana sent 'approve' and 'packed' happened\n"
    )
    assert len(shop("--json", "history", "one").json["steps"]) == 4


def test_who_expects_the_present_version_is_heard_and_a_version_is_a_number_from_1(shop: Shop) -> None:
    shop.order()
    assert shop("answer", "one", "--event", "approve", "--expect-version", "2").code == 0
    refused = shop("cancel", "one", "--expect-version", "0")
    assert (refused.code, "a whole number from 1, and '0' is none" in refused.err) == (1, True)


def test_a_module_that_is_no_longer_listed_parks_the_agent_and_says_what_is_allowed(shop: Shop) -> None:
    shop.write("workflows/order.yaml", ORDER.replace("do: pack", "do: absent:pack"))
    shop.write("absent.py", ACTIONS)
    shop("--module", "absent", "run", "workflows/order.yaml", "--id", "one", "--payload", '{"item": "book"}')
    parked = shop("--json", "answer", "one", "--event", "approve")
    assert parked.code == 4
    assert parked.json["error"]["type"] == "ActionMissing"
    assert "module 'absent' is not allowed" in parked.json["error"]["message"]
    assert "allowed: shop_actions" in parked.json["error"]["message"]


def test_an_action_that_hangs_ends_with_its_time(shop: Shop) -> None:
    shop.write("work.yaml", working("dawdle", extra="timeout: 50ms"))
    parked = shop.process("--json", "run", "work.yaml")  # the thread that hangs ends with its process
    assert (parked.code, parked.json["status"]) == (4, "parked")
    assert "longer than 50 ms" in parked.json["error"]["message"]


def test_what_an_action_prints_does_not_mix_with_the_document(shop: Shop) -> None:
    shop.write("shop_actions.py", f"{ACTIONS}\n\n@action\ndef chat(ctx):\n    print('hello')\n    raise ValueError\n")
    shop.write("work.yaml", working("chat"))
    parked = shop("--json", "run", "work.yaml")
    said, why, *rest = parked.err.splitlines()
    assert (parked.json["status"], said, rest) == ("parked", "hello", [])
    assert why.startswith("action 'chat' of agent "), "one sentence, and no traceback"


def test_a_cancelled_agent_is_a_failure_for_answer_and_none_for_cancel(shop: Shop) -> None:
    shop.order("a")
    assert shop("answer", "a", "--event", "reject", "too dear").code == 3
    shop.order("b")
    cancelled = shop("--json", "cancel", "b")
    assert (cancelled.json["status"], cancelled.code) == ("cancelled", 0)


@pytest.mark.parametrize(
    "words",
    [
        ["show", "nobody"],
        ["show", "../x"],
        ["history", "\u202eodd"],
        ["answer", "nobody"],
        ["send", "nobody", "ordered"],
        ["resume", "nobody"],
        ["cancel", "nobody"],
        ["unpark", "nobody", "--retry"],
        ["diagram", "--agent", "nobody"],
        ["run", "missing.yaml"],
        ["run", "workflows"],
        ["check", "missing.yaml"],
        ["diagram", "missing.yaml"],
        ["run", "workflows/order.yaml", "--id", "a b", "--payload", '{"item": "x"}'],
        ["run", "workflows/order.yaml", "--payload", "{"],
        ["run", "workflows/order.yaml", "--payload", "[1]"],
        ["run", "workflows/order.yaml", "--payload", "@missing.json"],
        ["run", "workflows/order.yaml", "--payload", '{"itme": "x"}'],
        ["run", "workflows/order.yaml", "--payload", "[" * 100_000],
        ["run", "workflows/order.yaml", "--event", "ordred", "--payload", '{"item": "x"}'],
        ["run", "workflows/order.yaml", "--data", '{"colour": 1}', "--payload", '{"item": "x"}'],
        ["list", "--limit", "0"],
        ["list", "--limit", "many"],
        ["list", "--status", "asleep"],
        ["unpark", "nobody", "--retry", "--event", "packed"],
        ["diagram", "workflows", "--format", "gif"],
        ["diagram", "workflows/order.yaml", "-o", "a.svg", "--out-dir", "b"],
        ["diagram", "workflows/order.yaml", "-o", "picture"],
        ["diagram", "workflows/order.yaml", "--check"],
        ["--store", "mongo://x", "list"],
        ["--store", "sqlite:///nowhere/x.db", "list"],
        ["--namespace", "a b", "list"],
        ["init", "pyproject.toml"],
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_wrong_input_is_one_sentence_and_exit_1(shop: Shop, words: list[str]) -> None:
    refused = shop(*words)
    assert refused.code == 1
    assert refused.out == ""
    assert refused.err.startswith("error: ")
    assert len(refused.err.splitlines()) == 1
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["lst"],
        ["--frobnicate"],
        ["list", "--frobnicate"],
        ["list", "--limit"],
        ["show"],
        ["show", "a", "b"],
        ["run"],
        ["check"],
        ["diagram"],
        ["send", "a"],
        ["unpark", "a"],
    ],
    ids=" ".join,
)
def test_a_line_that_cannot_be_understood_is_exit_2(shop: Shop, words: list[str]) -> None:
    refused = shop(*words)
    assert (refused.code, refused.out) == (2, "")
    assert "Traceback" not in refused.err


def test_a_misspelt_command_is_told_the_right_one(shop: Shop) -> None:
    assert "did you mean `list`?" in shop("lst").err


def test_global_options_are_taken_after_the_command_too(shop: Shop) -> None:
    shop.order()
    assert shop("list", "--json").json == shop("--json", "list").json
    assert shop("list", "--json", "--namespace", "north").json["agents"] == []
    assert shop("--namespace", "north", "list", "--namespace", "default", "--json").json["agents"] != []
    answered = shop("answer", "one", "--event", "approve", "--by", "ana", "--json")
    assert answered.json["status"] == "done"
    assert shop("history", "one", "--json").json["steps"][2]["by"] == "ana"
    options = ("--module", "shop_actions", "--store", "sqlite:///b.db")
    told = shop("--module", "more", "run", "workflows/order.yaml", "--payload", '{"item": "x"}', *options)
    assert "fsm-agent --store sqlite:///b.db --module more --module shop_actions" in told.out
    assert "Traceback" in shop("show", "nobody", "--debug").err


def test_help_of_a_command_lists_its_own_options_alone(shop: Shop) -> None:
    assert "--store" not in shop("list", "--help").out


NOTHING_GIVEN = "reason must be given: it has no default and may not be null"
ERRORS = [
    (("show", "nobody"), 1, {"type": "AgentNotFound", "title": "Agent not found"}),
    (("send", "one", "packed"), 1, {"type": "IllegalEvent", "allowed": ["approve", "reject", "cancel"]}),
    (
        ("answer", "one", "--event", "reject", "{}"),
        1,
        {"type": "PayloadInvalid", "problems": [NOTHING_GIVEN]},
    ),
    (("run", "nowhere.yaml"), 1, {"type": "InputInvalid"}),
    (("list", "--limit", "0"), 1, {"type": "BadParameter"}),
    (("list", "--lmit", "1"), 2, {"type": "UsageError", "title": "Usage error"}),
    (("lst",), 2, {"type": "UsageError"}),
    (("show",), 2, {"type": "UsageError"}),
    ((), 2, {"type": "UsageError"}),
]


@pytest.mark.parametrize(
    ("words", "code", "told"), ERRORS, ids=lambda each: " ".join(each[:1]) if isinstance(each, tuple) else ""
)
def test_an_error_is_a_document_too_where_json_is_asked_for(
    shop: Shop, words: tuple[str, ...], code: int, told: dict[str, object]
) -> None:
    shop.order()
    for line in (("--json", *words), (*words, "--json")):
        refused = shop(*line)
        error = refused.json["error"]
        assert (refused.code, list(refused.json)) == (code, ["error"])
        assert set(error) - {"allowed", "problems"} == {"type", "title", "detail"}
        assert {name: error[name] for name in told} == told
        assert refused.err == f"error: {error['detail']}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--limit", "x"), "`--limit` takes a whole number from 1 to 1000, and 'x' is none"),
        (("list", "--limit", "1001"), "`--limit` takes a whole number from 1 to 1000, and '1001' is none"),
        (("answer", "one", "--question", "x"), "`--question` takes a whole number from 1, and 'x' is none"),
        (("answer", "one", "--expect-version", "0"), "`--expect-version` takes a whole number from 1, and '0' is none"),
        (("show", "one", "--at", "1.5"), "`--at` takes a whole number from 1, and '1.5' is none"),
        (("size", "--top", "-1"), "`--top` takes a whole number from 0, and '-1' is none"),
        (("rewind", "one", "x"), "`VERSION` takes a whole number from 1, and 'x' is none"),
        (("fork", "one", "x"), "`VERSION` takes a whole number from 1, and 'x' is none"),
    ],
)
def test_what_is_no_number_is_told_with_those_that_are_taken(shop: Shop, words: tuple[str, ...], said: str) -> None:
    refused = shop(*words)
    assert (refused.code, refused.out, refused.err) == (1, "", f"error: {said}\n")


def test_no_help_speaks_of_ranges(shop: Shop) -> None:
    for name in [name for entries in COMMANDS.values() for name in entries]:
        told = shop(name, "--help").out
        assert not re.search(r"RANGE|x>=|<=x|INTEGER", told), told


def test_a_workflow_with_mistakes_is_a_document_with_all_of_them(shop: Shop) -> None:
    shop.write("work.yaml", ORDER.replace("target: asking", "target: askin").replace("sent: {", "sent: {odd: 1, "))
    error = shop("run", "work.yaml", "--json").json["error"]
    assert error["type"] == "WorkflowInvalid"
    assert len(error["problems"]) == 2


def test_without_json_nothing_of_an_error_is_on_stdout(shop: Shop) -> None:
    assert shop("show", "nobody").out == ""


def test_who_is_refused_among_others_is_told_in_the_same_document(shop: Shop) -> None:
    shop.order()
    both = shop("resume", "one", "nobody", "--json")
    assert (both.code, [agent["id"] for agent in both.json["agents"]]) == (1, ["one"])
    assert [error["type"] for error in both.json["errors"]] == ["AgentNotFound"]


def test_a_misspelt_file_is_told_the_right_one(shop: Shop) -> None:
    assert "did you mean `workflows/order.yaml`?" in shop("run", "workflows/ordr.yaml").err
    assert "did you mean `workflows/order.yaml`?" in shop("run", "order").err


def test_the_version_is_printed(shop: Shop) -> None:
    assert shop("--version").out == f"fsm-agent {__version__}\n"


def test_a_traceback_is_for_debugging_only(shop: Shop) -> None:
    assert "Traceback" in shop("--debug", "show", "nobody").err
    assert "Traceback" not in shop("show", "nobody").err


# --- run


def test_without_an_event_the_only_one_of_the_initial_state_begins(shop: Shop) -> None:
    assert shop.order().json["state"] == "asking"


def test_an_initial_state_with_several_events_asks_which(shop: Shop) -> None:
    shop.write("two.yaml", ORDER.replace("    on:\n      ordered:", "    on:\n      approve: sent\n      ordered:"))
    refused = shop("run", "two.yaml")
    assert refused.code == 1
    assert "state 'new' takes approve, ordered: say with --event" in refused.err
    assert shop("run", "two.yaml", "--event", "approve").code == 0


def test_an_initial_state_that_works_takes_no_payload(shop: Shop) -> None:
    shop.write("work.yaml", working("pack"))
    refused = shop("run", "work.yaml", "--payload", "{}")
    assert (refused.code, shop("--json", "list").json["agents"]) == (1, [])


def test_an_initial_question_may_be_answered_at_once(shop: Shop) -> None:
    shop.write("form.yaml", FORM)
    assert shop("--json", "run", "form.yaml").json["status"] == "waiting"
    payload = {"day": "2027-01-02", "count": 2, "colour": "red", "fragile": True}
    done = shop("--json", "run", "form.yaml", "--payload", json.dumps(payload))
    assert done.json["output"] == {"given": {"day": "2027-01-02", "count": 2, "colour": "red"}}


def test_an_existing_id_is_refused_unless_the_key_is_the_same(shop: Shop) -> None:
    words = ("--json", "run", "workflows/order.yaml", "--id", "one", "--key", "k", "--payload", '{"item": "x"}')
    assert shop(*words).json["delivery"] == "applied"
    assert shop(*words).json["delivery"] == "duplicate"
    refused = shop.order("one")
    assert (refused.code, refused.err) == (
        1,
        "error: agent 'one' exists already; choose another id, or repeat the key that made it\n",
    )


def test_payload_and_data_may_come_from_files(shop: Shop) -> None:
    shop.write("payload.json", '{"item": "lamp"}')
    shop.write("data.json", '{"wrap": "paper"}')
    started = shop("--json", "run", "workflows/order.yaml", "--payload", "@payload.json", "--data", "@data.json")
    assert started.json["data"] == {"item": "lamp", "wrap": "paper"}


def test_a_workflow_with_mistakes_starts_nothing_and_names_all(shop: Shop) -> None:
    shop.write("bad.yaml", working("pack").replace("initial: working", "initial: wroking\nfoo: 1"))
    refused = shop("run", "bad.yaml")
    assert refused.code == 1
    assert "2 mistakes" in refused.err
    assert refused.err.count("bad.yaml:") == 2
    assert not (shop.folder / "fsm-agent.db").exists()


def test_malformed_yaml_is_named_with_its_line(shop: Shop) -> None:
    shop.write("bad.yaml", "workflow: [\n")
    refused = shop("run", "bad.yaml")
    assert refused.code == 1
    assert "bad.yaml:2:1: " in refused.err


# --- answer and send


def test_several_answers_need_the_event_that_is_meant(shop: Shop) -> None:
    shop.order()
    refused = shop("answer", "one", "yes")
    assert refused.code == 1
    assert "takes approve, reject as an answer: say with --event" in refused.err


@pytest.mark.parametrize("value", ["too dear", '{"reason": "too dear"}'])
def test_a_value_is_the_payload_or_its_only_required_field(shop: Shop, value: str) -> None:
    shop.order()
    assert shop("--json", "answer", "one", "--event", "reject", value).json["data"]["wrap"] == "too dear"


@pytest.mark.parametrize(
    "words",
    [
        ["--event", "reject"],
        ["--event", "reject", '{"why": 1}'],
        ["--event", "approve", "yes"],
        ["--event", "packed"],
        ["--event", "nothing"],
    ],
    ids=" ".join,
)
def test_a_wrong_answer_leaves_the_agent_waiting(shop: Shop, words: list[str]) -> None:
    shop.order()
    assert shop("answer", "one", *words).code == 1
    assert shop("--json", "show", "one").json["version"] == 2


def test_a_late_answer_is_refused_and_nothing_is_asked_any_more(shop: Shop) -> None:
    shop.order()
    shop("cancel", "one")
    refused = shop("answer", "one", "--event", "approve")
    assert (refused.code, refused.err) == (
        1,
        "error: agent 'one' asks nothing now: it is cancelled in state 'asking'\n",
    )


def test_an_event_that_is_illegal_now_is_refused_with_those_that_are_not(shop: Shop) -> None:
    shop.order()
    refused = shop("send", "one", "ordered", "--payload", '{"item": "x"}')
    assert refused.code == 1
    assert "allowed: approve, reject, cancel" in refused.err


def test_an_event_is_applied_once_under_its_key(shop: Shop) -> None:
    shop.order()
    words = ("--json", "send", "one", "reject", "--payload", '{"reason": "x"}', "--key", "k")
    assert [shop(*words).json["delivery"] for _ in range(2)] == ["applied", "duplicate"]


def test_who_speaks_is_on_record(shop: Shop) -> None:
    shop.order()
    shop("--by", "ana", "answer", "one", "--event", "approve")
    assert shop("--json", "history", "one").json["steps"][2]["by"] == "ana"


# --- resume and worker


def test_resume_prints_the_agents_that_are_named(shop: Shop) -> None:
    shop.order("a")
    shop.order("b")
    assert shop("--json", "resume", "a").json["id"] == "a"
    both = shop("--json", "resume", "a", "nobody", "b")
    assert [agent["id"] for agent in both.json["agents"]] == ["a", "b"]
    assert (both.code, "no agent 'nobody'" in both.err) == (1, True)


def test_resume_and_worker_drive_what_is_unfinished(shop: Shop) -> None:
    shop.write("work.yaml", working("fail_once", extra="retry: {attempts: 2, backoff: 1ms}"))
    assert shop("--json", "run", "work.yaml", "--id", "one").json["status"] == "done"
    shop.order("two")
    assert shop("--json", "resume").json == {"driven": []}
    assert shop("--json", "worker", "--once").json == {"driven": []}


# --- settings


def test_the_nearest_pyproject_counts_from_any_folder_of_the_project(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("pyproject.toml", '[tool.fsm-agent]\nmodules = ["shop_actions"]\nstore = "sqlite:///kept.db"\n')
    monkeypatch.chdir(shop.folder / "workflows")
    assert shop("run", "order.yaml", "--payload", '{"item": "x"}').code == 0
    assert (shop.folder / "kept.db").exists()


def test_every_file_of_a_tiered_store_stands_beside_the_pyproject_that_names_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = "tiered:sqlite:///warm.db,sqlite:///cold.db,ended=0s"
    shop.write("pyproject.toml", f'[tool.fsm-agent]\nmodules = ["shop_actions"]\nstore = "{tiers}"\n')
    monkeypatch.chdir(shop.folder / "workflows")
    assert shop("run", "order.yaml", "--id", "a", "--payload", '{"item": "x"}').code == 0
    assert shop("cancel", "a").code == 0
    assert shop("worker", "--once").code == 0
    assert [shop("--json", "history", "a").json["steps"][-1]["event"], shop("show", "a").code] == ["cancel", 0]
    assert sorted(path.name for path in shop.folder.glob("*.db")) == ["cold.db", "warm.db"]


def test_the_option_wins_over_the_environment_and_that_over_the_project(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("pyproject.toml", '[tool.fsm-agent]\nstore = "sqlite:///project.db"\n')
    monkeypatch.setenv("FSM_AGENT_STORE", "sqlite:///environment.db")
    assert shop("list").err.endswith("no file environment.db\n")
    assert shop("--store", "sqlite:///option.db", "list").err.endswith("no file option.db\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.fsm-agent]\nmodule = []", "unknown key 'module' (did you mean `modules`?)"),
        ("[tool.fsm-agent]\nmodules = 'x'", "modules must be a list"),
        ("[tool.fsm-agent]\nstore = 1", "store must be a URL"),
        ("[tool.fsm-agent]\nenvironment = 'x'", "environment must be a list of names of environment variables"),
        ("[tool.fsm-agent]\nenvironment = ['FSM_AGENT_KEYS']", "environment cannot have FSM_AGENT_KEYS"),
        ("[tool.fsm-agent\n", "is not TOML"),
    ],
)
def test_wrong_settings_are_named_with_their_file(shop: Shop, text: str, said: str) -> None:
    shop.write("pyproject.toml", text)
    refused = shop("list")
    assert refused.code == 1
    assert said in refused.err
    assert str(shop.folder / "pyproject.toml") in refused.err


def test_a_namespace_keeps_its_agents_to_itself(shop: Shop) -> None:
    shop("--namespace", "north", "run", "workflows/order.yaml", "--id", "one", "--payload", '{"item": "x"}')
    assert shop("--json", "list").json["agents"] == []
    assert shop("show", "one").code == 1
    assert shop("--namespace", "north", "show", "one").code == 0


def test_modules_on_the_command_line_join_those_of_the_project(shop: Shop) -> None:
    shop.write("deliveries.py", "from fsm_agent import action\n\n@action\ndef deliver(ctx):\n    return 'packed'\n")
    shop.write("work.yaml", working("deliver"))
    assert shop("run", "work.yaml").code == 1
    assert shop("--module", "deliveries", "run", "work.yaml").code == 0
    assert shop("--module", "nowhere", "run", "work.yaml").code == 1
