"""Sensors that are wrong: judged beside the shards, their readings kept out of the indicators."""
