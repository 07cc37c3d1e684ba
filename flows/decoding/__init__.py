"""Bytes -> columns and rejects, each record judged by its own bytes only."""
