"""How long something takes at most: timers, timeouts and retries bound each stay."""

from __future__ import annotations

import pytest

from fsm_agent.domain.property import Property, Reaches, Terms
from fsm_agent.domain.signature import Signature
from fsm_agent.domain.state import Duration
from fsm_agent.loading.yaml_file import loads
from fsm_agent.proof.deadlines import human
from fsm_agent.proof.prover import PUNCTUALITY, prove
from fsm_agent.proof.verdicts import Outcome, Verdict

HEAD = """
workflow: timed
version: 1
initial: a
events: {go: {}, back: {}, more: {}}
states:
"""
END = "  end: {final: true}\n"
SIGNATURES = {"work": Signature(emits=frozenset({"go"}))}


def verdict(states: str, within: str, *, since: Terms = ()) -> Verdict:
    rule = Reaches(("done", "cancelled"), since, Duration.parse(within))
    return prove(loads(HEAD + states + END), [Property("rule", rule)], signatures=SIGNATURES).verdicts[0]


def takes_at_most(states: str, within: str, *, since: Terms = ()) -> None:
    """It is proved for just that long, and for no less."""
    assert verdict(states, within, since=since).outcome is Outcome.PROVED
    less = f"{Duration.parse(within).ms - 1}ms"
    assert verdict(states, less, since=since).outcome is Outcome.VIOLATED


def test_a_timer_bounds_a_stay() -> None:
    takes_at_most("  a: {on: {go: end}, after: {3d: end}}\n", "3d")


def test_stays_add_up() -> None:
    takes_at_most("  a: {after: {1d: b}}\n  b: {on: {go: end}, after: {2d: end}}\n", "3d")


def test_the_longest_way_counts() -> None:
    takes_at_most("  a: {on: {go: b, back: end}, after: {1d: end}}\n  b: {after: {5d: end}}\n", "6d")


def test_a_timer_of_the_state_around_bounds_all_of_them() -> None:
    inner = "x: {on: {go: y}, after: {20h: y}}, y: {on: {back: x}, after: {20h: x}}"
    text = f"  a: {{initial: x, states: {{{inner}}}, after: {{1d: end}}}}\n"
    assert verdict(text, "1d").outcome is Outcome.PROVED
    assert verdict(text, "23h").outcome is Outcome.OPEN  # which of two timers fires first is not followed


def test_an_action_is_bounded_by_its_timeout_and_its_retries() -> None:
    takes_at_most("  a: {do: work, timeout: 1m, on: {go: end, error: end}}\n", "60s")
    retried = "  a: {do: work, timeout: 1m, retry: {attempts: 3, backoff: 10s}, on: {go: end, error: end}}\n"
    takes_at_most(retried, "210s")


def test_what_is_sent_meanwhile_does_not_begin_the_work_anew() -> None:
    takes_at_most("  a: {do: work, timeout: 1m, on: {go: end, error: end, more: {}}}\n", "60s")


def test_an_action_without_a_timeout_is_named() -> None:
    found = verdict("  a: {do: work, on: {go: end, error: end}}\n", "9d")
    assert found.outcome is Outcome.VIOLATED
    assert found.why == "it may take for ever: action `work` in `a` has no timeout"


def test_it_counts_from_what_the_rule_begins_with() -> None:
    takes_at_most("  a: {on: {go: b}}\n  b: {after: {1d: end}}\n", "1d", since=("go",))


def test_a_path_shows_how_it_takes_so_long() -> None:
    found = verdict("  a: {on: {go: b}}\n  b: {on: {back: end}, after: {2d: end}}\n", "1d", since=("go",))
    assert [step.event for step in found.path][:1] == ["go"]
    assert found.why == "it may take 2d: timer 2d of `b`"


def test_a_proof_says_on_what_it_depends() -> None:
    assert PUNCTUALITY in verdict("  a: {after: {1d: end}}\n", "1d").assumptions


@pytest.mark.parametrize(
    ("ms", "words"), [(0, "0s"), (1_500, "1s 500ms"), (90_061_000, "1d 1h 1m 1s"), (float("inf"), "for ever")]
)
def test_lengths_of_time_are_written_as_people_write_them(ms: float, words: str) -> None:
    assert human(ms) == words
