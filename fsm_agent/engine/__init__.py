"""How a step happens. Rules alone: nothing in this package reads a clock, waits, or touches a store or an action.

**A rule is a generator of commands.** Where it needs to know or to do something, it yields a command (``commands``) and
goes on with the reply: ``record = yield Load("agent-1")``. Whoever steps the generator does what it asks for: the
runtime with real stores and actions, ``fsm_agent.testing.drive`` with a script and a clock of its own, a property test
with a dictionary. So a rule is tested in milliseconds, and a crash can be tried between any two commands.

**A step** is made in four moves, whoever is the cause (a person, an action, a timer):

1. *Read.* ``transaction`` loads the agent and makes it an aggregate (``aggregate``): head, data, and what is changed.
2. *Decide.* ``machine`` looks the event up in the table of the workflow and asks the guards. It changes nothing.
3. *Apply.* ``steps`` makes the changes of the transition: assigns, one look at the schema, exit, entry, timers.
4. *Commit.* One command with the whole step. The store takes it only if nobody has made a step since the reading; if
   somebody has, the flow begins again at 1.

**Driving** (``drive``) asks after each step what comes next: call the action of the state (``activation``), take a
timer that is due, take what is queued, or rest. ``fast_path`` is a short cut for an agent of which nothing but work is
expected, and is held equal to the general path by a property test.

**What comes from outside** has a module each: ``start``, ``delivery`` (events and answers), ``unpark``, and those of
``migration`` and ``replay``. ``effects`` has the rules of ``ctx.effect``: begin on record, do, record the result.
"""
