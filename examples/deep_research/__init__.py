"""A library of notes, and what a model might say about it."""
