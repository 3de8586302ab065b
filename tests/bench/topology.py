"""Client, router and server in network namespaces of their own, for tests/bench/dataplane; and the rules of the router.

    client c0 192.168.1.2 -- r0 router r1 -- s0 192.168.2.2 server

The addresses of all endpoints of a shape (tests/bench/shape.h) lie behind the two links: 10.0.0.0/12 behind c0 and
10.16.0.0/12 behind s0, fd00:c::/32 and fd00:5::/32. While frames are injected, the neighbours that lead there have a
hardware address that is nobody's, so that the ends drop what comes; real sockets need the true ones.
"""
import os
import subprocess

FEW = 5
CONNTRACK = """table inet bench {
 chain forward { type filter hook forward priority 0; ct state established,related accept; }
}"""
QUEUE = """*filter
-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A FORWARD -p tcp -m conntrack --ctstate NEW -j NFQUEUE --queue-num 600
COMMIT
"""


def run(*args, text=None, ok=True):
    done = subprocess.run([str(a) for a in args], input=text, capture_output=True, text=True)
    if ok and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))[:200]}: {done.stderr.strip()[:500]}")
    return done.stdout


class Topology:
    def __init__(self, name):
        self.name = name
        for end in "crs":
            run("ip", "netns", "add", f"{name}-{end}")
            run("ip", "netns", "exec", f"{name}-{end}", "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0")
        for end, router, net, mac, own in (("c", "r0", 1, "c0", "f0"), ("s", "r1", 2, "50", "f1")):
            v4, v6 = ("10.0.0", "fd00:c:") if end == "c" else ("10.16.0", "fd00:5:")
            link = f"{end}0"
            self.ip(end, f"""link set lo up
link add {link} address 02:00:00:00:00:{mac} type veth peer name {router} netns {name}-r
link set {link} up
addr add 192.168.{net}.2/24 dev {link}
addr add fd71:{net}::2/64 dev {link} nodad
""" + "".join(f"addr add {v4}.{i}/32 dev {link}\naddr add {v6}:{i:x}/128 dev {link} nodad\n"
              for i in range(1, FEW + 1)) + f"""
neigh replace 192.168.{net}.1 lladdr 02:00:00:00:00:{own} dev {link} nud permanent
neigh replace fd71:{net}::1 lladdr 02:00:00:00:00:{own} dev {link} nud permanent
route add default via 192.168.{net}.1
""")
            self.ip("r", f"""link set lo up
link set {router} address 02:00:00:00:00:{own} up
addr add 192.168.{net}.1/24 dev {router}
addr add fd71:{net}::1/64 dev {router} nodad
route add {v4}.0/12 via 192.168.{net}.2
""")
            self.ip("r", f"route add {v6}:/32 via fd71:{net}::2\n", "-6")
            self.ip(end, f"route add default via fd71:{net}::1\n", "-6")
        self.inside("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                    "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.r0.rp_filter=0", "net.ipv4.conf.r1.rp_filter=0")
        self.deliver(False)

    def ip(self, end, batch, *options):
        run("ip", *options, "-n", f"{self.name}-{end}", "-batch", "-", text=batch)

    def inside(self, *args, text=None):
        return run("ip", "netns", "exec", f"{self.name}-r", *args, text=text)

    def deliver(self, real):
        """Do packets reach the sockets of the ends, or are they dropped at their links?"""
        self.ip("r", "".join(
            f"neigh replace {address} lladdr 02:00:00:00:00:{mac if real else 'dd'} dev {link} nud permanent\n"
            for net, link, mac in ((1, "r0", "c0"), (2, "r1", "50"))
            for address in (f"192.168.{net}.2", f"fd71:{net}::2")))

    def remove(self):
        for end in "crs":
            run("ip", "netns", "del", f"{self.name}-{end}", ok=False)


class Memory:
    """Kernel memory that is charged to a process and what it leaves behind: exactly, where there is a memory controller."""

    def __init__(self, name):
        self.old = os.path.isdir("/sys/fs/cgroup/memory")
        root = "/sys/fs/cgroup/memory" if self.old else "/sys/fs/cgroup"
        self.path = f"{root}/{name}"
        try:
            os.mkdir(self.path)
            self.group = self.read() is not None
        except OSError:
            self.group = False
        self.before = 0 if self.group else self.machine()

    def enter(self):
        if self.group:
            with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as f:
                f.write(str(os.getpid()))

    def read(self):
        try:
            if self.old:
                with open(f"{self.path}/memory.kmem.usage_in_bytes", encoding="ascii") as f:
                    return int(f.read()) // 1024
            with open(f"{self.path}/memory.stat", encoding="ascii") as f:
                return next(int(line.split()[1]) // 1024 for line in f if line.startswith("kernel "))
        except (OSError, StopIteration):
            return None

    @staticmethod
    def machine():
        with open("/proc/meminfo", encoding="ascii") as f:
            return sum(int(line.split()[1]) for line in f if line.startswith(("Slab:", "VmallocUsed:", "Percpu:")))

    def kib(self):
        return self.read() if self.group else self.machine() - self.before

    def remove(self):
        try:
            os.rmdir(self.path)
        except OSError:
            pass
