"""The life of an agent in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fsm_agent import action, open_store
from fsm_agent.loading.yaml_file import loads
from fsm_agent.report.narrative import narrative
from fsm_agent.runtime.replay import load_past
from fsm_agent.sync import Runner
from fsm_agent.testing import FakeClock
from tests.support.runtime import on_loop
from tests.support.shop import Shop

REVIEW = """
workflow: review
version: 1
data:
  text: {type: string, default: ""}
  notes: {type: array, items: {type: string}, default: []}
  author: string?
events:
  write: {text: string}
  note: {text: string}
  written: {}
  approve: {}
initial: draft
states:
  draft:
    on:
      write: {target: writing, assign: {text: event.text}}
  writing:
    do: polish
    on:
      written: asking
  asking:
    ask: {prompt: "Print {{ data.text }}?", events: [approve], to: "['ana', 'ben']"}
    after: {3d: late}
    on:
      approve: done
      note: {append: {notes: event.text}}
  late: {final: true, outcome: failed}
  done: {final: true}
"""


def polish(ctx: object) -> str:
    return "written"


def stumble(ctx: object) -> str:
    raise ValueError("no ink")


class Life:
    """One agent of the workflow above, whose clock stands unless it is moved."""

    def __init__(self, polish: Callable[..., str]) -> None:
        self.clock = FakeClock()
        self.store = open_store("memory://", clock=self.clock)
        self.runner = Runner(self.store, actions=[polish])
        self.runner.start(loads(REVIEW), "write", {"text": "Hello"}, data={"author": "ana"}, id="one", by="ana")

    def told(self) -> list[str]:
        texts: list[str] = []

        @on_loop
        async def read() -> None:
            texts.extend(sentence.text for sentence in narrative(await load_past(self.store, "one")))

        read()
        return texts


@pytest.fixture
def life() -> Iterator[Life]:
    begun = Life(polish)
    with begun.runner:
        yield begun


def test_the_beginning_names_what_was_given_and_no_default(life: Life) -> None:
    assert life.told()[0] == 'ana started it. data.author became "ana". It began in `draft`. There it waits.'


def test_an_event_is_told_with_who_sent_it_what_it_brought_and_where_it_led(life: Life) -> None:
    assert life.told()[1] == (
        'ana sent `write` (text "Hello"). data.text became "Hello". It went from `draft` to `writing`. '
        "There it does `polish`."
    )


def test_what_an_action_named_and_what_is_asked_then_is_told(life: Life) -> None:
    cause, rest = life.told()[2].split(" ms ")
    assert cause.startswith("`polish` worked for ")
    assert rest == (
        'and named `written`. It went from `writing` to `asking`. It asks ana, ben: "Print Hello?" (approve).'
    )


def test_an_answer_is_no_mere_event(life: Life) -> None:
    life.runner.answer("one", by="ben")
    assert life.told()[3] == "ben answered `approve`. It went from `asking` to `done`. It is done."


def test_what_leaves_the_agent_where_it_is_says_so_by_saying_nothing(life: Life) -> None:
    life.runner.send("one", "note", {"text": "blue ink"})
    assert life.told()[3] == 'Somebody sent `note` (text "blue ink"). data.notes got "blue ink".'


def test_time_that_has_passed_is_told_by_its_length(life: Life) -> None:
    life.clock.advance(days=3)
    life.runner.resume("one")
    assert life.told()[3] == "3d had passed. It went from `asking` to `late`. It has failed."


def test_a_failure_is_told_with_what_went_wrong() -> None:
    life = Life(action(name="polish")(stumble))
    with life.runner:
        assert life.told()[-1].startswith("It was parked: ValueError: no ink")


def test_a_cancelled_agent_and_a_rewound_one_are_told_by_whom(life: Life) -> None:
    life.runner.rewind("one", 1, by="eve")
    life.runner.cancel("one", by="eve")
    assert life.told()[3:] == [
        'It was rewound to version 1 by eve. data.text became "". It went from `asking` to `draft`. There it waits.',
        "It was cancelled by eve.",
    ]


def test_an_erasure_is_told_by_whom(life: Life) -> None:
    life.runner.cancel("one", by="ana")
    life.runner.forget("ana", by="eve")
    assert life.told()[-2:] == ["It was cancelled.", "eve erased the words of a person."]
    assert '~ "erased in parts"' not in "".join(life.told())


@pytest.mark.parametrize("words", [["explain", "one"], ["explain", "one", "--json"]])
def test_the_command_line_tells_it(shop: Shop, words: list[str]) -> None:
    shop.order("one")
    told = shop(*words)
    assert told.code == 0
    assert "started it" in told.out
