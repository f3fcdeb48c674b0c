"""Photos and documents that people hand in."""
