"""Other libraries that keep agents, doing the same work on the same servers, each in a process of an environment of
their own (``requirements.txt``). What is configured, and why, stands in the script of each."""
