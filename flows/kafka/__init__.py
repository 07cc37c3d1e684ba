"""Topics as the source and the end of a flow."""
