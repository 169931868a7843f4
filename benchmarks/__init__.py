"""What the promises cost: each row a ratio against the bare minimum, measured in one interleaved run."""
