"""Workflows as machines of XState v5, in the JSON that its ``createMachine`` takes, and the other way round. Pure.

| here | in XState |
|---|---|
| state, initial, final, description | the same |
| event, and its transitions under ``on`` | the same; a target is written as ``#workflow.path`` |
| ``event: null`` | ``{}``: a transition that goes nowhere and does nothing |
| guard, assign, append | the name of a guard or of an action: its CEL, which somebody has to write anew in JavaScript |
| timer | a delay in milliseconds |
| ``do`` | an actor that is invoked, and sends the event that the action would name |
| defaults of data | ``context`` |

What neither can say of the other is left out, and each thing that is left out is a ``Loss``.

A transition that stands in a parent leaves less here than there: what the leaf and the target have in common stays.
Where that makes a difference, ``exporter`` gives each leaf a transition of its own (``domains`` tells where).
"""
