"""A live engine: its parts, files that grow, its processes, its end."""
