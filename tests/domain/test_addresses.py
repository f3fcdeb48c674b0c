import pytest

from domain.addresses import home_of, network_of


@pytest.mark.parametrize(
    ("ip", "home", "network"),
    [
        ("203.0.113.5", "203.0.113.5", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("", "unknown", "unknown"),
        ("6.6.6.6, 7.7.7.7", "unknown", "unknown"),
    ],
)
def test_whose_an_address_is(ip, home, network):
    assert (home_of(ip), network_of(ip)) == (home, network)
