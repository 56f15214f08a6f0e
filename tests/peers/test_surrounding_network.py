import ipaddress

from jambridge.peers import surrounding_network
from jambridge.peers.surrounding_network import broadcasts, gateways, gateways_6

# As a Raspberry Pi (little-endian) has them: a default route, the way to its own network, a route through a second one.
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
wlan0\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0
eth0\t0000000A\tFE02A8C0\t0003\t0\t0\t100\t000000FF\t0\t0\t0
"""
ROUTE_6 = f"""\
{"0" * 32} 00 {"0" * 32} 00 fd000000000000000000000000000001 00000064 00000001 00000000 00000003    wlan0
fe80{"0" * 28} 40 {"0" * 32} 00 {"0" * 32} 00000100 00000001 00000000 00000001    wlan0
"""


def test_gateways_of_the_kernels_tables() -> None:
    assert {str(address) for address in gateways(ROUTE)} == {"192.168.1.1", "192.168.2.254"}
    assert {str(address) for address in gateways_6(ROUTE_6)} == {"fd00::1"}
    assert gateways("") == gateways_6("") == frozenset()


def test_broadcasts_of_networks_that_have_them() -> None:
    networks = map(ipaddress.IPv4Network, ["192.168.1.0/24", "10.0.0.4/31", "203.0.113.7/32"])

    assert {str(address) for address in broadcasts(networks)} == {"192.168.1.0", "192.168.1.255"}


def test_this_machine_can_be_asked() -> None:
    assert ipaddress.ip_address("127.255.255.255") in surrounding_network.nobodys()
