"""Settings of all tests."""

from hypothesis import settings

# How fast an example runs says something about the machine, nothing about the code.
settings.register_profile("yiwang", deadline=None)
settings.load_profile("yiwang")
