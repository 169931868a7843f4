"""How many examples a property test tries: few in `make check`, many in `make prove`."""

from __future__ import annotations

import os
from fractions import Fraction

from hypothesis import HealthCheck, settings

_PROOFS = os.environ.get("FSM_AGENT_PROOFS")
_FACTOR = {"quick": Fraction(1, 5), "long": Fraction(40)}

IS_LONG = _PROOFS == "long"


def example_settings(examples: int) -> settings:
    """Settings for ``examples`` examples in `make test`: a fifth as many in `make check`, forty times as many in the
    long run."""
    return settings(
        max_examples=int(examples * _FACTOR.get(_PROOFS or "", 1)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
