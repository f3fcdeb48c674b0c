"""Comparing our books with the channels' statements, day by day."""
