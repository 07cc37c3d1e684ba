"""What indicators are: (catalogue, state, batch) → (state, values). Pure: no clock, no input, no output.

`catalogue` reads the indicators, `compiler` turns a formula into the typed tree of `expression`, `plan` says
what must be kept for all of them. A `shard` keeps it: series of readings in `slices`, cases, counters.
`evaluate` walks the tree for many window ends at once and leaves `partials`, which merge exactly into any
area; `judge` makes values of them. Arrays are float64 with NaN for unknown, times int64 epoch milliseconds.
"""
