"""A city in a rainstorm to look at: its stage, its departments, its view."""
