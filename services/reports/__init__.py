"""Reports on what was billed and paid: each says what it counts, of what, and as of when."""
