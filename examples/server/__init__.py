"""A server with agents of the gallery in all states: ``make demo-server``."""
