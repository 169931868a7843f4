"""Proofs: random workflows against a second opinion, crashes everywhere, kills, mutated files, mutated code."""
