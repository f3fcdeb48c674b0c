"""Money that is given away or paid back: asked for by one member of staff, decided by another."""
