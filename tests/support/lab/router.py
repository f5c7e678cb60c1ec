# Answers IPv6 router solicitations on an interface as a router that has no prefix and is not a default gateway. iPXE
# configures IPv4 and IPv6 together: without an answer it waits 16 seconds for one at each boot.
import socket
import struct
import sys

ROUTERS = "ff02::2"
HOSTS = "ff02::1"
SOLICITATION = 133
ADVERTISEMENT = 134

interface = sys.argv[1]
router = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
router.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
index = socket.if_nametoindex(interface)
router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, ROUTERS) + struct.pack("@I", index))
# Hosts ignore advertisements that another router may have forwarded.
router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
router.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)

# Type, code, checksum (by the kernel), hop limit, flags, router lifetime, reachable time, retransmission timer (RFC 4861, 4.2).
advertisement = struct.pack("!BBHBBHII", ADVERTISEMENT, 0, 0, 64, 0, 0, 0, 0)
while True:
    message = router.recv(65536)
    if message[0] == SOLICITATION:
        router.sendto(advertisement, (HOSTS, 0, 0, index))
