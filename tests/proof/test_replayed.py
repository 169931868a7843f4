"""What is violated happens on the real engine: random workflows, with cycles, data, and operators."""

from __future__ import annotations

from collections import Counter

import pytest

from fsm_agent.domain.property import AtMost, Never, Property, Reaches, Whenever
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import Duration
from fsm_agent.loading.yaml_file import loads
from fsm_agent.proof.prover import prove
from fsm_agent.proof.verdicts import Outcome
from fsm_agent.runtime.scripted.counterexample import test_of as written_test
from fsm_agent.runtime.scripted.replayed_proof import prove_and_replay
from tests.support.hypothesis_settings import IS_LONG

from .random_properties import example

CHUNKS = 4
SEEDS = range(1_000 if IS_LONG else 80)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_is_violated_was_made_to_happen_and_what_was_not_is_open(chunk: int) -> None:
    counted: Counter[str] = Counter()
    for seed in SEEDS[chunk::CHUNKS]:
        tried = example(seed)
        plain = prove(tried.workflow, tried.properties, signatures=tried.signatures)
        replayed = prove_and_replay(tried.workflow, tried.properties, signatures=tried.signatures)
        for of, before, after in zip(tried.properties, plain.verdicts, replayed.proof.verdicts, strict=True):
            found = replayed.found.get(of.name)
            assert (after.outcome is Outcome.VIOLATED) == (found is not None), seed
            assert (after.outcome is Outcome.PROVED) == (before.outcome is Outcome.PROVED), seed
            if before.outcome is Outcome.VIOLATED:
                counted["missed" if found is None else "made to happen"] += 1
            if found is not None and not found.round:
                assert not found.life.keeps(of), seed
    assert counted["made to happen"] > 10
    assert counted["missed"] * 30 <= counted["made to happen"]


LATE = """
workflow: late
version: 1
data: {n: {type: integer, minimum: 0, maximum: 9, default: 0}}
events: {go: {}, done: {}}
initial: a
states:
  a: {on: {go: b}}
  b: {do: work, TIMEOUT on: {done: c, error: c}}
  c: {on: {done: end}, after: {1h: end}}
  end: {final: true}
"""


@pytest.mark.parametrize(
    ("timeout", "within", "moves"),
    [
        ("", "10m", ["sent('go')", "says('done')", "passes('600001ms')"]),
        ("timeout: 5m,", "10m", ["sent('go')", "says('done')", "passes('1h')"]),
        ("timeout: 5m,", "1h", ["sent('go')", "passes('299999ms')", "says('done')", "passes('1h')"]),
    ],
)
def test_what_comes_too_late_is_played_with_as_much_time_as_it_needs(
    timeout: str, within: str, moves: list[str]
) -> None:
    workflow = loads(LATE.replace("TIMEOUT", timeout))
    rule = Reaches(("state end", "cancelled"), ("go",), Duration.parse(within))
    signatures = {"work": Signature(frozenset({"done"}))}
    replayed = prove_and_replay(workflow, [Property("in_time", rule)], signatures=signatures)
    assert replayed.proof.verdicts[0].outcome is Outcome.VIOLATED
    assert list(map(repr, replayed.found["in_time"].life.given)) == moves


def test_an_action_writes_only_what_it_declares_in_a_play_too() -> None:
    text = LATE.replace("TIMEOUT", "").replace("{done: c, error", "{done: [{when: data.n > 5, target: c}, end], error")
    rule = Property("never_c", Reaches(("state end", "cancelled", "error"), ("go",)))
    workflow = loads(text.replace(", after: {1h: end}", ""))
    free = {"work": Signature(frozenset({"done"}))}
    [verdict] = prove_and_replay(workflow, [rule], signatures=free).proof.verdicts
    assert verdict.outcome is Outcome.VIOLATED
    steady = {"work": Signature(frozenset({"done"}), writes=frozenset())}
    replayed = prove_and_replay(workflow, [rule], signatures=steady)
    assert replayed.proof.verdicts[0].outcome is not Outcome.VIOLATED or replayed.found["never_c"].life.initial_data


