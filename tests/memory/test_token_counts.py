"""Tokens: estimated above what tokenizers say, counted exactly, corrected by what a provider reports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.message import Message, Role
from fsm_agent.domain.usage import NO_USAGE, Usage
from fsm_agent.errors import ActionError
from fsm_agent.memory.token_counts import corrected, estimate, estimate_text, exact, remembering, scale_of
from tests.support.conversations import by_length, call, result
from tests.support.texts import CODE, ENGLISH, LANGUAGES, MATTER

ENCODINGS = ("o200k_base", "cl100k_base")
SAMPLES = {**{text[:20]: text for text in ENGLISH}, **LANGUAGES, **MATTER, **CODE}


@cache
def encode(encoding: str) -> Callable[[str], list[int]]:
    import bpe_openai  # reads its vocabularies, which takes a second

    encode: Callable[[str], list[int]] = bpe_openai.get_encoding(encoding).encode_ordinary
    return encode


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", SAMPLES)
def test_an_estimate_is_never_below_the_tokens_of_ordinary_text(name: str, encoding: str) -> None:
    text = SAMPLES[name]
    for part in (text, text[: len(text) // 2], text[len(text) // 3 :], f"{text}\n\n{text}"):
        assert estimate_text(part) >= len(encode(encoding)(part)), part


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_estimate_of_ordinary_english_is_not_far_above(encoding: str) -> None:
    text = " ".join(ENGLISH)
    assert estimate_text(text) <= 2.25 * len(encode(encoding)(text))
    assert estimate_text("\n".join(CODE.values())) <= 2.25 * len(encode(encoding)("\n".join(CODE.values())))


@given(st.text())
def test_an_estimate_of_any_text_is_at_most_a_token_a_byte(text: str) -> None:
    assert bool(text) <= estimate_text(text) <= len(text.encode(errors="replace"))


@pytest.mark.parametrize("text", ["a" * 1_000_000, "aB" * 500_000, "é" * 500_000, " " * 1_000_000, "=-" * 500_000])
def test_a_text_of_a_megabyte_is_counted_in_one_go(text: str) -> None:
    assert 0 < estimate_text(text) <= len(text.encode())
    assert exact()(Message(Role.USER, text)) > 0


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_exact_count_is_that_of_the_vocabulary_with_the_frame_of_a_message(encoding: str) -> None:
    count = exact(encoding)
    assert count(Message(Role.USER, ENGLISH[0])) == 4 + len(encode(encoding)(ENGLISH[0]))
    assert count(Message(Role.USER)) == 4
    assert count(Message(Role.USER, "<|endoftext|>")) > 5, "what looks like a token of its own is text"


@pytest.mark.parametrize("count", [estimate, exact()], ids=["estimate", "exact"])
def test_names_calls_and_results_count_too(count: Callable[[Message], int]) -> None:
    bare = count(Message(Role.USER, "hi"))
    assert count(Message(Role.USER, "hi", by="ana")) > bare
    assert count(call("c1", content="hi")) > bare + count(Message(Role.USER, "find c1"))
    assert count(result("c1", content="word " * 100)) > 100


@given(st.text(max_size=200), st.sampled_from(list(Role)))
def test_a_counter_counts_every_message(text: str, role: Role) -> None:
    message = Message(role, text)
    assert exact()(message) >= 4
    assert estimate(message) >= 4


def test_what_the_provider_reports_corrects_a_counter_within_bounds() -> None:
    message = Message(Role.USER, "x" * 10)
    assert corrected(by_length, 1_000)(message) == 10
    assert corrected(by_length, 1_234)(message) == 13, "rounded up"
    assert corrected(by_length, 1)(message) == 5
    assert corrected(by_length, 9_999)(message) == 30
    assert scale_of(Usage(context_tokens=800, estimated_tokens=1_000)) == 800
    assert scale_of(Usage(context_tokens=1_001, estimated_tokens=3_000)) == 334
    assert scale_of(NO_USAGE) == scale_of(Usage(context_tokens=5)) == 1_000


def test_a_counter_that_remembers_asks_once_for_each_message() -> None:
    asked: list[Message] = []
    count = remembering(lambda message: asked.append(message) or len(asked))  # type: ignore[func-returns-value]
    one, two = Message(Role.USER, "same"), Message(Role.USER, "same"[:])
    assert (count(one), count(one), count(two), count(one)) == (1, 1, 1 if one is two else 2, 1)


def test_an_unknown_encoding_is_refused_with_those_there_are() -> None:
    with pytest.raises(ActionError, match=r"^no encoding 'o2' is known; there are .*o200k_base"):
        exact("o2")


def test_without_the_extra_it_is_named() -> None:
    probe = (
        "import sys; sys.modules['bpe_openai'] = None\n"
        "from fsm_agent.memory.token_counts import exact, estimate\n"
        "try:\n    exact()\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert said == (
        "ActionError exact counts of tokens need the extra `tokens`: pip install 'fsm-agent[tokens]'; without it, "
        "`estimate` counts\n"
    )


def test_a_conversation_imports_no_vocabulary() -> None:
    probe = "import sys, fsm_agent.memory.conversation; print('bpe_openai' in sys.modules, 'pydantic' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert said == "False False\n"
