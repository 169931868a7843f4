"""The HTTP API: one table of operations makes the routes, the checks of requests and the OpenAPI document."""
