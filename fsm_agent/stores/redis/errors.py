"""Redis's errors as ours: the one place where they are translated.

What a server says inside of a script is wrapped differently by each version, so a code is looked for anywhere in it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from redis import exceptions

from fsm_agent.domain.text import shortened
from fsm_agent.errors import StoreCorrupt, StoreError, StoreUnavailable, StoreUrlInvalid


class Meaning(NamedTuple):
    """What a code in an answer of the server means to somebody who uses the store."""

    code: re.Pattern[str]
    what: str
    kind: type[StoreError] = StoreUnavailable


#: The first that fits.
MEANINGS: Final = (
    Meaning(
        re.compile("WRONGPASS|invalid username-password"),
        "refuses the user or the password of the URL",
        StoreUrlInvalid,
    ),
    Meaning(
        re.compile("NOAUTH|called without any password|no password is set"),
        "and the URL do not agree on whether there is a password; write redis://user:password@host:port/db",
        StoreUrlInvalid,
    ),
    Meaning(
        re.compile("NOPERM|ACL failure|has no permissions|executing the script can't"),
        "does not allow this user what a store needs; grant it the keys and the channels fsm-agent:*, and the "
        "commands for data, scripts, messages and TIME",
    ),
    Meaning(re.compile("OOM"), "is full: it has reached its maxmemory, and nothing was written; raise the limit"),
    Meaning(
        re.compile("MISCONF"),
        "refuses to write, since it cannot write its own files (a full disk?); its log says why, nothing was written",
    ),
    Meaning(re.compile("READONLY"), "is a replica that only reads; name its master in the URL"),
    Meaning(re.compile("NOREPLICAS"), "refuses to write, since too few of its replicas are there; try again later"),
    Meaning(re.compile("MASTERDOWN"), "is a replica that has lost its master; try again when it is back"),
    Meaning(re.compile("LOADING|loading the dataset"), "is reading its files after a start; try again when it is done"),
    Meaning(re.compile("BUSY"), "is busy with a script that does not end; `SCRIPT KILL` ends it"),
    Meaning(
        re.compile("CLUSTERDOWN|MOVED|ASK|TRYAGAIN"),
        "is a cluster of which no node serves this namespace now; try again, or look at `CLUSTER INFO`",
    ),
    Meaning(re.compile("CROSSSLOT"), "is a cluster that keeps the keys of one hash tag apart", StoreCorrupt),
    Meaning(re.compile("max number of clients"), "has no room for one more client; raise its maxclients"),
    Meaning(
        re.compile("Invalid Database|DB index is out of range"),
        "has no such database; name a lower number",
        StoreUrlInvalid,
    ),
    Meaning(
        re.compile("SELECT is not allowed"),
        "is a cluster, which has database 0 alone; leave the number away",
        StoreUrlInvalid,
    ),
    Meaning(
        re.compile("WRONGTYPE|user_script"),
        "keeps something else where this store's keys should be; choose another namespace or database",
        StoreCorrupt,
    ),
)


def answered(error: exceptions.RedisError, url: str) -> StoreError:
    """What it means that the server answered with ``error``. Nothing was written."""
    said = f"{error.status_code or ''} {error}".strip()
    for meaning in MEANINGS:
        if meaning.code.search(said):
            return meaning.kind(f"the Redis server at {url} {meaning.what}")
    return StoreUnavailable(f"the Redis server at {url} failed: {shortened(said, 200)}")


def unreachable(error: BaseException | None, url: str) -> StoreError:
    """What it means that no command was sent."""
    if isinstance(error, exceptions.AuthenticationError | exceptions.ResponseError | exceptions.BusyLoadingError):
        return answered(error, url)
    if isinstance(error, exceptions.RedisError) and any(each.code.search(str(error)) for each in MEANINGS):
        return answered(error, url)
    if isinstance(error, TimeoutError | exceptions.TimeoutError):
        why = "it does not answer in time"
    else:
        why = shortened(str(error) or type(error).__name__, 200).strip("'\"")
    return StoreUnavailable(f"the Redis server at {url} cannot be reached, so nothing was changed: {why}")


def unanswered(url: str, *, is_write: bool) -> StoreError:
    """What it means that a command was sent, and no answer came."""
    if not is_write:
        return StoreUnavailable(f"the Redis server at {url} broke off before it had answered; try again")
    return StoreUnavailable(
        f"the Redis server at {url} broke off before it had answered: whether this was written is unknown, and it is "
        "safe to repeat it with the same key"
    )


def unreadable(url: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"the Redis server at {url} keeps something that is not of fsm-agent under this store's keys; choose another "
        "namespace or database"
    )


def torn(url: str, agent_id: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"agent {agent_id!r} is damaged at {url}: its head and its history do not belong together; restore a backup"
    )


def closed(url: str) -> StoreUnavailable:
    return StoreUnavailable(f"the store {url} is closed already; open the store again")
