"""The page: what people see of agents and answer, made on the server; a script only keeps it up to date."""
