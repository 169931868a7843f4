"""Every error is one sentence that says what happened, where, and what is allowed."""

from __future__ import annotations

import inspect
import re

import pytest

from fsm_agent import errors
from fsm_agent.domain.finding import Finding, Place
from fsm_agent.domain.lease import Holder, Lease
from fsm_agent.domain.question import Asked
from fsm_agent.domain.step import Happened, Wanted
from fsm_agent.domain.step_kind import StepKind
from fsm_agent.domain.text import did_you_mean, listed, shortened
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.errors import (
    ActionMissing,
    AgentAmbiguous,
    AgentDamaged,
    AgentErased,
    AgentExists,
    AgentNotFound,
    AnswerUnclear,
    BudgetExceeded,
    ChildFailed,
    Conflict,
    DataInvalid,
    DataModelMissing,
    DataTooLarge,
    DefinitionDamaged,
    DefinitionMissing,
    EffectInDoubt,
    EffectMismatch,
    EffectNotOpen,
    EngineUnavailable,
    ExpressionFailed,
    FsmAgentError,
    GuardsRefused,
    HistoryBroken,
    HttpFailed,
    HttpUnavailable,
    IdInvalid,
    IllegalEvent,
    KeyInvalid,
    KeyMissing,
    KeyReuse,
    LeaseHeld,
    LimitExceeded,
    McpUnavailable,
    MessagesInvalid,
    ModelKeyMissing,
    ModelRateLimited,
    ModelRefused,
    ModelReplyInvalid,
    ModelSettingsInvalid,
    ModelUnavailable,
    ModelUnknown,
    ModuleNotAllowed,
    ModuleUnread,
    MoveImpossible,
    NoLegalChoice,
    NotAddressee,
    NotAsked,
    NotParked,
    OtherWorkflow,
    PayloadInvalid,
    QuestionClosed,
    RoundsExceeded,
    RunnerClosed,
    SharedDamaged,
    TokenExists,
    TokenNotFound,
    ToolMissing,
    UnknownEvent,
    UserConflict,
    VersionMissing,
    WindowTooSmall,
    WorkflowInvalid,
    WorkflowUnknown,
    WriteUndeclared,
)

