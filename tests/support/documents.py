"""Documents for tests of the dialect: the example of the specification, and random ones that are valid."""

from __future__ import annotations

import copy
from typing import Any, Final

from hypothesis import strategies as st

BOOK_FLIGHT: Final = """\
workflow: book_flight
version: 1                              # an integer
description: Books a flight, and asks the traveller whenever something is missing.

data:
  goal:        string?
  destination: string?
  options:     {type: array, items: {type: object}, default: []}
  choice:      {type: [integer, "null"], minimum: 1}
  itinerary:   object?

events:
  new_task:       {goal: string}
  plan_ready:     {}
  step_complete:  {}
  needs_input:    {}
  input_received: {choice: {type: integer, minimum: 1}}
  task_complete:  {}

initial: idle
on:
  cancel: cancelled
states:
  idle:
    on:
      new_task: {target: planning, assign: {goal: event.goal}}
  planning:
    do: plan_trip
    with: {depth: 2, goal: "data.goal"}
    timeout: 2m
    retry: {attempts: 3, backoff: 1s, max: 30s, on: [ConnectionError]}
    on:
      plan_ready: executing
      error: failed
  executing:
    do: execute_step
    on:
      step_complete: executing
      needs_input: waiting_feedback
      task_complete: done
      error: failed
  waiting_feedback:
    ask:
      prompt: "Which flight to {{ data.destination }}? (1 to {{ size(data.options) }})"
      events: [input_received]
    after: {3d: cancelled}
    on:
      input_received: {target: executing, assign: {choice: event.choice}}
  done:      {final: true, output: {itinerary: data.itinerary}}
  failed:    {final: true, outcome: failed}
  cancelled: {final: true, outcome: cancelled}

limits: {steps: 200, visits: {executing: 50}}
"""

