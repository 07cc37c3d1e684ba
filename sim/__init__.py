"""A synthetic city and importers of public recordings: (seed, time) → records of the wire format.

`random_city` and `random_cases` draw devices and cases whose `signals` follow the hours and the `weather`;
the same seed gives the same bytes. `city_files` writes what a replay reads.
"""