_ANSWER = Happened(7, StepKind.EVENT, "yes", "ana", ())
SENTENCES = [
    (
        ChildFailed("a.2.1", "failed", ": ValueError: no", 1),
        "child 'a.2.1' failed: ValueError: no",
    ),
    (ChildFailed("a.2.1", "failed", "", 3), "child 'a.2.1' failed, and so did 2 more"),
    (ChildFailed("a.2.1", "cancelled", "", 2), "child 'a.2.1' was cancelled; 2 were not done"),
    (
        WriteUndeclared("pay", {"total", "by"}, {"paid"}),
        "action 'pay' wrote 'by', 'total', and declares that it writes only 'paid': add it to `writes`",
    ),
    (
        WriteUndeclared("pay", {"total"}, ()),
        "action 'pay' wrote 'total', and declares that it writes nothing: add it to `writes`",
    ),
    (HttpUnavailable("GET", "https://shop/x", "status 503", after_s=2.0), "GET https://shop/x failed: status 503"),
    (HttpFailed("GET", "https://shop/x", "status 404"), "GET https://shop/x failed: status 404"),
    (
        NoLegalChoice("p:m", 3, "it called no tool"),
        "model 'p:m' chose nothing that is legal here in 3 replies; of the last one: it called no tool",
    ),
    (RoundsExceeded(20), "the model had no answer after 20 replies; raise `rounds`, or ask for less"),
    (
        UserConflict("ana", 1, 2),
        "what is remembered of user 'ana' is at version 2, and version 1 was expected: read it again, and decide on "
        "what it says now",
    ),
    (
        WorkflowInvalid(
            [Finding("FSM001", "no YAML", place=Place("w.yaml", 2, 3)), Finding("X", "bad", ("states", 0))]
        ),
        "w.yaml:2:3: FSM001 no YAML\nstates.0: X bad",
    ),
    (
        UnknownEvent("aprove", ["approve", "reject"]),
        "unknown event 'aprove' (did you mean `approve`?); this workflow has approve, reject",
    ),
    (
        IllegalEvent("pay", "idle", ["order"], why=", because I say so"),
        "event 'pay' is not allowed in state 'idle', because I say so; allowed: order",
    ),
    (IllegalEvent(None, "idle", ["order"]), "null names no event, and is not allowed in state 'idle'; allowed: order"),
    (IllegalEvent("pay", "done", ()), "event 'pay' is not allowed in state 'done'; allowed: nothing"),
    (IllegalEvent(None, "idle", ["order"]), "null names no event, and is not allowed in state 'idle'; allowed: order"),
    (
        GuardsRefused("pay", "idle", ["data.n > 0", "data.m > 0"]),
        "event 'pay' is refused in state 'idle': `data.n > 0` and `data.m > 0` did not hold",
    ),
    (PayloadInvalid("pay", ["a is b", "c is d"]), "the payload of event 'pay' is wrong: a is b; c is d"),
    (DataInvalid(["a is b", "c is d"]), "the data is wrong: a is b; c is d"),
    (
        ExpressionFailed("1 / data.n", "division by zero", {"data.n": 0}),
        "expression `1 / data.n` failed: division by zero, where data.n is 0",
    ),
    (
        EffectInDoubt("a-1", "charge", "0f3a", "2026-01-01T00:00:00.000+00:00"),
        "effect 'charge' of agent 'a-1' was begun at 2026-01-01T00:00:00.000+00:00 and no result is recorded: it may "
        "have happened or not; find out, and tell `unpark` of the effect 0f3a its result, or that it was not done",
    ),
    (
        EffectMismatch("a-1", "charge", "0f3a"),
        "effect 'charge' of agent 'a-1' was begun with other arguments under its key 0f3a: every attempt must use a "
        "name in the same order with the same arguments",
    ),
    (EffectNotOpen("a-1", "0f", ["charge (0f3a)"]), "agent 'a-1' has no open effect '0f'; open: charge (0f3a)"),
    (EffectNotOpen("a-1", "0f", []), "agent 'a-1' has no open effect '0f'; open: nothing"),
    (NotAddressee("eve", ["ana", "bob"]), "the question is for ana, bob, and 'eve' may not answer it"),
    (NotAddressee(None, ["ana"]), "the question is for ana, and an unnamed sender may not answer it"),
    (AnswerUnclear("a-1", "asking", ["yes", "no"]), "agent 'a-1' asks in state 'asking' for one of yes, no: say which"),
    (
        QuestionClosed("a-1", 4, ("idle", "waiting"), closed=_ANSWER, is_answered=True, now=Asked("Pay 7?", id=8)),
        "question 4 of agent 'a-1' is closed: ana answered 'yes' at version 7; it asks question 8 now: 'Pay 7?'",
    ),
    (
        QuestionClosed("a-1", 4, ("done", "done"), closed=_ANSWER._replace(event="rename", fields=("item",))),
        "question 4 of agent 'a-1' is closed: ana sent 'rename' (item) at version 7; "
        "it asks nothing now: it is done in state 'done'",
    ),
    (
        QuestionClosed("a-1", 4, ("idle", "waiting"), closed=_ANSWER._replace(kind=StepKind.REWOUND, event="rewind")),
        "question 4 of agent 'a-1' is closed: ana rewound the agent at version 7; "
        "it asks nothing now: it is waiting in state 'idle'",
    ),
    (
        QuestionClosed("a-1", 99, ("idle", "waiting"), was_asked=False),
        "agent 'a-1' has asked no question 99; it asks nothing now: it is waiting in state 'idle'",
    ),
    (NotAsked("a-1", "idle", "waiting"), "agent 'a-1' asks nothing now: it is waiting in state 'idle'"),
    (
        NotAsked("a-1", "idle", "done", answered=Happened(7, StepKind.EVENT, "yes", "ana", ())),
        "agent 'a-1' asks nothing now: it is done in state 'idle'; ana answered 'yes' at version 7",
    ),
    (
        NotAsked("a-1", "idle", "done", answered=Happened(7, StepKind.EVENT, "yes", None, ())),
        "agent 'a-1' asks nothing now: it is done in state 'idle'; somebody answered 'yes' at version 7",
    ),
    (LimitExceeded("visits.b", 2, "a"), "limit visits.b = 2 would be exceeded in state 'a'"),
    (
        KeyInvalid("entry 2", "is not base64"),
        "a key for sealing cannot serve: entry 2 is not base64; `fsm-agent keygen` makes one",
    ),
    (
        KeyMissing("2025", ["2026a", "2026b"]),
        "the agent is sealed under the key '2025', which is not given: add it to FSM_AGENT_KEYS; given: 2026a, 2026b",
    ),
    (
        MessagesInvalid(["[0].role is missing", "[3].content must be a string"]),
        "the messages cannot be read: [0].role is missing; [3].content must be a string",
    ),
    (
        WindowTooSmall(100, 40, 70),
        "a window of 100 tokens is too small for this conversation: its system messages take 40 and its last messages "
        "70, which stay together; raise `max_tokens`, or say less",
    ),
    (
        EngineUnavailable("temporal://box:7233", "no answer within 2 s"),
        "engine temporal://box:7233 does not answer: no answer within 2 s; agents that are due wait for the next sweep "
        "of a worker",
    ),
    (KeyReuse("k"), "key 'k' was used already for another event or payload"),
    (
        DataTooLarge("text", 300, 1_200, "1kB"),
        "the data is wrong: text would weigh 300 B of 1.2 kB in all, and 1kB are allowed (limits.data)",
    ),
    (
        DataTooLarge("text", 60_204_000, 60_204_000, "10MB"),
        "the data is wrong: text would weigh 60.2 MB, and 10MB are allowed (limits.data)",
    ),
    (DataModelMissing("shop", "Trip"), "module 'shop' has no pydantic model 'Trip'"),
    (Conflict("a-1", 3, 5), "agent 'a-1' is at version 5, and version 3 was expected: somebody else was first"),
    (
        Conflict("a-1", 3, 4, ours=Wanted("pay", {}, 3), theirs=[Happened(4, StepKind.REFUSED, "pay", "ana", ())]),
        "agent 'a-1' is at version 4, and version 3 was expected: since then ana sent 'pay', which was refused",
    ),
    (
        Conflict(
            "a-1",
            3,
            8,
            ours=Wanted("pay", {}, 3),
            theirs=[
                Happened(4, StepKind.EVENT, "after", None, ("n",)),
                Happened(5, StepKind.PARKED, "error", None, ()),
                Happened(6, StepKind.UNPARKED, "retry", "bob", ()),
                Happened(7, StepKind.EVENT, "set", "eve", ("n", "m")),
            ],
        ),
        "agent 'a-1' is at version 8, and version 3 was expected: since then 'after' happened (n), 'error' happened, "
        "which parked the agent, bob sent 'retry' and 2 more steps were taken",
    ),
    (
        Conflict("a-1", 3, 2, ours=Wanted("pay", {}, 3)),
        "agent 'a-1' is at version 2, and version 3 was expected: there is no such version yet",
    ),
    (
        Conflict("a-1", 3, 5, ours=Wanted("pay", {}, 3)),
        "agent 'a-1' is at version 5, and version 3 was expected: somebody else was first, and the history of it is "
        "not kept",
    ),
    (Conflict("a-1", 3), "agent 'a-1' has moved on, and version 3 was expected: somebody else was first"),
    (
        LeaseHeld("a-1", Lease(Holder("box", 7, 0), 0)),
        "agent 'a-1' is driven by process 7 on box now; wait for it, or stop that process",
    ),
    (
        AgentErased("a-1"),
        "agent 'a-1' is erased, since the person whom it served is forgotten: it can be looked at, and neither be "
        "brought back nor be forked",
    ),
    (AgentExists("a-1"), "agent 'a-1' exists already; choose another id, or repeat the key that made it"),
    (
        AgentNotFound("a-1", "shop"),
        "no agent 'a-1' in namespace 'shop'; `fsm-agent list` shows those there are",
    ),
    (
        IdInvalid("a/b"),
        "id 'a/b' is not allowed: write 1 to 128 letters, digits, '.', '_' or '-', a letter or digit first",
    ),
    (NotParked("a-1", "done"), "agent 'a-1' is done, and only a parked one can be unparked"),
    (VersionMissing("a-1", 9, 1, 4), "agent 'a-1' has no version 9; there are versions 1 to 4"),
    (VersionMissing("a-1", 0, 1, 1), "agent 'a-1' has no version 0; there is version 1"),
    (
        VersionMissing("a-1", 2, 3, 4, is_forgotten=True),
        "version 2 of agent 'a-1' is forgotten, since its history was shortened; there are versions 3 to 4",
    ),
    (
        AgentDamaged("a-1", "steps", "the step of version 3 is missing"),
        "agent 'a-1' is damaged in steps: the step of version 3 is missing; `fsm-agent doctor` says what to do",
    ),
    (
        HistoryBroken("a-1", 2, KeyError("lost")),
        "version 2 of agent 'a-1' cannot be rebuilt, since it names 'lost', which its definition does not have; "
        "`fsm-agent replay a-1` says what is wrong with its history",
    ),
    (
        HistoryBroken("a-1", 2, TypeError("unhashable type: 'dict'")),
        "version 2 of agent 'a-1' cannot be rebuilt, since its parts do not fit together; `fsm-agent replay a-1` says "
        "what is wrong with its history",
    ),
    (
        RunnerClosed(),
        "this runner has ended, and its store is closed: open the store again for another runner",
    ),
    (
        MoveImpossible(2, "says('packed')", "asking", "waiting"),
        "move 2, says('packed'), needs an action at work, and the agent is waiting in 'asking'",
    ),
    (
        SharedDamaged("thread 'news'", "messages", "it is no UTF-8 text"),
        "thread 'news' is damaged in messages: it is no UTF-8 text; `fsm-agent doctor` says what to do",
    ),
    (
        DefinitionDamaged("5bf0c1de9a7722", "definitions", "it is no UTF-8 text"),
        "definition 5bf0c1de9a77 is damaged in definitions: it is no UTF-8 text; `fsm-agent doctor` says what to do",
    ),
    (
        DefinitionMissing("memory://", "5bf0"),
        "memory:// keeps no workflow under the hash '5bf0'; `save_workflow` comes first",
    ),
    (
        AgentAmbiguous("c5a87f", ["a-c5a87f", "c5a87f-b"]),
        "several agents have an id that begins or ends with 'c5a87f': a-c5a87f, c5a87f-b; write more of it",
    ),
    (
        AgentAmbiguous("c5a87f", ["a-c5a87f"], are_all=False),
        "several agents have an id that begins or ends with 'c5a87f': a-c5a87f and others; write more of it",
    ),
    (
        OtherWorkflow("a-1", "trip", "order"),
        "agent 'a-1' is of workflow 'trip', and can move only within it, not to 'order'",
    ),
    (
        ActionMissing("plam", ["plan", "book"]),
        "no action 'plam' (did you mean `plan`?); there are book, plan",
    ),
    (
        ActionMissing("plan", []),
        "no action 'plan'; no module is allowed that has one: add it to `modules` under [tool.fsm-agent] in "
        "pyproject.toml or name it with --module",
    ),
    (
        ActionMissing("plam", ["plan"], ["module 'x' cannot be imported: E: no"]),
        "no action 'plam'; there are plan; module 'x' cannot be imported: E: no",
    ),
    (ToolMissing("add", ["a", "b"]), "no tool 'add' in a, b"),
    (ToolMissing("add", [], ["module 'x' fails"]), "no tool 'add' in any allowed module; module 'x' fails"),
    (ModuleUnread("trips", ImportError("no x")), "module 'trips' cannot be imported: ImportError: no x"),
    (
        ModuleNotAllowed("os", ["trips"]),
        "module 'os' is not allowed: add it to `modules` under [tool.fsm-agent] in pyproject.toml or name it with "
        "--module; allowed: trips",
    ),
    (ModelKeyMissing("p:m", ["P_KEY"]), "model 'p:m' needs a key: set the environment variable P_KEY"),
    (
        ModelKeyMissing("p:m", [], is_refused=True),
        "the provider of model 'p:m' refuses the key: set the variable that its provider documents to one that is "
        "valid",
    ),
    (
        ModelUnknown("m"),
        "model 'm' cannot be used: there is no such model; write `test`, `scripted:FILE` or `PROVIDER:NAME`, such as "
        "`openai-chat:gpt-4.1`",
    ),
    (
        ModelUnknown(None),
        "no model is named: say --model NAME, `model` under the action's `with`, FSM_AGENT_MODEL=NAME in the "
        "environment or `model` under [tool.fsm-agent] in pyproject.toml; write `test`, `scripted:FILE` or "
        "`PROVIDER:NAME`, such as `openai-chat:gpt-4.1`",
    ),
    (
        ModelUnavailable("p:m", "the connection is refused"),
        "model 'p:m' cannot be reached now: the connection is refused; the same request may be answered later",
    ),
    (ModelRateLimited("p:m"), "the provider of model 'p:m' takes no more requests now; ask again later"),
    (ModelRateLimited("p:m", 2.0), "the provider of model 'p:m' takes no more requests now; ask again in 2 s"),
    (
        ModelRefused("p:m", "status 400, 'too long'"),
        "the provider of model 'p:m' refuses the request: status 400, 'too long'; change what is asked",
    ),
    (
        McpUnavailable("files", "it answers with status 503"),
        "MCP server 'files' cannot be used now: it answers with status 503; see [tool.fsm-agent.mcp] in pyproject.toml",
    ),
    (TokenExists("ana"), "there is a token 'ana' already; choose another name, or revoke that one first"),
    (TokenNotFound("an", ["ana", "bob"]), "there is no token 'an' (did you mean `ana`?); there are ana, bob"),
    (TokenNotFound("an", []), "there is no token 'an'; there are no tokens"),
    (WorkflowUnknown("ordr", ["order", "form"]), "no workflow 'ordr' can be started here; there are form, order"),
    (ModelReplyInvalid("p:m", "it is empty"), "model 'p:m' gave a reply that cannot be used: it is empty"),
    (ModelSettingsInvalid(["a is b", "c is d"]), "the settings of the model are wrong: a is b; c is d"),
    (
        BudgetExceeded("tokens", 100, 120),
        "limit tokens = 100 is reached: 120 are spent; raise the limit, or ask for less",
    ),
]

