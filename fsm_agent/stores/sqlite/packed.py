"""Long texts, deflated: what an agent begins with is kept as long as its history, and most agents only wait.

Only first steps are packed. What is written at every step stays text, since deflating costs more than it saves there.
"""

from __future__ import annotations

from typing import Final

from fsm_agent.errors import StoreCorrupt

#: What is shorter gains next to nothing.
_WORTH_IT: Final = 256


def pack(text: str | None) -> str | bytes | None:
    """``text`` as it is kept: as bytes if that is shorter."""
    if text is None or len(text) < _WORTH_IT:
        return text
    import zlib

    plain = text.encode()
    deflated = zlib.compress(plain)
    return deflated if len(deflated) < len(plain) else text


def unpack(kept: str | bytes | None) -> str | None:
    """What ``pack`` was given; raises ``StoreCorrupt`` if that cannot be told any more."""
    if not isinstance(kept, bytes):
        return kept
    import zlib

    try:
        return zlib.decompress(kept).decode()
    except (zlib.error, ValueError) as error:
        raise StoreCorrupt(f"what a store keeps of a step is damaged ({error}): restore a backup") from error
