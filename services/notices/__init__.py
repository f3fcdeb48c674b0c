"""Notices (公告): written, published and withdrawn by staff, read by the people of a house."""
