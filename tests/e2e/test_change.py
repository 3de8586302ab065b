"""Policies, labels and containers change while connections live."""
import subprocess

import topo

DRIP = """
import socket, sys
s = socket.create_connection((%r, 80))
s.settimeout(10)
while True:
    s.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    if not s.recv(65536):
        break
    print("answer", flush=True)
    if sys.stdin.readline() == "":
        break
"""


class Drip:
    """One keep-alive connection; every step() is one more request on it."""

    def __init__(self, container, address):
        self.child = container.start("python3", "-c", DRIP % address, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        assert self.child.stdout.readline() == "answer\n"

    def step(self):
        """True if the connection still answers."""
        try:
            self.child.stdin.write("\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            return False
        return self.child.stdout.readline() == "answer\n"


def test_a_policy_change_cuts_what_it_forbids_and_nothing_else(shop, family):
    other = shop.container("other", role="client", team="b")
    mine, theirs = Drip(shop.client, shop.web.addrs[family]), Drip(other, shop.web.addrs[family])
    assert mine.step() and theirs.step()
    shop.apply(topo.WEB_ONLY_HTTP.replace("{role: client}", "{team: b}"))
    assert theirs.step()
    assert not mine.step()
    assert theirs.step()
    assert shop.wait_record(kind="violation", src__name="client")


def test_a_protocol_taken_back_cuts_the_flows_that_speak_it(shop, family):
    drip = Drip(shop.client, shop.web.addrs[family])
    assert drip.step()
    shop.apply(topo.WEB_ONLY_HTTP.replace("[http]", "[ssh]"))
    assert not drip.step()


def test_a_policy_that_names_the_protocol_one_more_time_cuts_nothing(shop, family):
    drip = Drip(shop.client, shop.web.addrs[family])
    assert drip.step()
    shop.apply(topo.WEB_ONLY_HTTP.replace("[http]", "[http, ssh]"))
    assert drip.step() and drip.step()


ICMP_ERROR = """
import socket, struct, sys
source, target, marker = sys.argv[1:]
family = socket.AF_INET6 if ":" in source else socket.AF_INET
ends = [socket.inet_pton(family, a) for a in (target, source)]

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff

udp = struct.pack("!4H", 7002, 5555, 8 + len(marker), 0) + marker.encode()
if family == socket.AF_INET:
    quoted = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, *ends)
    quoted = quoted[:10] + struct.pack("!H", checksum(quoted)) + quoted[12:] + udp
    raw, errors = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP), ((3, 3), (3, 4))
else:
    quoted = struct.pack("!IHBB16s16s", 0x60000000, len(udp), 17, 64, *ends) + udp
    raw, errors = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6), ((1, 4), (2, 0))
for type, code in errors:
    error = struct.pack("!BBHI", type, code, 0, 1400) + quoted
    if family == socket.AF_INET:
        error = error[:2] + struct.pack("!H", checksum(error)) + error[4:]
    raw.sendto(error, (target, 0))
"""

ASK = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 5555))
s.connect((sys.argv[1], 7002))
s.settimeout(5)
s.send(b"question")
s.recv(100)
"""


def test_errors_about_a_flow_are_refused_with_it(shop, family):
    """An ICMP error quotes what its sender likes: it may not reach who the flow may not reach any more."""
    asks = topo.WEB_ONLY_HTTP.replace("ports: [80]\n    protocols: [http]", "ports: [7002/udp]")
    shop.apply(asks)
    shop.web.start("socat", f"UDP{family}-LISTEN:7002,fork", "PIPE")
    shop.web.wait_listen(7002, "udp")
    address, own = shop.web.addrs[family], shop.client.addrs[family]
    sniffer = topo.Sniffer(shop.web, shop.dir)
    shop.client.run("python3", "-c", ASK, address)
    shop.client.run("python3", "-c", ICMP_ERROR, own, address, "while-it-is-allowed!")
    topo.wait_for("both errors", lambda: sniffer.bytes.count(b"while-it-is-allowed!") == 2)
    shop.apply(asks.replace("role: client", "role: nobody"))
    shop.client.run("python3", "-c", ICMP_ERROR, own, address, "after-it-was-refused")
    # What is sent after them, and allowed, has come: they would have, too.
    shop.apply(asks)
    shop.client.run("python3", "-c", ASK.replace("5555", "5556").replace("question", "the-last-of-all"), address)
    topo.wait_for("the last", lambda: b"the-last-of-all" in sniffer.bytes)
    assert b"after-it-was-refused" not in sniffer.bytes


def test_deleting_the_policy_opens_again(shop, family):
    assert not topo.http_get(shop.intruder, shop.web.addrs[family])
    shop.cli("delete", "TrafficPolicy", "web", "-n", "shop")
    assert topo.http_get(shop.intruder, shop.web.addrs[family])


def test_an_address_that_comes_back_to_another_container(shop, family):
    """The new owner of an address inherits neither the label nor the connections of the old one."""
    address = shop.client.addrs[family]
    assert topo.http_get(shop.client, shop.web.addrs[family])
    shop.client.cni("DEL")
    shop.network["ipam"]["ranges"] = [[f"{shop.client.addrs[4]}/32"], [f"{shop.client.addrs[6]}/128"]]
    heir = shop.container("heir", role="none")
    assert heir.addrs[family] == address
    assert not topo.http_get(heir, shop.web.addrs[family])


def test_policy_files_are_watched(shop, family):
    before = shop.revision()
    shop.write_policy("ssh.yaml", topo.WEB_ONLY_HTTP.replace("name: web,", "name: second,")
                      .replace("role: client", "role: none"))
    shop.wait_enforced(before)
    assert topo.http_get(shop.intruder, shop.web.addrs[family])
    before = shop.revision()
    (shop.dir / "policies/ssh.yaml").unlink()
    shop.wait_enforced(before)
    assert not topo.http_get(shop.intruder, shop.web.addrs[family])
