"""Documents for tests of the dialect: the example of the specification, and random ones that are valid."""

from __future__ import annotations

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
_POLICIES: Final = st.sampled_from(["last", "append", "union"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Valid documents, with nesting, of every key of the dialect."""
    tree = draw(_trees(2))
    return {
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
        "limits": {"steps": draw(st.integers(1, 9)), "visits": dict.fromkeys(_paths(tree), 3)},
        "migrations": draw(_migrations(_paths(tree))),
    }


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
    match draw(st.sampled_from(["do", "ask", "wait"])):
        case "do":
            body |= {"do": draw(st.sampled_from(["work", "pkg.mod:work"])), "timeout": "2m"}
            body |= {"with": {"depth": 2, "note": "data.note", "deep": {"a": [None, 1.5]}}}
            body |= {"retry": {"attempts": 3, "backoff": "0s", "on": ["ValueError"]}} if draw(st.booleans()) else {}
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
