"""Owners who are signed in, as the API's tests have them."""

from tests.miniapp_api.conftest import craft, make_signed_in, notify

__all__ = ["craft", "make_signed_in", "notify"]
