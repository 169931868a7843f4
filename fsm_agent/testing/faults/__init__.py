"""Faults: writers that are killed, frozen and cut off while they share a store, and a checker that reads what is left.

``python -m fsm_agent.testing.faults URL...`` proves the promises of a store under faults, in this order:

- ``writer``: several processes drive agents of one workflow (``errand``) in one store. Each notes every call, every
  write of the store and every act on the world in a ``journal``, before and after.
- ``nemesis``: kills them, freezes them and hands their agents over, moves the clock, restarts the server;
  ``failpoints`` end a writer before, during and after each write, inside of actions and of effects.
- ``settle``: a process without faults goes on with everything until nothing is due, and reads all there is.
- ``checker``: holds histories against journals, rule by rule. It is pure, and each rule has a test that breaks it.
- ``tally``: what the faults hit. A run in which one of them hit nothing proves nothing, and fails.

``mutants`` takes a promise out of the writers' store: then the checker must find it broken.
"""

from __future__ import annotations

from fsm_agent.testing.faults.run import Subject, prove
from fsm_agent.testing.faults.servers import ServerControl

__all__ = ["ServerControl", "Subject", "prove"]
