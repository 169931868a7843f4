"""What guards make of all values: transitions that are never chosen, overlaps, gaps, and agents that are stuck."""

from __future__ import annotations

from random import Random

import pytest

from fsm_agent.check import check_workflow
from fsm_agent.check.transition_sites import Site, sites
from fsm_agent.domain.finding import Finding
from fsm_agent.domain.signature import Signature
from fsm_agent.engine.machine import Machine
from fsm_agent.loading.yaml_file import inspect_text
from fsm_agent.proof.conditions import Masks
from fsm_agent.proof.guard_lists import left_over, never_taken, overlaps
from fsm_agent.proof.space import Space
from tests.proof.random_properties import Example, example

HEAD = """
workflow: w
version: 1
data:
  n: {type: integer, minimum: 0, maximum: 3, default: 0}
  kind: {type: string, enum: [big, small, odd], default: big}
  who: string?
  ok: {type: boolean, default: false}
events: {go: {amount: integer}, sure: {}, back: {}}
initial: a
"""
END = """
  b: {on: {sure: done, back: a}}
  done: {final: true}
"""
WORK = {"work": Signature(emits=frozenset({"sure"}), writes=frozenset({"n"}))}


def found(states: str, actions: dict[str, Signature] | None = None, *, on: str = "{}") -> list[Finding]:
    text = f"{HEAD}on: {on}\nstates:\n{states}{END}"
    findings = inspect_text(text, checks=[lambda workflow: check_workflow(workflow, actions=actions)])[1]
    return [each for each in findings if each.code not in ("FSM301", "FSM305")]  # not every text needs `b`


def codes(states: str, actions: dict[str, Signature] | None = None) -> list[str]:
    return [finding.code for finding in found(states, actions)]


def of_go(*guards: str | None) -> str:
    """State ``a`` with these candidates of ``go``."""
    targets = ["b", "done", "a", "b"]
    listed = [
        f"        - {{target: {target}}}\n" if guard is None else f"        - {{target: {target}, when: '{guard}'}}\n"
        for target, guard in zip(targets, guards, strict=False)
    ]
    return f"  a:\n    on:\n      back: done\n      go:\n{''.join(listed)}"


@pytest.mark.parametrize(
    ("guards", "code"),
    [
        (("event.amount > 100", "event.amount <= 100"), None),
        (("event.amount > 100", "event.amount > 50", None), None),
        (("event.amount > 100", "event.amount < 200", None), None),
        (("event.amount > 100", "event.amount < 200"), "FSM310"),
        (("data.ok", "event.amount < 200", None), None),
        (("event.amount > 100", "event.amount < 100"), "FSM311"),
        (("event.amount > 100",), None),
        (("event.amount > 100", None), None),
        (("event.amount > 100", "event.amount > 200", None), "FSM304"),
        (("data.n > 5", None), "FSM304"),
        (('data.kind == "big"', 'data.kind in ["small", "odd"]'), None),
        (('data.kind == "big"', 'data.kind == "small"'), "FSM311"),
        (('data.kind != "big"', 'data.kind != "small"'), "FSM310"),
        (('data.kind == "big"', 'data.kind == "small" || data.kind == "odd"', 'data.kind == "odd"'), "FSM304"),
        (("data.ok", "!data.ok"), None),
        (("data.n * 2 > 3", "data.n * 3 > 5"), None),  # nobody knows
        (("data.who == event.by", "data.who != event.by"), None),
    ],
    ids=str,
)
def test_what_guards_leave_and_share_is_told_with_a_value(guards: tuple[str | None, ...], code: str | None) -> None:
    assert codes(of_go(*guards)) == ([code] if code else [])


def test_examples_are_values_that_do_what_is_told() -> None:
    [overlap] = found(of_go("event.amount > 100", "event.amount < 200"))
    assert overlap.message.startswith(
        "for event.amount = 101 both `event.amount > 100` and `event.amount < 200` are true; the first one wins"
    )
    assert overlap.path == ("states", "a", "on", "go", 1)
    [gap] = found(of_go("event.amount > 100", "event.amount < 100"))
    assert gap.message == "for event.amount = 100 no transition takes `go` in state `a`: it is refused"
    [never] = found(of_go("event.amount > 100", "event.amount > 200", None))
    assert never.message.endswith("the guard `event.amount > 200` is only true where one before it is, too")
    [false] = found(of_go("data.n > 5", None))
    assert false.message.endswith("the guard `data.n > 5` is never true")


def test_alike_transitions_may_overlap() -> None:
    same = of_go("event.amount > 100", "event.amount < 200").replace("target: done", "target: b")
    assert codes(same) == []


def test_an_event_that_an_action_names_has_nobody_who_could_do_without() -> None:
    working = "  a: {do: work, on: {sure: {when: data.n < 3, target: done}, back: b, error: done}}\n"
    [gap] = found(working, WORK)
    assert (gap.code, gap.message) == (
        "FSM311",
        "for data.n = 3 no transition takes `sure` in state `a`: the action that names it fails",
    )
    silent = {"work": WORK["work"]._replace(writes=frozenset())}
    settled = working.replace("  a:", "  a: {on: {go: {target: c, assign: {n: 1}}}}\n  c:")
    assert codes(settled, silent) == []  # whatever the data are at first, no agent comes there with 3
    assert codes(settled, WORK) == ["FSM311"]


