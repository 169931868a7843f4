"""The body of a form that was sent: its names and texts."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

CONTENT_TYPE: Final = "application/x-www-form-urlencoded"
#: bytes, and names, of the largest form that is read
MAX_BODY: Final = 1_000_000
MAX_NAMES: Final = 10_000


class BodyInvalid(ValueError):
    """A body that no browser would have made of one of our forms."""


def pairs_of(body: bytes) -> list[tuple[str, str]]:
    """The names and texts of a body, in their order. Raises ``BodyInvalid`` with a sentence."""
    if len(body) > MAX_BODY:
        raise BodyInvalid(f"the form has {len(body):,} bytes, and may have {MAX_BODY:,}")
    if body.count(b"&") >= MAX_NAMES:
        raise BodyInvalid(f"the form has more than {MAX_NAMES:,} fields")
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise BodyInvalid("the form is not UTF-8 text in percent-encoding") from None
