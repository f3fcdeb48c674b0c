"""The use-cases of the trade: each opens its own transaction and returns plain values."""
