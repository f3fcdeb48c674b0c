"""Pure rules of the trade: no I/O, no framework, standard library only."""
