"""Importing clerks' workbooks: planned, then written."""
