"""Digests of values, for comparing what different processes read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from fsm_agent.domain.json import Json
from fsm_agent.domain.step import Step


def digest(value: Json) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()


def digest_of_steps(steps: Iterable[Step]) -> list[str]:
    """The digests of all prefixes: the first step, the first two steps, and so on."""
    prefixes: list[str] = []
    for step in steps:
        prefixes.append(digest([*prefixes[-1:], step.to_json(), step.entered]))
    return prefixes


def digest_of_values(values: Mapping[str, Json]) -> str:
    return digest(dict(values))
