"""Frames by hand: what nobody's kernel would send. Addresses are text, MACs are "02:..", everything else is bytes."""
import socket
import struct

ARP, IP, IP6, VLAN = 0x0806, 0x0800, 0x86dd, 0x8100
REQUEST, REPLY = 1, 2


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def addr(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def eth(src, dst, ethertype, payload):
    return (mac(dst) + mac(src) + struct.pack("!H", ethertype) + payload).ljust(60, b"\0")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def arp(op, sender_mac, sender, target_mac, target):
    return struct.pack("!HHBBH", 1, IP, 6, 4, op) + mac(sender_mac) + addr(sender) + mac(target_mac) + addr(target)


def ip(src, dst, proto, payload):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0) + addr(src) + addr(dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(src, dst, proto, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, hops) + addr(src) + addr(dst) + payload


def pseudo(src, dst, proto, length):
    if ":" in src:
        return addr(src) + addr(dst) + struct.pack("!II", length, proto)
    return addr(src) + addr(dst) + struct.pack("!BBH", 0, proto, length)


def udp(src, dst, sport, dport, data):
    """The whole packet, of either family."""
    head = struct.pack("!HHH", sport, dport, 8 + len(data))
    total = checksum(pseudo(src, dst, 17, 8 + len(data)) + head + b"\0\0" + data) or 0xffff
    return (ip6 if ":" in src else ip)(src, dst, 17, head + struct.pack("!H", total) + data)


def icmp6(src, dst, kind, body, hops=255):
    message = struct.pack("!BBH", kind, 0, 0) + body
    total = checksum(pseudo(src, dst, 58, len(message)) + message)
    return ip6(src, dst, 58, message[:2] + struct.pack("!H", total) + message[4:], hops)


def option(kind, of):
    return struct.pack("!BB", kind, 1) + mac(of)


def advert(src, dst, target, of):
    """A neighbour advertisement: solicited, to be believed at once (RFC 4861, section 4.4)."""
    return icmp6(src, dst, 136, struct.pack("!I", 0x60000000) + addr(target) + option(2, of))


def solicit(src, dst, target, of=None):
    return icmp6(src, dst, 135, bytes(4) + addr(target) + (option(1, of) if of else b""))


def router(src, dst, of):
    """A router advertisement that offers itself and a prefix."""
    prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 1800, 0) + addr("fd66:6::")
    return icmp6(src, dst, 134, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + option(1, of) + prefix)


def redirect(src, dst, target, destination):
    return icmp6(src, dst, 137, bytes(4) + addr(target) + addr(destination))


def solicited_node(address):
    """The group and its MAC (RFC 4291, section 2.7.1; RFC 2464, section 7)."""
    low = addr(address)[13:]
    group = addr("ff02::1:ff00:0")[:13] + low
    return socket.inet_ntop(socket.AF_INET6, group), "33:33:ff:" + ":".join(f"{b:02x}" for b in low)


def dhcp_offer(client, yours, server):
    """RFC 2131: BOOTREPLY, message type 2."""
    head = struct.pack("!BBBBIHH", 2, 1, 6, 0, 0x1234, 0, 0x8000)
    return (head + bytes(4) + addr(yours) + addr(server) + bytes(4) + mac(client) + bytes(10 + 64 + 128) +
            b"\x63\x82\x53\x63" + b"\x35\x01\x02" + b"\x36\x04" + addr(server) + b"\xff")


def send(netns, frames, dev="eth0"):
    """Frames as they stand, one after the other, from an interface in a namespace."""
    netns.run("python3", "-c", """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
for line in sys.stdin:
    s.send(bytes.fromhex(line))
""", dev, stdin="\n".join(f.hex() for f in frames))
