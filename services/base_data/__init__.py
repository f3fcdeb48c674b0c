"""Base data kept by hand: communities, buildings, houses, parking spaces and cars."""
