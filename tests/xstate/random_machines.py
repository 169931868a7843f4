"""Random machines of XState as others write them: odd names, ids, targets written in every way, final states inside."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

ODD = (
    "waiting for user", "a.b", "x#y", 'say "no"', "naïve", "状態", "constructor", "x\ny", "\u202eright", "1st", "in",
    "</script>", "a\\b", "-", "e_1", "E 1", "`|`", "on", "toString", "a" * 90, ".", "*",
)  # fmt: skip
EVENTS = ("user.clicked", "go", "créé", "cancel", "after", "[x]", "in progress", "created")
GUARDS = ("is fine", "is-fine", "true")

Node = dict[str, Any]
Keys = tuple[str, ...]


class MachineWriter:
    """One machine; ``is_odd`` has odd names."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._paths: list[Keys] = []
        self._ids: dict[Keys, str] = {}

    def machine(self) -> Node:
        random = self._random
        states = self._states((), 1)
        document: Node = {"id": random.choice(["m", "my machine", "x.y", "#"]), "states": states}
        document["initial"] = random.choice(list(states))
        states["the end"] = {"type": "final"}
        self._paths.append(("the end",))
        self._fill(document, (), document["id"])
        return document

    def _states(self, outer: Keys, depth: int) -> Node:
        random = self._random
        found: Node = {}
        for key in random.sample(ODD, random.randint(2, 3)):
            keys = (*outer, key)
            self._paths.append(keys)
            inner = self._states(keys, depth + 1) if depth < 3 and random.random() < 0.4 else {}
            found[key] = {"states": inner, "initial": random.choice(list(inner)[:2])} if inner else {}
            if inner and random.random() < 0.5:
                found[key]["initial"] = {"target": found[key]["initial"]}
            if random.random() < 0.2:
                self._ids[keys] = found[key]["id"] = f"id {len(self._ids)}"
        if outer and random.random() < 0.4:
            found["ended"] = {"type": "final"}
            self._paths.append((*outer, "ended"))
        return found

    def _fill(self, node: Node, keys: Keys, machine: str) -> None:
        random = self._random
        node["description"] = ".".join(keys)
        if node.get("type") == "final":
            return
        node["on"] = {event: self._chosen(keys, machine) for event in EVENTS if random.random() < 0.4}
        if "ended" in node.get("states", {}) and random.random() < 0.7:
            node["onDone"] = {"target": self._target(keys, machine, lambda path: path == ("the end",))}
        for key, child in node.get("states", {}).items():
            self._fill(child, (*keys, key), machine)

    def _chosen(self, keys: Keys, machine: str) -> Any:
        if self._random.random() < 0.1:
            return {}
        found = [self._transition(keys, machine) for _ in range(self._random.choice([1, 1, 2]))]
        return found[0] if len(found) == 1 and self._random.random() < 0.5 else found

    def _transition(self, keys: Keys, machine: str) -> Any:
        random = self._random
        target = self._target(keys, machine, lambda _: True)
        if random.random() < 0.2:
            return target
        body: Node = {"target": random.choice([target, [target]]), "reenter": random.random() < 0.5}
        if random.random() < 0.5:
            body["guard"] = random.choice([GUARDS[0], {"type": random.choice(GUARDS)}])
        return body if random.random() < 0.9 else {"guard": GUARDS[1]}

    def _target(self, keys: Keys, machine: str, only: Callable[[Keys], bool]) -> str:
        path = self._random.choice([path for path in self._paths if only(path)])
        ways = [f"#{_escaped((machine, *path))}"]
        if path in self._ids:
            ways.append(f"#{self._ids[path]}")
        is_plain = bool(keys) and _escaped(keys[-1:]) == keys[-1]  # XState reads its own key as part of the target
        if is_plain and path[: len(keys)] == keys and len(path) > len(keys):
            ways.append(f".{_escaped(path[len(keys) :])}")
        if keys and path[: len(keys) - 1] == keys[:-1]:
            beside = _escaped(path[len(keys) - 1 :])
            ways += [beside] if beside and not beside.startswith(("#", ".", "\\")) else []
        return self._random.choice(ways)


def _escaped(keys: Keys) -> str:
    return ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in keys)
