"""The engine around the indicators: ends + settings → Dataflow, and the command line.

`records` reads and decodes, admission decides what is late, twice or refused, `router` sends batches of
columns to keyed lanes: `case_lane` for cases, `shard_lane` for cells, `area_step` for the areas above them.
The lanes are plain objects; `steps` and `city_flow` set them into the engine. Whatever the batches, the
processes or a crash: the same values come out. `wire` is the format of records, which others may import.
"""
