"""How many tokens a message takes: estimated, exactly, or as the provider's figures correct it.

Vocabularies differ and weigh a lot, so the estimate uses none: it goes by the kinds of characters, and was fitted to
stay above what tokenizers say of ordinary text; ``tests/memory/test_token_counts.py`` tries forty languages, code and
data. An estimate that is too high leaves the window not quite full. One that is too low would get the request refused.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias

from fsm_agent.domain.json import Json
from fsm_agent.domain.message import Message
from fsm_agent.domain.text import listed
from fsm_agent.domain.usage import Usage
from fsm_agent.errors import ActionError

#: What a message takes, its role and its parts included.
Counter: TypeAlias = Callable[[Message], int]

#: what a provider puts around each message: where it begins and ends, and whose it is
_FRAME: Final = 4
#: what a part takes beside its text
_PART_FRAME: Final = 8
#: types of parts that no model is sent: their words stand in the message itself
_UNSENT: Final = ("langchain", "openai_agents")

_WORD: Final = re.compile(r"[A-Z]?[a-z]+")
#: keys, hashes, base64: no vocabulary has such words
_DENSE: Final = re.compile(r"(?=[a-z]{0,15}[A-Z0-9])[A-Za-z0-9+/]{16,}")
_CAPITALS: Final = re.compile(r"[A-Z]+(?![a-z])")
#: some tokenizers take three digits at once, others one
_DIGIT: Final = re.compile(r"[0-9]")
_SIGNS: Final = re.compile(r"([\x00-\x08\x0e-\x1f!-/:-@\[-`{-\x7f])\1*")
#: a blank before a word is part of its token
_BLANKS: Final = re.compile(r"\s{2,}|[\t-\r]| (?=[0-9]|$)")

#: tokens of a word by its length; longer ones take one more for every two letters
_OF_WORD: Final = (0, 1, 1, 1, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6)
#: From this code point on a character takes so many hundredths of a token. Scripts that few people write are spelled
#: out byte by byte.
_SCRIPTS: Final = (
    (0x80, 150),  # Latin with accents
    (0x370, 140),  # Greek
    (0x400, 115),  # Cyrillic
    (0x460, 200),  # letters that few languages have
    (0x530, 220),  # Armenian
    (0x590, 140),  # Hebrew, Arabic
    (0x700, 250),
    (0x900, 160),  # Devanagari, Bengali
    (0xA00, 250),  # other scripts of India and its neighbours
    (0xE00, 150),  # Thai
    (0xE80, 300),  # Lao to Khmer
    (0x1E00, 200),  # Vietnamese
    (0x1F00, 250),
    (0x2010, 150),  # quotation marks and dashes
    (0x2027, 300),  # signs
    (0x3000, 150),  # Chinese, Japanese
    (0xA000, 300),
    (0xAC00, 150),  # Korean
    (0xD7B0, 300),
    (0xFF00, 200),
    (0x10000, 400),  # emoji
)
_FIRSTS: Final = tuple(first for first, _ in _SCRIPTS)
#: a short text may be an unlucky one
_SLACK: Final = 2
#: longer texts are encoded piece by piece
_PIECE: Final = 100_000


def estimate(message: Message) -> int:
    """The tokens of a message, estimated from above without a vocabulary."""
    return _count(message, estimate_text)


def estimate_text(text: str) -> int:
    """Never more than one token a byte, which is the worst that any tokenizer does."""
    tokens = _SLACK + sum(_of_word(len(word)) for word in _WORD.findall(text))
    tokens += sum((2 * len(word) + 2) // 3 for word in _CAPITALS.findall(text))
    tokens += sum(len(run) // 7 for run in _DENSE.findall(text))
    tokens += len(_DIGIT.findall(text))
    tokens += sum(1 + (run.end() - run.start() - 1) // 3 for run in _SIGNS.finditer(text))
    tokens += sum(len(run) if len(run) < 3 else 2 + len(run) // 8 for run in _BLANKS.findall(text))
    if text.isascii():
        return min(tokens, len(text))
    hundredths = sum(_of_character(ord(each)) * times for each, times in Tally(text).items() if not each.isascii())
    return min(tokens + -(-hundredths // 100), len(text.encode(errors="replace")))


def _of_word(length: int) -> int:
    longest = len(_OF_WORD) - 1
    return _OF_WORD[length] if length <= longest else _OF_WORD[-1] + (length - longest + 1) // 2


def _of_character(code: int) -> int:
    return _SCRIPTS[bisect_right(_FIRSTS, code) - 1][1]


def exact(encoding: str = "o200k_base") -> Counter:
    """What the models count that use this vocabulary, offline. Raises ``ActionError`` without the extra ``tokens``,
    and for an encoding that is unknown.

    Of parts it counts the JSON: how a provider words tool calls is not told, and takes no more than that.
    """
    encode = _vocabulary(encoding)

    def count_text(text: str) -> int:
        return sum(len(encode(text[at : at + _PIECE])) for at in range(0, len(text), _PIECE))

    def count(message: Message) -> int:
        return _count(message, count_text)

    return count


@cache
def _vocabulary(encoding: str) -> Callable[[str], Sequence[int]]:
    try:
        import bpe_openai
    except ImportError:
        raise ActionError(
            "exact counts of tokens need the extra `tokens`: pip install 'fsm-agent[tokens]'; without it, `estimate` "
            "counts"
        ) from None
    known: list[str] = bpe_openai.list_encoding_names()
    if encoding not in known:
        raise ActionError(f"no encoding {encoding!r} is known; there are {listed(known)}")
    encode: Callable[[str], Sequence[int]] = bpe_openai.get_encoding(encoding).encode_ordinary
    return encode


def corrected(counter: Counter, scale_permille: int) -> Counter:
    """A counter that is corrected for a model by the figures of its provider: ``counter`` times ``scale_permille`` /
    1000, rounded up. The scale is kept between 0.5 and 3, since vocabularies do not differ by more."""
    scale = min(max(scale_permille, 500), 3_000)

    def count(message: Message) -> int:
        return -(-counter(message) * scale // 1_000)

    return count


def scale_of(usage: Usage) -> int:
    """How much larger the last request was than estimated, in thousandths; 1000 if unknown."""
    if usage.context_tokens < 1 or usage.estimated_tokens < 1:
        return 1_000
    return -(-usage.context_tokens * 1_000 // usage.estimated_tokens)


def remembering(counter: Counter) -> Counter:
    """The same counter, which counts each message object only once."""
    known: dict[int, tuple[Message, int]] = {}  # with the message, or its id might be another's soon

    def count(message: Message) -> int:
        found = known.get(id(message))
        if found is None:
            found = known[id(message)] = (message, counter(message))
        return found[1]

    return count


def _count(message: Message, count_text: Callable[[str], int]) -> int:
    tokens = _FRAME + count_text(message.content)
    if message.by:
        tokens += 1 + count_text(message.by)
    sent = (part for part in message.parts if part.get("type") not in _UNSENT)
    return tokens + sum(_PART_FRAME + count_text(_written(part)) for part in sent)


def _written(part: Mapping[str, Json]) -> str:
    return json.dumps(part, ensure_ascii=False, separators=(",", ":"), default=str)
