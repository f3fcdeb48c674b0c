"""What a community charges: items and prices, pools, one-off charges, discounts, trials."""
