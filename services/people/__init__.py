"""Owners and everybody else of a house: on file, bound to accounts, and handed on."""