_EVENTS: Final = ("go", "stop", "more", "less")
_NAMES: Final = ("alpha", "beta", "gamma", "delta-1")
_TYPES: Final[tuple[Any, ...]] = (
    "string", "integer?", "[number]", "[[date?]]", ["datetime"], "boolean?", "object",
    {"type": "string", "enum": ["yes", "1.10", "~"], "default": "yes", "description": "how?"},
    {"type": ["integer", "null"], "minimum": -3, "title": "n"},
    {"anyOf": [{"type": "number", "maximum": 1.5e300}, {"type": "null"}]},
)  # fmt: skip
_DURATIONS: Final = ("1ms", "90s", "2m", "4h", "3d")
#: texts that some version of YAML takes for something else, or that need quotes, escapes or blocks
TEXTS: Final = st.one_of(
    st.sampled_from(["on", "No", "1e3", "0o17", "0x1f", "1_000", "1:30", "~", "null", "=", "<<", "2020-01-01", ".inf"]),
    st.sampled_from(
        ["", " a ", "a: b", "a #b", "- a", "a\nb\n", "\n a", "a\tb", "'", '"', "{}", "!x", "&a", "*a", "%"]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
)

Document = dict[str, Any]
_BOUNDS: Final = st.fixed_dictionaries(
    {},
    optional={
        "tokens": st.just(9_000),
        "cost": st.sampled_from([2, 0.25]),
        "wall_time": st.just("2d"),
    },
)
_MEMORY: Final = st.fixed_dictionaries(
    {},
    optional={
        "conversation": st.fixed_dictionaries(
            {},
            optional={
                "thread": st.sampled_from(["'desk'", "'t' + string(size(data.items))"]),
                "max_tokens": st.sampled_from([8_000, 500]),
                "strategy": st.sampled_from(["drop_oldest", "keep_ends", "summarise"]),
                "keep_first": st.integers(1, 3),
                "model": TEXTS.filter(str.strip),
            },
        ),
        "progress": st.fixed_dictionaries(
            {},
            optional={
                "goal": st.just("data.note"),
                "done": st.sampled_from(["data.items", "3"]),
                "remaining": st.just("size(data.items)"),
                "current": st.just("'here'"),
            },
        ),
    },
)
CHILD: Final[Document] = {
    "child": {
        "workflow": "child",
        "version": 3,
        "data": {"size": "integer", "word": "string?"},
        "events": {"begin": {"what": "string?"}},
        "initial": "first",
        "states": {"first": {"on": {"begin": "last"}}, "last": {"final": True}},
    }
}
_MODEL: Final = {"system": st.just("Be {{ user.tone }}"), "model": st.just("test")}
_SAYS: Final = st.sampled_from(["Well?", "{{ data.note }}, {{ conversation.last }}", "{{ conversation.count }}: }"])
_TO: Final = st.sampled_from(["note", ["note", "items"]])
#: built-in action -> its arguments
BUILT_IN_WORK: Final[dict[str, st.SearchStrategy[Document]]] = {
    "llm.generate": st.fixed_dictionaries(
        {"prompt": _SAYS, "emit": st.just("go")},
        optional=_MODEL | {"into": _TO, "conversation": st.just(value=True), "settings": st.just({"top_k": [1, "x"]})},
    ),
    "llm.decide": st.fixed_dictionaries({}, optional=_MODEL | {"prompt": _SAYS, "tries": st.integers(1, 9)}),
    "llm.agent": st.fixed_dictionaries(
        {"prompt": _SAYS, "emit": st.just("go")},
        optional=_MODEL
        | {
            "tools": st.just(["look", {"tool": "pkg.mod:pay", "mode": "at_most_once"}]),
            "mcp": st.just(["files"]),
            "approval": st.just({"approve": "more", "deny": "stop"}),
            "rounds": st.just(4),
        },
    ),
    "http.request": st.fixed_dictionaries(
        {"url": st.sampled_from(["https://a.example", "http://a.example:80/x/{{ data.note }}"]), "emit": st.just("go")},
        optional={
            "method": st.just("POST"),
            "headers": st.just({"X-Note": "{{ data.note }}"}),
            "json": st.just({"a-b": "data.note", "c": [1, None]}),
            "auth": st.just("API_TOKEN"),
            "expect": st.just([200, 404]),
            "into": st.just("note"),
            "mode": st.just("idempotent"),
        },
    ),
    "wait": st.sampled_from([{"for": "2h", "emit": "go"}, {"until": "data.note", "emit": "go"}]),
    "human.ask": st.fixed_dictionaries(
        {"prompt": _SAYS, "events": st.sampled_from([["go"], ["go", "more"]])}, optional={"to": st.just("user.tone")}
    ),
    "workflow.run": st.fixed_dictionaries(
        {"workflow": st.just("child"), "data": st.just({"size": 1}), "emit": st.just("go")},
        optional={
            "event": st.just("begin"),
            "payload": st.just({"what": "'x'"}),
            "at_once": st.just(3),
            "on_failure": st.sampled_from(["fail", "cancel_rest", "continue"]),
            "user": st.just("data.note"),
        },
    ),
}
_POLICIES: Final = st.sampled_from(["last", "append", "union"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Valid documents, with nesting, of every key of the dialect."""
    tree = draw(_trees(2))
    document = {
        "workflow": draw(st.sampled_from(["flow", "a-b_C9"])),
        "version": draw(st.integers(100, 200)),
        "description": draw(TEXTS),
        "data": {"note": "string?", "items": "[string]"} | draw(_fields()),
        "events": {event: draw(_fields()) for event in _EVENTS},
        "initial": draw(st.sampled_from([*tree, "end"])),
        "on": draw(_handlers(tree, "", can_forbid=False)),
        "states": {name: draw(_states(tree, name, below)) for name, below in tree.items()}
        | {"end": draw(_finals()), "broken": {"final": True, "outcome": "failed"}},
        "merge": draw(st.fixed_dictionaries({}, optional={"note": st.just("last"), "items": _POLICIES})),
        "limits": {"steps": draw(st.integers(1, 9)), "visits": dict.fromkeys(_paths(tree), 3)} | draw(_BOUNDS),
        "migrations": draw(_migrations(_paths(tree))),
        "must": draw(_properties(_paths(tree))),
        "user": {"tone": "string?", "seen": {"type": "array", "items": {"type": "string"}, "default": []}},
        "workflows": CHILD,
    } | draw(_MEMORY)
    return copy.deepcopy(document)  # some tests change what they are given


@st.composite
def _trees(draw: st.DrawFn, depth: int, prefix: str = "s") -> Document:
    """Names of states within names of states; a bare name means one state wherever it stands."""
    count = draw(st.integers(1, 3))
    can_nest = st.booleans() if depth > 1 else st.just(value=False)
    names = [f"{prefix}{draw(st.sampled_from(_NAMES))[:1]}{index}" for index in range(count)]
    return {name: draw(_trees(depth - 1, f"{name}_")) if draw(can_nest) else {} for name in names}


def _paths(tree: Document, prefix: str = "") -> list[str]:
    return [path for name, below in tree.items() for path in (f"{prefix}{name}", *_paths(below, f"{prefix}{name}."))]


@st.composite
def _states(draw: st.DrawFn, tree: Document, path: str, below: Document) -> Document:
    body: Document = {"description": draw(TEXTS), "on": draw(_handlers(tree, path))}
    if draw(st.booleans()):
        body["after"] = {
            length: draw(_choices(tree)) for length in draw(st.sets(st.sampled_from(_DURATIONS), max_size=2))
        }
    if below:
        children = {name: draw(_states(tree, f"{path}.{name}", each)) for name, each in below.items()}
        return body | {"initial": draw(st.sampled_from(list(below))), "states": children}
    match draw(st.sampled_from(["do", "ask", "wait", "built-in"])):
        case "do":
            body |= {"do": draw(st.sampled_from(["work", "pkg.mod:work"])), "timeout": "2m"}
            body |= {"with": {"depth": 2, "note": "data.note", "deep": {"a": [None, 1.5]}}}
            body |= {"retry": {"attempts": 3, "backoff": "0s", "on": ["ValueError"]}} if draw(st.booleans()) else {}
        case "built-in":
            body |= {"do": draw(st.sampled_from(list(BUILT_IN_WORK))), "retry": {"attempts": 2, "backoff": "1s"}}
            body["with"] = draw(BUILT_IN_WORK[body["do"]])
            body["on"] |= {event: draw(_choices(tree)) for event in ("go", "stop", "more")}
            body["on"]["more"] = path  # leads back, as an approval does
        case "ask":
            body["ask"] = {"prompt": "Well, {{ data.note }}?", "events": ["go"]}
            body["on"]["go"] = draw(_choices(tree))
    return body


@st.composite
def _finals(draw: st.DrawFn) -> Document:
    output = {"note": "data.note", "all": True}
    return {"final": True, "outcome": draw(st.sampled_from(["done", "cancelled"])), "output": output}


@st.composite
def _handlers(draw: st.DrawFn, tree: Document, path: str, *, can_forbid: bool = True) -> Document:
    events = draw(st.sets(st.sampled_from([*_EVENTS, "error", "timeout", "cancel"]), max_size=3))
    forbidden = st.none() if can_forbid and path else st.nothing()
    return {event: draw(_choices(tree) | forbidden) for event in sorted(events)}


def _migrations(paths: list[str]) -> st.SearchStrategy[list[Document]]:
    """From versions before 100, which is more than any document has; what was there before may be called anything."""
    changes = st.fixed_dictionaries(
        {},
        optional={
            "drop": st.just(["waste", "f1"]),
            "rename": st.sampled_from([{"remark": "note"}, {"remark": "items", "goods": "note"}]),
            "default": st.dictionaries(st.sampled_from(["note", "items"]), TEXTS | st.none() | st.booleans()),
        },
    )
    places = st.dictionaries(st.sampled_from(["old", "old.inner", "end"]), st.sampled_from(paths))
    optional = {"states": places, "data": changes, "upcast": st.just("pkg.mod:upcast")}
    return st.lists(
        st.fixed_dictionaries({"from": st.integers(1, 99)}, optional=optional),
        max_size=2,
        unique_by=lambda entry: entry["from"],
    )


def _properties(paths: list[str]) -> st.SearchStrategy[Document]:
    one = st.sampled_from([*paths, "event go", "stop", "created", "error", "outcome parked", "cancelled", "failed"])
    term = one | st.lists(one, min_size=1, max_size=3, unique=True)
    said = {"description": TEXTS}
    rules = st.one_of(
        st.fixed_dictionaries({"never": term}, optional=said),
        st.fixed_dictionaries({"never": term, "before": term}, optional=said),
        st.fixed_dictionaries({"never": term, "after": term}, optional=said),
        st.fixed_dictionaries({"never": term, "from": term}, optional=said | {"until": term}),
        st.fixed_dictionaries({"at_most": st.integers(1, 9), "of": term}, optional=said | {"from": term}),
        st.fixed_dictionaries({"reaches": term}, optional=said | {"from": term, "within": st.sampled_from(_DURATIONS)}),
        st.fixed_dictionaries(
            {
                "whenever": st.sampled_from(["go", ["stop", "event more"], "timeout"]),
                "holds": st.sampled_from(["data.note != null", "event.by == 'me'", "true"]),
            },
            optional=said,
        ),
    )
    return st.dictionaries(st.sampled_from(["once", "in_time", "a-b_C9"]), rules, max_size=2)


def _choices(tree: Document) -> st.SearchStrategy[Any]:
    targets = st.sampled_from([*_paths(tree), "end", "broken"])
    transitions = st.fixed_dictionaries(
        {},
        optional={
            "target": targets,
            "when": st.sampled_from(["true", "data.note != null", "size(data.items) > 2"]),
            "assign": st.just({"note": "'x'"}),
            "append": st.just({"items": "'y'"}),
            "description": TEXTS,
        },
    )
    return targets | transitions | st.lists(transitions | targets, min_size=1, max_size=3)


def _fields() -> st.SearchStrategy[Document]:
    return st.dictionaries(st.sampled_from(["size", "type", "f1", "_x"]), st.sampled_from(_TYPES), max_size=3)
