"""Money over the counter: what a cashier takes, placed by the rule that is shown."""
