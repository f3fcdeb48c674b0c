"""Paying: orders opened with a channel, money booked once, silent orders asked about."""
