"""Where a writer can end."""

from __future__ import annotations

from typing import Final

#: place -> moments; one for every verb of the store that the workload writes with, actions, and acts on the world
PLACES: Final = {
    "commit": ("before", "during", "after"),
    "create": ("before", "during", "after"),
    "enqueue": ("before", "during", "after"),
    "claim": ("before", "during", "after"),
    "release": ("before", "during", "after"),
    "record_attempt": ("before", "during", "after"),
    "begin_effect": ("before", "during", "after"),
    "end_effect": ("before", "during", "after"),
    "append": ("before", "during", "after"),
    "save_user": ("before", "during", "after"),
    "revise": ("before", "during", "after"),
    "shorten": ("before", "during", "after"),
    "delete": ("before", "during", "after"),
    "adopt": ("before", "during", "after"),
    "action": ("before", "after"),
    "execute": ("before", "after"),
}

#: kind of place -> the verbs that one can be inside of
KINDS: Final = {
    "actions": frozenset({"action"}),
    "effects": frozenset({"execute", "begin_effect", "end_effect"}),
    "commits": frozenset({"commit"}),
    "other writes": frozenset({"create", "enqueue", "claim", "release", "renew", "record_attempt"}),
    "upkeep": frozenset({"append", "save_user", "revise", "shorten", "delete", "adopt", "retract"}),
}
