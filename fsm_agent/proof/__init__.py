"""Proofs: whether a workflow keeps its properties, over all of its reachable states. Pure.

``prove`` in ``prover`` is the only entry. What it does, module by module:

1. ``slots`` says what guards look at: each thing that they compare is a slot, with finitely many cells of values.
2. ``conditions`` and ``writes`` say what guards and transitions do to what is known of the slots; ``space`` holds both.
3. ``explore`` finds every state that can be reached, and every step between two of them.
4. ``rules`` has an automaton for each rule that something must never happen; ``liveness`` sees whether what must
   happen does, and ``deadlines`` how long that takes at most.

What is explored can do everything that an agent can do, and perhaps more. So a rule that holds there holds. A rule that
is broken there is broken by an agent only if each step of the path is certain; else the verdict is open.

Control comes first: without any slot the states are few, and most rules hold whatever the data are. Only rules that
fail there are looked at again with data.
"""
