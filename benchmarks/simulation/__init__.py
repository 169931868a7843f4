"""Workers in virtual time: the real `Worker`, `Claims` and `take` on a store in memory, whose delays are modelled.

A run is made by its seed alone: no clock of this machine and no other process has a part in it.
"""
