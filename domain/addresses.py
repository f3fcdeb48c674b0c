"""Whose an address is: what counts as one home, and as one neighbourhood."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

_HOME = {4: 32, 6: 64}
_NETWORK = {4: 24, 6: 48}
"""Source: RFC 6177: a site gets up to a /48, and with it 2¹⁶ homes of a /64."""


def home_of(ip: str) -> str:
    """Tell the home of an address: itself, and with IPv6 its /64, which one home has all of."""
    return _within(ip, _HOME)


def network_of(ip: str) -> str:
    """Tell the neighbourhood of an address: its /24, and with IPv6 its /48."""
    return _within(ip, _NETWORK)


def _within(ip: str, lengths: dict[int, int]) -> str:
    try:
        found = ip_address(ip)
    except ValueError:
        return "unknown"
    length = lengths[found.version]
    if length == found.max_prefixlen:
        return str(found)
    return str(ip_network((found, length), strict=False))
