"""Published ports that a program on the host serves: Debian's docker-proxy, as dockerd starts it."""
import os
import signal

import topo
from topo import http_get, wait_for


def docker_proxy(host, container, family, port=80, host_port=8080, ip=None):
    """Its third descriptor is a pipe on which it says that it is there."""
    read, write = os.pipe()
    try:
        child = host.netns.start("bash", "-c", f"exec 3>&{write}; exec /usr/sbin/docker-proxy -proto tcp -host-ip "
                                 f"{'::' if family == 6 else '0.0.0.0'} -host-port {host_port} -container-ip "
                                 f"{ip or container.addrs[family]} -container-port {port}", pass_fds=[write])
        os.close(write)
        write = None
        assert os.read(read, 2) == b"0\n"
        return child
    finally:
        os.close(read)
        if write is not None:
            os.close(write)


def proxies(host):
    return host.status()["proxies"]


def test_a_userland_proxy_is_told(shop, family):
    web, intruder = shop.web, shop.intruder
    assert proxies(shop) == [] and not http_get(intruder, web.addrs[family])
    child = docker_proxy(shop, web, family)
    # What the policy refuses passes by way of the node: this is why it is told.
    shop.netns.run("ip", "addr", "add", "192.0.2.1/32" if family == 4 else "2001:db8::1/128", "dev", "lo")
    assert http_get(intruder, "192.0.2.1" if family == 4 else "2001:db8::1", port=8080)
    (one,) = wait_for("the proxy is seen", lambda: proxies(shop))
    side = web.addrs[family] if family == 4 else f"[{web.addrs[family]}]"
    assert one == {"pid": child.pid, "program": "docker-proxy", "protocol": "tcp",
                   "host": "0.0.0.0:8080" if family == 4 else "[::]:8080", "container": f"{side}:80",
                   "endpoint": "shop/web"}
    text = shop.cli("status").stdout
    assert f"warning: docker-proxy (process {child.pid}) serves " in text
    assert f"/tcp for shop/web at {side}:80: what it forwards comes from this node" in text
    assert '"userland-proxy" (false in /etc/docker/daemon.json' in text
    wait_for("the log says it, too", lambda: "1 published ports of isolated endpoints are served by userland proxies"
             in shop.agent_log())
    os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=10)
    wait_for("nobody is told any more", lambda: not proxies(shop))
    assert "docker-proxy" not in shop.cli("status").stdout


def test_only_where_policies_refuse(shop):
    """Ports of endpoints that nobody isolates, addresses of nobody, and proxies of other hosts are no news."""
    docker_proxy(shop, shop.client, 4, host_port=8081)
    docker_proxy(shop, None, 4, host_port=8082, ip="10.99.0.1")
    other = topo.Netns(f"{shop.netns.name}-other")
    try:
        read, write = os.pipe()
        other.start("bash", "-c", f"exec 3>&{write}; exec /usr/sbin/docker-proxy -host-ip 0.0.0.0 -host-port 80 "
                    f"-container-ip {shop.web.addrs[4]} -container-port 80", pass_fds=[write])
        os.close(write)
        assert os.read(read, 2) == b"0\n"
        os.close(read)
        # The one that counts, last: when it is seen, the others were looked at.
        child = docker_proxy(shop, shop.web, 4)
        (one,) = wait_for("the proxy is seen", lambda: proxies(shop))
        assert one["pid"] == child.pid
        # A policy that lets everybody in has nothing that a proxy could pass by.
        shop.apply(topo.WEB_ONLY_HTTP.replace("    from: [{podSelector: {matchLabels: {role: client}}}]\n", "")
                   .replace("    protocols: [http]\n", ""))
        wait_for("the proxy does not matter", lambda: not proxies(shop))
    finally:
        other.remove()
