"""How many examples random tests try: few by default, many with ``FSM_AGENT_PROOFS=long``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

IS_LONG = os.environ.get("FSM_AGENT_PROOFS") == "long"


def example_settings(examples: int) -> settings:
    """Settings for ``examples`` examples, forty times as many in the long run."""
    return settings(
        max_examples=examples * 40 if IS_LONG else examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
