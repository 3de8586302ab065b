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
