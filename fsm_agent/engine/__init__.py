"""How a step happens: rules as generators of effects, with no I/O, no clock and no randomness."""
