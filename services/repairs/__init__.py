"""Repairs: reported, given to somebody, worked on, charged, confirmed and learned from."""
