"""A synthetic city and importers of public recordings: (seed, time) → records of the wire format."""
