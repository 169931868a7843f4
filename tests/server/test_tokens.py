"""Tokens of the server: what one is, and how it is written and read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_agent.domain.state import Duration
from fsm_agent.errors import FsmAgentError
from fsm_agent.server.tokens import PREFIX, Scope, Token, content_of, digest_of, new_token, read_tokens

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ENTRY = {
    "name": "ana",
    "namespaces": ["default"],
    "scopes": ["read"],
    "created": "2026-11-30T12:00:00+00:00",
    "expires": None,
    "digest": "a" * 64,
}

NAMES = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=128)
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(9000, 1, 1), timezones=st.one_of(st.just(UTC), ZONES))  # noqa: DTZ001
TOKENS = st.builds(
    Token,
    name=NAMES.filter(str.strip).filter(str.isprintable),
    namespaces=st.lists(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True), min_size=1, unique=True
    ).map(tuple),
    scopes=st.frozensets(st.sampled_from(Scope), min_size=1),
    created=TIMES,
    expires=st.none() | TIMES,
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def written(**changes: Any) -> bytes:
    """A file with one token that has these fields instead."""
    return json.dumps({"version": 1, "tokens": [{**ENTRY, **changes}]}).encode()


def test_a_secret_has_256_random_bits_behind_a_prefix_and_only_its_digest_is_kept() -> None:
    made = [new_token("ana", scopes=["read"], now=NOW) for _ in range(20)]
    assert len({each.secret for each in made}) == 20
    for token, secret in made:
        assert secret.startswith(PREFIX)
        assert len(base64.urlsafe_b64decode(f"{secret.removeprefix(PREFIX)}=")) == 32
        assert token.digest == digest_of(secret)
        assert secret.removeprefix(PREFIX) not in content_of([token]).decode()


def test_a_token_has_exactly_the_scopes_that_were_given_and_one_namespace_unless_more_are_said() -> None:
    token = new_token("ana", scopes=["operate"], now=NOW).token
    assert (token.scopes, token.namespaces, token.created, token.expires) == ({Scope.OPERATE}, ("default",), NOW, None)
    wide = new_token("bob", scopes=["admin", "admin"], namespaces=["north", "south", "north"], now=NOW).token
    assert (wide.scopes, wide.namespaces) == (frozenset({Scope.ADMIN}), ("north", "south"))


def test_a_token_expires_at_the_very_moment_that_it_says() -> None:
    token = new_token("ana", scopes=["read"], lifetime=Duration.parse("12h"), now=NOW).token
    end = NOW + timedelta(hours=12)
    assert token.expires == end
    assert [token.is_expired(end + timedelta(milliseconds=each)) for each in (-1, 0, 1)] == [False, True, True]
    assert not new_token("ana", scopes=["read"], now=NOW).token.is_expired(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"name": ""}, "'' names no token: write 1 to 128 printable characters, and not only blanks"),
        ({"name": "  "}, "'  ' names no token: "),
        ({"name": "a\nb"}, r"'a\nb' names no token: "),
        ({"name": "a\u202eb"}, r"'a\u202eb' names no token: "),
        ({"name": "\ud800"}, r"'\ud800' names no token: "),
        ({"name": "a" * 129}, "names no token: "),
        ({"scopes": []}, "the scopes of a token must be a list of at least one text"),
        ({"scopes": "read"}, "the scopes of a token must be a list of at least one text"),
        ({"scopes": ["reed"]}, "no scope 'reed' (did you mean `read`?); there are read, answer, operate, admin"),
        ({"namespaces": []}, "the namespaces of a token must be a list of at least one text"),
        ({"namespaces": ["a b"]}, "namespace 'a b' is not allowed: write 1 to 128 letters, digits"),
        ({"lifetime": Duration.parse("0s")}, "a token that expires after 0s could never be used"),
        ({"lifetime": Duration.parse("999999999999d")}, "no date is 999999999999d away: give less"),
    ],
    ids=str,
)
def test_what_no_token_can_be_is_refused_with_what_is_allowed(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FsmAgentError) as refused:
        new_token(**{"name": "ana", "scopes": ["read"], "now": NOW, **given})
    assert sentence in str(refused.value)


def test_the_longest_name_and_any_script_are_allowed() -> None:
    for name in ("a" * 128, "Ana María", "王小明", "build-bot@ci"):
        assert new_token(name, scopes=["read"], now=NOW).token.name == name


@given(st.lists(TOKENS, max_size=5, unique_by=(lambda each: each.name, lambda each: each.digest)))
def test_what_is_written_is_read_as_it_was(tokens: list[Token]) -> None:
    assert read_tokens(content_of(tokens)) == tuple(tokens)


@given(st.sampled_from([*ENTRY, "more"]), JSON)
def test_any_value_in_any_field_is_a_token_or_an_error_of_ours(field: str, value: Any) -> None:
    try:
        [token] = read_tokens(written(**{field: value}))
    except FsmAgentError:
        return
    assert read_tokens(content_of([token])) == (token,)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_other_file_is_an_error_of_ours(content: bytes) -> None:
    with pytest.raises(FsmAgentError):
        read_tokens(content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it is no JSON document"),
        (b"\xff", "it is no JSON document"),
        (b"[" * 100_000, "it is no JSON document"),
        (b"[]", 'it must be {"version": 1, "tokens": [...]}'),
        (b'{"version": 1, "tokens": [], "token": []}', 'it must be {"version": 1, "tokens": [...]}'),
        (b'{"version": 2, "tokens": []}', "it has version 2, and this fsm-agent reads version 1"),
        (written(scope=1), "each must have name, namespaces, scopes, created, expires, digest, and nothing else"),
        (written(name=7), "7 names no token"),
        (written(scopes=["raed"]), "there is no scope 'raed' (did you mean `read`?)"),
        (written(scopes=[["read"]]), "the scopes of a token must be a list of at least one text"),
        (written(namespaces="default"), "the namespaces of a token must be a list of at least one text"),
        (written(namespaces=["../x"]), "namespace '../x' is not allowed"),
        (written(created="today"), "created is 'today', and must be a time such as 2027-01-31T12:00:00+00:00"),
        (written(expires="2027-01-31T12:00:00"), "expires is '2027-01-31T12:00:00', and must be a time such as"),
        (written(expires="0001-01-01T00:00:00+14:00"), "expires is '0001-01-01T00:00:00+14:00', and must be a time"),
        (written(digest="A" * 64), "a digest must be the SHA-256 of a secret, in 64 hex digits"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_mistake_in_a_file_is_named(content: bytes, sentence: str) -> None:
    with pytest.raises(FsmAgentError) as refused:
        read_tokens(content)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(("what", "other"), [("name", {"digest": "b" * 64}), ("digest", {"name": "bob"})])
def test_no_two_tokens_have_the_same_name_or_digest(what: str, other: dict[str, str]) -> None:
    content = json.dumps({"version": 1, "tokens": [ENTRY, {**ENTRY, **other}]}).encode()
    with pytest.raises(FsmAgentError, match=f"two of them have the same {what}"):
        read_tokens(content)
