"""Amounts of money in words."""

from __future__ import annotations


def dollars(micros: int) -> str:
    """``$0.0123``: two decimals, and more if they are significant."""
    whole, _, rest = f"{micros / 1_000_000:.6f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"
