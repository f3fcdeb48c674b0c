"""Figures beside their floors, measured in one run; never a test."""
