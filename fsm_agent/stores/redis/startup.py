"""What a store looks at before it is first used: how old the server is, what it promises, whose the namespace is."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.exceptions import RedisError

from fsm_agent.errors import StoreCorrupt, StoreTooNew, StoreUnavailable
from fsm_agent.stores.redis.keys import SpaceKeys, former_space_keys, space_keys
from fsm_agent.stores.redis.reindex import fill
from fsm_agent.stores.redis.scripts import Call, of_source
from fsm_agent.stores.redis.server import Server

logger = logging.getLogger("fsm_agent")

OLDEST: Final = (6, 2)

#: A process that was started with an earlier fsm-agent would write heads that the index does not know. So what it looks
#: at before it writes is called otherwise now, and under the names that it knows stand texts, which it cannot use.
#: Heads are renamed one by one, when they are taken up into the index.
_RENAMED: Final = """
local names = #KEYS / 2
for at = 1, names do
  local former = KEYS[names + at]
  if former ~= KEYS[at] then
    if redis.call('EXISTS', former) == 1 then
      redis.call('RENAME', former, KEYS[at])
    end
    redis.call('SET', former, 'a newer fsm-agent has upgraded this namespace: restart with that one')
  end
end
redis.call('SET', KEYS[names], '1')
"""

#: The n-th is a script that brings a namespace from schema n to n + 1; it finds the keys of ``SpaceKeys`` in KEYS, and
#: after them what they were called before schema 3. Only ever add to them: namespaces that stand in the world have run
#: the earlier ones.
MIGRATIONS: Final[tuple[str, ...]] = (
    "-- threads and users get keys of their own, and steps one line more: nothing changes that is there",
    _RENAMED,
)

_MIGRATE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {'done'}
end
%s
redis.call('SET', KEYS[1], ARGV[2])
return {'done'}
"""

#: URLs of which this process has said what they promise.
_told: set[str] = set()


def schema() -> int:
    """The present one. The first is 1."""
    return len(MIGRATIONS) + 1


async def introduce(server: Server, namespace: str) -> None:
    """Refuse a server that is too old and a namespace that is too new; migrate an older one; warn of what may be lost.

    Leaves an empty namespace untouched: its first definition says which schema it has.
    """
    space = space_keys(namespace)
    kept, is_filling, info, persistence, memory = await server.look(
        ("GET", space.schema),
        ("EXISTS", space.filling),
        ("INFO", "server"),
        ("CONFIG", "GET", "append*"),
        ("CONFIG", "GET", "maxmemory*"),
        but=RedisError,
    )
    if isinstance(kept, RedisError):
        (kept,) = await server.look(("GET", space.schema))  # says what is wrong
    refuse_old(info if isinstance(info, str) else "", server.url)
    if kept is not None:
        await _migrate(server, space, former_space_keys(namespace), kept)
        if is_filling or int(kept) < schema():
            await _fill_in(server, namespace, kept)
    if server.url not in _told:
        _told.add(server.url)
        settings = [*_list(persistence), *_list(memory)]
        for warning in risks(dict(zip(settings[::2], settings[1::2], strict=True))):
            logger.warning("the store %s %s", server.url, warning, extra={"action": "store_risk", "store": server.url})


def refuse_old(info: str, url: str) -> None:
    """A server that hides how old it is may try."""
    found = re.search(r"redis_version:(\d+)\.(\d+)\S*", info)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        version = found[0].partition(":")[2]
        raise StoreUnavailable(f"the Redis server at {url} has version {version}, and 6.2 or newer is needed")


def risks(settings: Mapping[str, str]) -> list[str]:
    """What a server with these settings may lose, each with what to set."""
    found = []
    match settings.get("appendonly"), settings.get("appendfsync"):
        case None, _:
            found.append(
                "does not tell how it keeps data (CONFIG is not allowed): whether a power loss costs acknowledged "
                "steps depends on its appendonly and appendfsync"
            )
        case "no", _:
            found.append(
                "keeps data in memory only (appendonly is no): a restart or a power loss can cost every step since its "
                "last snapshot; set `appendonly yes` and `appendfsync always`"
            )
        case _, "everysec":
            found.append(
                "syncs once a second (appendfsync is everysec): a power loss can cost about the last second of "
                "acknowledged steps; set `appendfsync always` where that is too much"
            )
        case _, "no":
            found.append(
                "leaves syncing to the system (appendfsync is no): a power loss can cost about half a minute of "
                "acknowledged steps; set `appendfsync always`, or `everysec`"
            )
    policy = settings.get("maxmemory-policy", "")
    if policy.startswith("allkeys") and settings.get("maxmemory") != "0":
        found.append(f"throws agents away when it is full (maxmemory-policy is {policy}); set it to noeviction")
    return found


async def _migrate(server: Server, space: SpaceKeys, former: SpaceKeys, kept: str) -> None:
    if not kept.isdecimal():
        raise StoreCorrupt(f"the key {space.schema} at {server.url} is not of fsm-agent; choose another namespace")
    if int(kept) > schema():
        raise StoreTooNew(
            f"the store {server.url} has schema version {kept} here, and this fsm-agent knows versions up to "
            f"{schema()}; upgrade fsm-agent"
        )
    for version in range(int(kept), schema()):
        script = of_source(_MIGRATE % MIGRATIONS[version - 1])
        await server.write(Call(script, (*space, *former), (str(version), str(version + 1))))


async def _fill_in(server: Server, namespace: str, version: str) -> None:
    """What agents are found by, if it is new. Whoever comes before that is done helps with it: until then lists would
    leave agents out. It may have broken off: ``filling`` says so, whatever the version is."""
    space = space_keys(namespace)
    (is_filling,) = await server.look(("EXISTS", space.filling))
    if is_filling:

        async def write(call: Call) -> Sequence[Any]:
            answer: Sequence[Any] = await server.write(call)
            return answer[1:]

        filled = await fill(server.look, write, namespace)
        await server.write(Call(of_source("redis.call('DEL', KEYS[1])\nreturn {'done'}"), (space.filling,), ()))
        facts = {"action": "store_upgraded", "from_version": int(version), "indexed": filled}
        where = f"namespace {namespace!r} of the store {server.url}"
        logger.info("%s was upgraded from schema version %s", where, version, extra=facts)


def _list(answer: Sequence[str] | RedisError) -> Sequence[str]:
    return () if isinstance(answer, RedisError) else answer
