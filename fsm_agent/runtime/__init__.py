"""The runtime drives agents: it performs the commands of the engine with stores, actions and clocks."""

import logging

# The library logs each transition that it tries, and warns of things that we decide ourselves.
logging.getLogger("transitions").setLevel(logging.ERROR)
