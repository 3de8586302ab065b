"""Under traffic that never pauses: what is allowed never fails, what is refused never gets through, whatever happens
to the agent meanwhile."""
import subprocess

import topo

# New connections and one that stays, in turn; one line of counts at the end.
ALLOWED = """
import http.client, select, sys
address = %r
stays = http.client.HTTPConnection(address, 80, timeout=10)
done = failed = 0
why = ""
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    fresh = http.client.HTTPConnection(address, 80, timeout=10)
    for connection in (fresh, stays):
        try:
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"hello\\n"
            done += 1
        except Exception as e:
            failed += 1
            why = ("the one that stays: " if connection is stays else "a new one: ") + repr(e)
    fresh.close()
    if failed > 10:
        break
print(done, failed, why, flush=True)
"""

# Connections that must not work: from the intruder, and in the wrong protocol.
REFUSED = """
import select, socket, sys
family = socket.AF_INET6 if ":" in %(address)r else socket.AF_INET
tried = through = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    s = socket.socket(family)
    s.settimeout(0.2)
    tried += 1
    try:
        s.connect((%(address)r, 80))
        s.sendall(%(payload)r)
        through += len(s.recv(100)) > 0
    except OSError:
        pass
    s.close()
print(tried, through, "", flush=True)
"""


class Traffic:
    def __init__(self, container, code):
        self.child = container.start("python3", "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        assert self.child.stdout.readline() == "ready\n"

    def stop(self):
        """(good or tried, bad, why)"""
        self.child.stdin.write("\n")
        self.child.stdin.close()
        line = self.child.stdout.readline()
        good, bad, *why = line.split(" ", 2)
        return int(good), int(bad), why


def under_traffic(shop, family, what):
    """Runs `what` while clients, an intruder and a wrong protocol go on."""
    metered = shop.container("metered", app="web")
    meter = topo.Meter(metered, 80, shop.dir)
    wrong = shop.container("wrong", role="client")
    web, address = shop.web.addrs[family], metered.addrs[family]
    allowed = Traffic(shop.client, ALLOWED % web)
    intruder = Traffic(shop.intruder, REFUSED % {"address": web, "payload": b"GET / HTTP/1.0\r\n\r\n"})
    ssh = Traffic(wrong, REFUSED % {"address": address, "payload": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"})
    what()
    results = {"allowed": allowed.stop(), "intruder": intruder.stop(), "ssh": ssh.stop()}
    assert results["allowed"][0] > 20 and results["intruder"][0] > 0 and results["ssh"][0] > 0, results
    assert results["allowed"][1] == 0, results
    assert results["intruder"][1] == 0 and results["ssh"][1] == 0 and meter.bytes == 0, (results, meter.bytes)


def test_agent_killed_and_restarted(shop, family):
    def what():
        for _ in range(4):
            shop.kill_agent()
            assert topo.http_get(shop.client, shop.web.addrs[family])
            shop.start_agent()
    under_traffic(shop, family, what)


def test_policies_come_and_go(shop, family):
    """Changes that keep the connection allowed: by another rule, another policy, more policies beside it."""
    def what():
        for i in range(10):
            shop.apply(topo.WEB_ONLY_HTTP.replace("name: clients", f"name: clients-{i}")
                       .replace("[http]", "[http, tls]" if i % 2 else "[http]"))
            shop.apply(topo.WEB_ONLY_HTTP.replace("{name: web,", f"{{name: other-{i},").replace("app: web", f"app: x{i}"))
    under_traffic(shop, family, what)


def test_containers_come_and_go(shop, family):
    def what():
        for i in range(10):
            c = shop.container(f"passing{i}", role="client")
            assert topo.http_get(c, shop.web.addrs[family])
            c.cni("DEL")
    under_traffic(shop, family, what)
