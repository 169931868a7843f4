"""A conversation over several days, with several people; ``python -m examples.chat`` plays one."""
