"""Messages to people: who is told of what, and by which way."""
