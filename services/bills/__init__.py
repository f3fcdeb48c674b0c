"""Bills: made in batches, reviewed, published, and seen by owners."""
