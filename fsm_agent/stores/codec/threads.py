"""Messages and users as rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.user import UserRecord
from fsm_agent.errors import StoreCorrupt
from fsm_agent.stores.codec.json_text import decode, encode
from fsm_agent.stores.codec.times import check_time

_ROLE_NUMBER: Final[Mapping[Role, int]] = {
    Role.SYSTEM: 1,
    Role.USER: 2,
    Role.ASSISTANT: 3,
    Role.TOOL: 4,
    Role.SUMMARY: 5,
}
_ROLE: Final = {number: role for role, number in _ROLE_NUMBER.items()}


class MessageRow(NamedTuple):
    """All of a message but its number, which the thread gives it. ``content`` is JSON text like any other."""

    role: int
    at_ms: int
    tokens: int
    covers: int
    by: str | None
    content: str
    parts: str | None


def message_row(message: Message) -> MessageRow:
    return MessageRow(
        _ROLE_NUMBER[message.role],
        message.at_ms,
        message.tokens,
        message.covers,
        message.by,
        encode(message.content),
        encode([dict(part) for part in message.parts]) if message.parts else None,
    )


def message_rows(messages: Iterable[Message]) -> list[MessageRow]:
    return [message_row(message) for message in messages]


def message_of(number: int, row: Sequence[Any]) -> Message:
    """The message of a ``MessageRow``."""
    role, at_ms, tokens, covers, by, content, parts = row
    if not (type(at_ms) is type(tokens) is type(covers) is int):
        raise StoreCorrupt("a message has text where a number should be")
    check_time(f"message {number}", at_ms)
    return Message(
        role=_ROLE[role],
        content=decode(content),
        parts=tuple(decode(parts)) if parts else (),
        tokens=tokens,
        at_ms=at_ms,
        by=by,
        covers=covers,
        number=number,
    )


def user_row(user: UserRecord) -> tuple[int, int, str]:
    """Version, time, values."""
    return (user.version, user.updated_ms, encode(dict(user.values)))


def user_of(name: str, row: Sequence[Any]) -> UserRecord:
    version, updated_ms, values = row
    user = UserRecord(name, version, decode(values), updated_ms)
    if (type(version), type(user.values), type(updated_ms)) != (int, dict, int):
        raise StoreCorrupt("it is not two numbers and an object")
    check_time("updated_ms", updated_ms)
    return user