def test_a_timer_that_may_do_nothing_is_told_if_it_has_several_guards() -> None:
    timer = "{1h: [{when: data.n == 1, target: b}, {when: data.n == 2, target: done}]}"
    timed = f"  a: {{after: {timer}, on: {{back: done}}}}\n"
    [gap] = found(timed)
    assert gap.message == "for data.n = 0 no transition takes `after 1h` in state `a`: nothing happens then"


def test_an_action_that_is_done_and_leaves_its_agent_with_nothing_to_wait_for_is_told() -> None:
    resting = "  a: {do: work, on: {sure: {assign: {n: 1}}, error: done}}\n"
    [stuck] = [each for each in found(resting, WORK) if each.code == "FSM309"]
    assert stuck.message == "an agent that is in state `a` like this never ends, whatever happens: a -sure-> a"
    assert stuck.witness == ("a", "sure", "a")
    assert "FSM309" not in codes(resting.replace("error: done", "error: done, back: b"), WORK)


def test_a_wait_for_what_is_always_refused_is_told() -> None:
    refusing = "  a: {on: {go: {target: c, assign: {n: 0}}}}\n  c: {on: {sure: {when: data.n > 1, target: done}}}\n"
    [stuck] = found(refusing)
    assert (stuck.code, stuck.witness) == ("FSM309", ("a", "go", "c"))
    assert codes(refusing.replace("{n: 0}", "{n: 2}")) == []
    assert codes(refusing.replace("{when: data.n > 1", "{when: data.n < 1")) == []


def test_what_only_the_workflow_itself_handles_for_emergencies_is_no_way_out() -> None:
    refusing = "  a: {on: {go: {target: c, assign: {n: 0}}}}\n  c: {on: {sure: {when: data.n > 1, target: done}}}\n"
    assert [each.code for each in found(refusing, on="{cancel: done}")] == ["FSM309"]
    assert codes(refusing.replace("target: done}}}", "target: done}, cancel: done}}")) == []


@pytest.mark.parametrize("seed", range(40))
def test_lists_are_judged_as_every_value_judges_them(seed: int) -> None:
    """Against every combination of cells, evaluated one by one."""
    tried = example(seed)
    random = Random(seed)  # noqa: S311 - nothing secret
    texts = [each.transition.when for each in _sites(tried) if each.transition.when]
    guards = random.sample(texts, min(3, len(texts)))
    space = Space(tried.workflow, Machine(tried.workflow).guards, [(each, "go") for each in guards])
    if not guards or any(not space.is_certain(each, "go") for each in guards):
        return
    singles = _singles(space)
    taken = [_first(space, guards, masks) for masks in singles]
    assert never_taken(space, "go", guards, space.fresh) == [at for at in range(len(guards)) if at not in taken]
    assert (left_over(space, "go", guards, space.fresh) is not None) == (None in taken)
    told = {(one, other) for one, other, _ in overlaps(space, "go", guards, space.fresh)}
    assert told == {
        (one, other)
        for one in range(len(guards))
        for other in range(one + 1, len(guards))
        if _overlap(space, guards, (one, other), singles)
    }


def _sites(tried: Example) -> list[Site]:
    return [each for each in sites(tried.workflow) if each.event == "go"]


def _singles(space: Space) -> list[Masks]:
    found: list[Masks] = [()]
    for mask in space.fresh:
        bits = [1 << at for at in range(mask.bit_length()) if mask >> at & 1]
        found = [(*masks, bit) for masks in found for bit in bits]
    return found


def _truth(space: Space, guard: str, masks: Masks) -> bool | None:
    [(truth, _)] = list(space.split(guard, "go")(masks))
    return truth


def _first(space: Space, guards: list[str], masks: Masks) -> int | str | None:
    for at, guard in enumerate(guards):
        truth = _truth(space, guard, masks)
        if truth is not False:
            return at if truth else "error"
    return None


def _overlap(space: Space, guards: list[str], pair: tuple[int, int], singles: list[Masks]) -> bool:
    reached = [
        [_truth(space, guards[at], masks) for at in pair]
        for masks in singles
        if all(_truth(space, guard, masks) is False for guard in guards[: pair[0]])
    ]
    return all(ways in reached for ways in ([True, True], [True, False], [False, True]))


def test_what_lies_behind_a_text_that_is_kept_is_looked_at_though_a_guard_compares_it_with_another() -> None:
    text = f"""{HEAD.replace("events: {go: {amount: integer}", "events: {named: {who: string}, go: {amount: integer}")}
states:
  a: {{on: {{named: {{target: c, assign: {{who: event.who}}}}}}}}
  c:
    on:
      sure: {{target: done, when: event.by != data.who}}
      go:
        - {{when: event.amount > 10, target: b}}
        - {{when: event.amount < 10, target: done}}
{END}"""
    findings = inspect_text(text, checks=[check_workflow])[1]
    assert [each.message for each in findings if each.code == "FSM311"] == [
        "for event.amount = 10 no transition takes `go` in state `c`: it is refused"
    ]
