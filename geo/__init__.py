"""Where things are: arrays of longitude and latitude → arrays of cell ids → ids of the areas around them.

`coordinates` turns the Chinese map datums into WGS84, `beidou` holds the grid location codes of GB/T
39409-2020, `cells` the cell systems a city can choose from, `areas` communities, streets, districts and the
city. Geometries stay inside this package: what leaves it are int64 ids and their texts.
"""
