"""The configuration of a live engine, and the schemas of what it reads and writes."""
