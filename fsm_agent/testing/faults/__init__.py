"""Fault injection for stores: several writers share a store while faults hit them, and a checker reads what is left.

``python -m fsm_agent.testing.faults URL...`` proves the promises of a store under faults:

- ``writer``: several processes drive agents in one store. There are two workloads: ``order_workload`` and
  ``ticket_workload``. Each writer notes in a ``journal`` every call, every write of the store and every effect, before
  and after.
- ``nemesis``: injects the faults. It kills and freezes writers, moves the clock and restarts the server. The
  ``failpoints`` end a writer before, during and after each write, in actions and in effects.
- ``recovery``: afterwards one process without faults drives all agents until nothing is due, and reads everything.
- ``checker``: compares the histories with the journals, rule by rule. It is pure. Each rule has a test that breaks it.
- ``coverage``: counts what the faults hit. If one fault hit nothing, the run proves nothing and fails.

``mutants`` are stores that break a promise; the checker must notice it.
"""

from __future__ import annotations

from fsm_agent.testing.faults.nemesis import ServerControl
from fsm_agent.testing.faults.run import Subject, prove

__all__ = ["ServerControl", "Subject", "prove"]
