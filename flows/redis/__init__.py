"""Redis beside the other ends of a flow; feedback from it."""
