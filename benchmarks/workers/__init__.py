"""Workers: several processes that drive the agents of one store."""
