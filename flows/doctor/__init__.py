"""What is set up wrongly, and what to do about it."""
