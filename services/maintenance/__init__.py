"""Maintenance of equipment: templates, plans, tasks that fall due, and their results."""
