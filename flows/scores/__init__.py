"""Anomalies of the values a flow publishes."""
