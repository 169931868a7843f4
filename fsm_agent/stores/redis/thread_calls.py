"""What is said and remembered, as calls of scripts and parts of them."""

from __future__ import annotations

from collections.abc import Sequence

from fsm_agent.domain.message import Message, is_own
from fsm_agent.domain.record import AppendedMessages
from fsm_agent.domain.user import UserRecord
from fsm_agent.stores.redis import rows
from fsm_agent.stores.redis.keys import SpaceKeys, thread_key
from fsm_agent.stores.redis.resp import Command
from fsm_agent.stores.redis.scripts import Call, script

#: Before the names of threads and of users in ``SpaceKeys.named``.
_THREAD, _USER = "t", "u"


def appended_texts(appended: AppendedMessages) -> Sequence[str]:
    """What ``commit`` is told of a thread."""
    name = "" if is_own(appended.thread) else _THREAD + appended.thread
    return (name, str(len(appended.messages)), *map(rows.message_text, appended.messages))


def remembered(user: UserRecord | None) -> Sequence[str]:
    """A user, the version that was seen of him, and what he becomes; empty texts for nobody."""
    return ("", "", "") if user is None else (user.name, str(user.version - 1), rows.user_text(user))


def reading(namespace: str, thread: str, after: int, upto: int | None, limit: int | None, *, newest: bool) -> Call:
    bounds = (str(after), "" if upto is None else str(upto), "" if limit is None else str(limit))
    return Call(script("messages"), (thread_key(namespace, thread),), (*bounds, str(int(newest))))


def appending(namespace: str, space: SpaceKeys, schema: int, thread: str, messages: Sequence[Message]) -> Call:
    keys = (space.schema, space.named, thread_key(namespace, thread))
    return Call(script("append"), keys, (str(schema), _THREAD + thread, *map(rows.message_text, messages)))


def revising(namespace: str, thread: str, messages: Sequence[Message]) -> Call:
    texts = [text for each in messages for text in (str(each.number), rows.message_text(each))]
    return Call(script("revise"), (thread_key(namespace, thread),), texts)


def retracting(namespace: str, thread: str, after: int, upto: int | None) -> Call:
    return Call(script("retract"), (thread_key(namespace, thread),), (str(after), "" if upto is None else str(upto)))


def saving_user(space: SpaceKeys, schema: int, user: UserRecord) -> Call:
    return Call(script("save_user"), (space.schema, space.users, space.named), (str(schema), *remembered(user)))


def listing_threads(space: SpaceKeys, limit: int, after: str | None) -> Command:
    return _listing(space, _THREAD, limit, after)


def listing_users(space: SpaceKeys, limit: int, after: str | None) -> Command:
    return _listing(space, _USER, limit, after)


def _listing(space: SpaceKeys, start: str, limit: int, after: str | None) -> Command:
    return ("ZRANGEBYLEX", space.named, f"({start}{after or ''}", f"({chr(ord(start) + 1)}", "LIMIT", 0, limit)
