"""Threads for other libraries. Each module imports one of them, and nobody else does."""
