"""What changed between two versions of a workflow, and what that means. Pure.

``compare`` in ``difference`` is the only entry; every renderer takes the ``Difference`` that it returns. Module by
module:

1. ``matching`` says which state is which, and ``renaming`` gives the old version the new names. From then on, both
   versions are compared under these names.
2. ``alignment`` says which transition and which timer is which.
3. ``examples`` decides both versions over the same values, and finds values for which they differ.
4. ``meaning`` compares, leaf by leaf, what is inherited and what is not: where that is equal, nothing was changed but
   the writing.
5. ``transitions``, ``states`` and ``declarations`` make the rows of the list; ``properties`` and ``agents`` say what
   becomes of what must hold, and of who lives.
"""
