"""Driving agents: what the rules ask for is done here, with stores, actions and clocks."""

import logging

# The library tells of each transition that it tries, and warns of what is our own business.
logging.getLogger("transitions").setLevel(logging.ERROR)
