"""IP addresses: tests for public addresses and for address literals."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments, one of them a cloud's metadata. Python < 3.11.10, 3.12.4: in parts
        "192.88.99.0/24",  # relays of 6to4, given up (RFC 7526). Python: all versions
        "168.63.129.16/32",  # a cloud's services for its machines. Python: all versions, it is allocated like any other
        "64:ff9b:1::/48",  # NAT64 of private networks (RFC 8215). Python < 3.11.10, 3.12.4
        "3fff::/20",  # documentation (RFC 9637). Python 3.11; 3.12 and 3.13 before autumn 2024
        "5f00::/16",  # segment routing within a network (RFC 9602). Python 3.11
    )
)
"""Networks that are not the public internet, although some or all versions of Python judge them `is_global`."""


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public internet.

    An IPv6 address that embeds an IPv4 address (mapped, 6to4, Teredo, NAT64) is judged by the IPv4 address.

    >>> [is_public(ipaddress.ip_address(text)) for text in ("8.8.8.8", "169.254.169.254", "::ffff:10.0.0.1")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        if inner := _embedded(address):
            return is_public(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def is_literal(host: str) -> bool:
    """Return whether a host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
