"""The HTTP server: a door for programs and for people with a browser. Importing this package imports no web library."""
