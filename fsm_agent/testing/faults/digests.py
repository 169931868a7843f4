"""Short names for long values: equal ones have equal digests, also when they were read by different processes."""

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
    """Of every prefix: the first step, the first two, and so on."""
    so_far = ""
    prefixes = []
    for step in steps:
        so_far = digest([so_far, step.to_json(), step.entered])
        prefixes.append(so_far)
    return prefixes


def digest_of_values(values: Mapping[str, Json]) -> str:
    return digest(dict(values))
