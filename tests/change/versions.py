"""Two versions of a workflow, for tests of what changed between them."""

from __future__ import annotations

from pathlib import Path

from fsm_agent.change.difference import Difference, compare
from fsm_agent.domain.workflow import Workflow
from fsm_agent.loading.yaml_file import load, loads

GALLERY = sorted((Path(__file__).parents[2] / "workflows").glob("*.yaml"))


def gallery(name: str) -> Workflow:
    return load(GALLERY[0].parent / f"{name}.yaml")


def text_of(name: str) -> str:
    return (GALLERY[0].parent / f"{name}.yaml").read_text(encoding="utf-8")


def edited(text: str, *edits: tuple[str, str]) -> Difference:
    """What changed when each first text was replaced by the second, in a file or in a workflow of the gallery."""
    old = text if "\n" in text else text_of(text)
    new = old
    for before, after in edits:
        assert before in new, before
        new = new.replace(before, after)
    return compare(loads(old), loads(new))


def told(difference: Difference) -> list[str]:
    """The rows as lines, without what is never drawn and changes nothing."""
    return [f"{row.change.mark} {row.change.text}" for row in difference.rows if row.number is not None]


SMALL = """
workflow: small
version: 1
data:
  amount: {type: integer, minimum: 0, default: 0}
  author: string?
events:
  ask: {amount: integer}
  approve: {}
  reject: {}
initial: idle
states:
  idle:
    on: {ask: {target: review, assign: {amount: event.amount}}}
  review:
    initial: first
    after: {3d: gone}
    on:
      reject: gone
    states:
      first:
        ask: {prompt: "Pay {{ data.amount }}?", events: [approve, reject]}
        on:
          approve:
            - {when: data.amount > 100, target: second}
            - paid
      second:
        ask: {prompt: "Really?", events: [approve, reject], to: "'boss'"}
        on: {approve: {when: event.by != data.author, target: paid}}
  paid: {final: true}
  gone: {final: true, outcome: cancelled}
"""
