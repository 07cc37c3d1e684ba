"""A simulated city with ground truth: (seed, time) → records of the wire format.

`simulation` makes a `city` with its cases, scenarios and faults and writes it; `scenarios`, `importers` and
`scoring` are packages of their own. The same arguments give the same bytes.
"""
