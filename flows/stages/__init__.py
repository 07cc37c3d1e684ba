"""The logic of the flow's keyed steps, plain and without the engine."""
