# Shows the DHCP messages of an interface, and sends a test's own: one frame per line, in hexadecimal, header included.
# Standard output has the messages on the interface, in both directions; messages on standard input are sent.
import os
import socket
import sys
import threading

EVERYTHING = 3
IPV4 = b"\x08\x00"
UDP = 17
PORTS = {67, 68}

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
wire.bind((sys.argv[1], EVERYTHING))


def send():
    for line in sys.stdin:
        wire.send(bytes.fromhex(line))
    os._exit(0)


print("ready", flush=True)
threading.Thread(target=send, daemon=True).start()
while True:
    frame = wire.recv(65536)
    if frame[12:14] != IPV4 or frame[23] != UDP:
        continue
    datagram = frame[14 + (frame[14] & 15) * 4 :]
    if {int.from_bytes(datagram[:2], "big"), int.from_bytes(datagram[2:4], "big")} <= PORTS:
        print(frame.hex(), flush=True)