#: what an action that fails with it may be repeated for
RETRYABLE = {"HttpUnavailable", "McpUnavailable", "ModelRateLimited", "ModelReplyInvalid", "ModelUnavailable"}

ALL = {
    each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, FsmAgentError)
}  # fmt: skip


@pytest.mark.parametrize(("error", "sentence"), SENTENCES, ids=lambda each: type(each).__name__)
def test_an_error_says_what_happened(error: FsmAgentError, sentence: str) -> None:
    assert str(error) == sentence


def test_every_error_that_builds_its_own_sentence_is_tested() -> None:
    building = {each for each in ALL if "__init__" in vars(each)}
    assert building == {type(error) for error, _ in SENTENCES}


def test_only_a_few_errors_are_worth_repeating() -> None:
    assert {each.__name__ for each in ALL if each.is_retryable} == RETRYABLE


def test_an_error_of_a_model_carries_what_it_says() -> None:
    assert ModelRateLimited("p:m", 2.5).after_s == 2.5
    assert ModelReplyInvalid("p:m", "it is empty", usage=Usage(1, 2, 3)).usage == Usage(1, 2, 3)
    assert ModelReplyInvalid("p:m", "it is empty").usage == NO_USAGE
    budget = BudgetExceeded("cost", "1 USD", "2 USD")
    assert (budget.what, budget.bound, budget.spent) == ("cost", "1 USD", "2 USD")


def test_the_tree_in_the_module_s_docstring_is_the_tree_of_classes() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│ ]*)(?:[├└]── )?([A-Z]\w+)(?:\s{2,}|$)", line):
            depth = (len(found[1]) + 4 * ("── " in line)) // 4
            above[depth:] = [found[2]]
            if depth:
                drawn[found[2]] = above[depth - 1]
    assert drawn == {each.__name__: each.__base__.__name__ for each in ALL - {FsmAgentError} if each.__base__}


def test_names_are_listed_guessed_and_cut_to_fit_a_sentence() -> None:
    assert (listed(["a", "b"]), listed([])) == ("a, b", "nothing")
    assert (did_you_mean("aprove", ["approve"]), did_you_mean("xyz", ["approve"])) == (" (did you mean `approve`?)", "")
    assert len(shortened("x" * 1_000)) == 80
    assert shortened("x") == "'x'"
