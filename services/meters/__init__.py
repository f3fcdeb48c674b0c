"""Meters: which there are, what was read off them, and what that says."""
