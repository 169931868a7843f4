"""An engine is chosen by its URL, and a URL that leads nowhere is one sentence."""

from __future__ import annotations

import pytest

from fsm_agent.engines import open_engine
from fsm_agent.errors import ArgumentInvalid, EngineUrlInvalid, StoreUrlInvalid


@pytest.mark.parametrize("url", ["locl://", "local", "", "://", "nats://user:secret@host"])
def test_an_unknown_scheme_is_refused_and_the_known_ones_are_named(url: str) -> None:
    with pytest.raises(EngineUrlInvalid, match=r"has no known scheme.*; known: .*local://") as caught:
        open_engine(url)
    assert "secret" not in str(caught.value)


def test_a_scheme_that_is_almost_right_is_suggested() -> None:
    with pytest.raises(EngineUrlInvalid, match="did you mean `local://`"):
        open_engine("locl://")


def test_a_namespace_that_no_store_can_have_is_refused() -> None:
    with pytest.raises(StoreUrlInvalid, match="namespace 'a b' is not allowed"):
        open_engine("local://", namespace="a b")


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ArgumentInvalid, match="url must be"):
        open_engine(None)  # type: ignore[arg-type]
