"""Wake-ups through Temporal: one workflow there for each agent that has work now or soon. It keeps no agent."""