def test_hostile_names_of_files_stay_text_in_a_written_test() -> None:
    workflow = loads(LATE.replace("TIMEOUT", ""))
    rule = Property("never_b", Reaches(("state end",), ("go",)))
    found = prove_and_replay(workflow, [rule], signatures={}).found["never_b"]
    name = 'a"""\n\\x`.yaml'
    text = written_test(name, "never_b", found, child=("it's",))
    compile(text, "written", "exec")
    assert text.splitlines()[0].startswith("# Written by `fsm-agent prove`")
    assert repr(name) in text


CLAIM = """
workflow: claim
version: 1
data: {claimant: string?, most: {type: integer, default: 10}}
events: {filed: {claimant: string, most: integer}, accept: {amount: integer, code: string?}, deny: {}}
initial: a
states:
  a: {on: {filed: {target: b, assign: {claimant: event.claimant, most: event.most}}}}
  b: {on: {accept: {target: done, WHEN}}}
  done: {final: true}
"""


@pytest.mark.parametrize(
    ("when", "holds", "play"),
    [
        ("when: 'true'", "event.by != data.claimant", "sent('accept', amount=1, by='x')"),
        ("when: 'true'", "data.claimant != event.by", "sent('accept', amount=1, by='x')"),
        ("when: event.amount > data.most", "event.by == null", "sent('accept', amount=2, by='other')"),
        ("when: 'true'", "event.amount <= data.most", "sent('accept', amount=2)"),
        (
            "when: event.code == data.claimant",
            "event.by != data.claimant",
            "sent('accept', amount=1, code='x', by='x')",
        ),
    ],
)
def test_what_is_compared_with_the_data_is_made_to_fit(when: str, holds: str, play: str) -> None:
    workflow = loads(CLAIM.replace("WHEN", when))
    found = prove_and_replay(workflow, [Property("p", Whenever(("accept",), holds))], signatures={})
    assert found.proof.verdicts[0].outcome is Outcome.VIOLATED
    assert repr(found.found["p"].life.given[-1]) == play


def test_what_an_event_brings_and_is_kept_is_what_a_guard_sees_later() -> None:
    """Nothing looks at ``event.most`` itself."""
    workflow = loads(CLAIM.replace("WHEN", "when: data.most > 1000"))
    found = prove_and_replay(workflow, [Property("p", Never(("done",)))], signatures={})
    assert found.proof.verdicts[0].outcome is Outcome.VIOLATED
    assert repr(found.found["p"].life.given[0]) == "sent('filed', claimant='x', most=1001)"


def test_a_step_says_what_its_guards_have_seen_and_nothing_that_is_not_so() -> None:
    workflow = loads(
        """
workflow: tickets
version: 1
data: {n: {type: integer, default: 0}, price: {type: number, minimum: 0, default: 1}}
events: {again: {}, stop: {}}
initial: a
states:
  a:
    on:
      again: {target: a, when: data.n < 3, assign: {n: data.n + 1}}
      stop: {target: end, when: data.price > 0.5}
  end: {final: true}
"""
    )
    properties = [Property("again", AtMost(2, ("again",))), Property("stop", Never(("stop",)))]
    found = prove_and_replay(workflow, properties, signatures={})
    again, stop = found.proof.verdicts
    assert [step.seen for step in again.path] == [("data.n is less than 3",)] * 3
    assert stop.path[-1].seen == ("data.price is more than 0.5",)


DETOUR = """
workflow: detour
version: 1
data: {a: integer?, b: integer?}
events: {brief: {a: integer, b: integer}, go: {}, on: {}, stop: {}}
initial: start
states:
  start: {on: {brief: {target: short, assign: {a: event.a, b: event.b}}}}
  short:
    on:
      go: {target: end, when: data.a % 2 == data.b % 2}
      on: long
  long: {on: {on: longer}}
  longer: {on: {stop: end}}
  end: {final: true}
"""


def test_the_shortest_path_is_shown_if_an_agent_goes_it_though_a_longer_one_is_surer() -> None:
    found = prove_and_replay(loads(DETOUR), [Property("p", Never(("end",)))], signatures={})
    assert [step.event for step in found.proof.verdicts[0].path] == ["brief", "go"]
    odd = loads(DETOUR.replace("data.a % 2 == data.b % 2", "data.a % 2 == data.b % 2 + 7"))
    surer = prove_and_replay(odd, [Property("p", Never(("end",)))], signatures={})
    assert [step.event for step in surer.proof.verdicts[0].path] == ["brief", "on", "on", "stop"]
