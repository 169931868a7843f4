"""Forms made from JSON Schemas: what a person fills in becomes the payload of an event.

``fields`` makes a tree of fields of a schema, ``filled`` gives the texts that its controls hold, ``render`` makes HTML
of both, and ``read`` turns what a browser sends back into a payload, with a problem for each field that is wrong.

Nothing needs a script. What was typed is kept as texts (``Typed``) from the request to the next page, whatever is wrong
with it; a control that could not hold a text gives way to one that can.
"""
