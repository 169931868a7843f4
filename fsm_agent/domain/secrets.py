"""Secrets are taken out of what is shown, logged or kept: what others say may quote them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

_SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
#: a variable that holds several secrets: ``id=value,id=value``
_PARTS: Final = re.compile(r"[^\s,;=]+=([^\s,;]+)")
_SHORTEST_SECRET: Final = 6
#: tokens of a server of ours, and what signs webhooks; tokens of well-known forms, which have digits; names and
#: passwords in URLs; keys in queries
_IS_SECRET: Final = re.compile(
    r"\bfsm_[\w-]{43}(?![\w-])|\bwhsec_[\w+/=-]{8,}"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|ghp)[-_](?=[\w.-]*\d)[\w.-]{8,}|\bAIza[\w-]{8,}"
    r"|\b(?i:bearer|basic)\s+(?=\S*\d)[\w+/=.~-]{6,}"
    r"|(?i:(?<=//)[^/@\s]+(?=@))|(?i:(?<=key=)|(?<=token=)|(?<=secret=)|(?<=password=))[^\s\"'&,}]+"
)
#: what may be one, or a part of one
_MAY_BE_SECRET: Final = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|AIza|ghp)[-_*][\w*.-]{4,}|\b(?i:bearer|basic)\s+[\w+/=.~*-]{6,}"
    r"|(?i:(?<=key: )|(?<=provided: ))[^\s\"',}]+"
)
_HIDDEN: Final = "***"


def without_secrets(text: str, environment: Mapping[str, str], *, variables: Collection[str] = ()) -> str:
    """``text`` without the values of those ``variables`` of the environment, and of all that are called like secrets,
    and without what can be nothing but a secret."""
    for secret in _secrets(environment, variables):
        text = text.replace(secret, _HIDDEN)
    return _IS_SECRET.sub(_HIDDEN, text)


def without_likely_secrets(text: str, environment: Mapping[str, str]) -> str:
    """The same for what a provider says of a key: whatever may be one goes too."""
    return _MAY_BE_SECRET.sub(_HIDDEN, without_secrets(text, environment))


def secret_variables(environment: Mapping[str, str], *, variables: Collection[str] = ()) -> dict[str, str]:
    """The part of the environment that ``without_secrets`` looks at, for whoever calls it often."""
    return {name: value for name, value in environment.items() if name in variables or _SECRET_NAME.search(name)}


def _secrets(environment: Mapping[str, str], variables: Collection[str]) -> Iterator[str]:
    for name, value in environment.items():
        if name in variables or _SECRET_NAME.search(name):
            yield from (part for part in (value, *_PARTS.findall(value)) if len(part) >= _SHORTEST_SECRET)
