"""A city that changes while records flow."""
