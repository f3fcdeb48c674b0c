"""The browser of the journeys that people make on pages."""

from tests.journeys.browser import chromium, look, page

__all__ = ["chromium", "look", "page"]
