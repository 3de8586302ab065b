"""`bulkhead render --live`: what the kernel holds, by the agent and without one."""
import json

from agent_host import *  # noqa: F403

CLI = BUILD / "cli/bulkhead"
CONTRACT = """apiVersion: bulkhead.network/v1alpha1
kind: TrafficPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  isolate: ingress
  ingress:
  - name: clients
    from: [{podSelector: {matchLabels: {role: client}}}]
    ports: [80]
    protocols: [http]
  - name: office
    from: [{ipBlock: {cidr: 192.0.2.0/24}}]
    ports: ["8000-8099"]
"""


def render(agent, *args, check=False):
    return run(*agent.command(CLI, "--socket", agent.dir / "run/api.sock", "render", *args), check=check)


def shop(agent):
    status, answer = agent.apply(CONTRACT)
    assert status == 200, answer
    for name, ip, labels in [("web", ["10.0.0.1", "fd00::1"], {"app": "web"}), ("cust", "10.0.0.2", {"role": "client"})]:
        answer = agent.ask(agent.add_request(name, ip, labels=labels))
        assert answer["ok"], answer


def test_the_agent_tells(agent):
    shop(agent)
    done = render(agent, "--live")
    assert done.returncode == 0, done.stdout + done.stderr
    revision = agent.revision()
    for text in [f"table bulkhead, revision {revision}, epoch ", "packets: refused 0", "ip endpoints\n",
                 "10.0.0.1                e", "shop/web\n", "ip6 endpoints\n", "ip addresses of no endpoint\n",
                 "192.0.2.0 - 192.0.2.255 (192.0.2.0/24)", "port pieces\n  p0      tcp 8000-8099\n",
                 "ip ingress of e", "(shop: app=web)", "  from any\n    any              drop (isolated by shop/web)\n",
                 "tcp 8000-8099    allow (shop/web 'office')\n",
                 "tcp 80           contract 1 (http allow: shop/web 'clients'; else drop)\n",
                 "ip contract 1\n    other            drop (other protocol, shop/web 'clients')\n",
                 "    http             allow (shop/web 'clients')\n", "the kernel holds what it should hold\n"]:
        assert text in done.stdout, text + " is not in\n" + done.stdout
    told = json.loads(render(agent, "--live", "-o", "json").stdout)
    assert told["source"] == "agent" and told["compared"] and told["equal"] and told["differences"] == []
    assert [t["family"] for t in told["tables"]] == ["ip", "ip6"]
    assert told["revision"] == revision and told["counters"]["refused"] == 0
    # The very same by the API.
    assert agent.get("/v1/live")["tables"] == told["tables"]


def test_nft_shows_the_same_names(agent):
    shop(agent)
    listing = run(*agent.command("nft", "list", "ruleset")).stdout
    for text in ['10.0.0.1 comment "shop/web" : 0x8', '10.0.0.2 comment "shop/cust"',
                 'comment "allow: shop/web \'office\'"', 'comment "http allow: shop/web \'clients\'; else drop"',
                 'comment "drop: isolated by shop/web"', '192.0.2.0/24 comment "192.0.2.0/24"']:
        assert text in listing, text + " is not in\n" + listing
    objects = json.loads(run(*agent.command("nft", "-j", "list", "ruleset")).stdout)["nftables"]
    assert any("shop/web" in json.dumps(o) for o in objects)
    # An address that somebody else gets in one pass is no news but for its name.
    agent.ask({"v": 1, "op": "del", "network": "net", "id": "id-cust", "ifname": "eth0"})
    agent.ask(agent.add_request("heir", "10.0.0.2", labels={"role": "client"}))
    listing = run(*agent.command("nft", "list", "ruleset")).stdout
    assert 'comment "shop/heir"' in listing and "shop/cust" not in listing


def test_without_an_agent(agent):
    shop(agent)
    revision = agent.revision()
    agent.stop()
    # Nobody owns the tables now.
    run(*agent.command("nft", "add element ip bulkhead peer { 10.9.9.9 : 0x80000001 }"))
    done = render(agent, "--live")
    assert done.returncode == 0, done.stderr
    assert "no agent answers at" in done.stderr and "the kernel is read" in done.stderr
    for text in [f"table bulkhead, revision {revision}", "shop/web\n", "10.9.9.9 ", "(shop/web)\n",
                 "allow (shop/web 'office')", "not compared: without an agent nobody knows"]:
        assert text in done.stdout, text + " is not in\n" + done.stdout
    told = json.loads(render(agent, "--live", "-o", "json").stdout)
    assert told["source"] == "kernel" and not told["compared"] and not told["equal"]
    assert render(agent, "--live", "--table", "bulkhead").returncode == 0
    missing = render(agent, "--live", "--table", "other")
    assert missing.returncode == 1 and "there is no table other" in missing.stderr
    # Nobody but root.
    other = run(*agent.command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", CLI, "render", "--live",
                               "--table", "bulkhead"), check=False)
    assert other.returncode == 1 and "only root can read the kernel's tables" in other.stderr, other.stderr
    # The next agent puts it right.
    agent.start()
    done = render(agent, "--live")
    assert done.returncode == 0 and "10.9.9.9" not in done.stdout


def test_a_setting_without_comments(stopped):
    stopped.config["nftComments"] = "off"
    stopped.start()
    shop(stopped)
    assert "shop/" not in run(*stopped.command("nft", "list", "ruleset")).stdout
    # The agent knows the names all the same.
    done = render(stopped, "--live")
    assert done.returncode == 0 and "shop/web" in done.stdout and "allow (shop/web 'office')" in done.stdout


ENDPOINTS = """apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {addresses: [10.0.0.1, "fd00::1"]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: cust, namespace: shop, labels: {role: client}}
spec: {addresses: [10.0.0.2]}
---
apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: far, namespace: shop, labels: {app: web}}
spec: {addresses: [10.7.0.1], node: n7}
"""


def by_files(agent, policies, endpoints=ENDPOINTS):
    (agent.dir / "p.yaml").write_text(policies)
    (agent.dir / "e.yaml").write_text(endpoints)
    return render(agent, "--live", "--policy", agent.dir / "p.yaml", "--endpoints", agent.dir / "e.yaml")


def test_files_say_what_should_be_there(agent):
    # Numbers of classes, pieces and contracts depend on what came before: these files give others.
    before = CONTRACT.replace("[http]", "[ssh]").replace("8000-8099", "9000-9099").replace("192.0.2.0/24", "192.0.0.0/16")
    agent.ask(agent.add_request("old", "10.0.0.9", labels={"app": "old"}))
    agent.apply(CONTRACT.replace("app: web", "app: old").replace("name: web", "name: old"))
    agent.ask({"v": 1, "op": "del", "network": "net", "id": "id-old", "ifname": "eth0"})
    assert agent.request("DELETE", "/v1/policies/TrafficPolicy/shop/old")[0] == 200
    agent.apply(before)
    agent.apply(ENDPOINTS.rsplit("---", 1)[1])
    shop(agent)
    agent.stop()
    done = by_files(agent, CONTRACT)
    assert done.returncode == 0 and "the kernel holds what it should hold\n" in done.stdout, done.stdout + done.stderr
    # Other policies, other endpoints.
    done = by_files(agent, CONTRACT.replace("[http]", "[ssh]"))
    assert done.returncode == 1 and "changed: ip cell: ingress of e" in done.stdout
    assert "tcp 80: contract" in done.stdout and "ssh allow: shop/web 'clients'; else drop" in done.stdout
    done = by_files(agent, CONTRACT.replace("8000-8099", "8000-8098"))
    assert done.returncode == 1 and "ip port_tcp: ports 8000-8099 of map port_tcp" in done.stdout
    done = by_files(agent, CONTRACT, ENDPOINTS.replace("10.0.0.2", "10.0.0.3"))
    assert done.returncode == 1
    assert "missing: ip peer: endpoint 10.0.0.3 (shop/cust)" in done.stdout
    assert "extra: ip peer: endpoint 10.0.0.2 (shop/cust)" in done.stdout
    done = by_files(agent, "x: 1\n")
    assert done.returncode == 1 and "p.yaml:1:1" in done.stderr and done.stdout == ""
    # What somebody did to the tables meanwhile.
    run(*agent.command("nft", "delete element ip bulkhead subj_in { 10.0.0.1 }"))
    done = by_files(agent, CONTRACT)
    assert done.returncode == 1 and "the kernel does not hold what it should hold: 1 difference\n" in done.stdout
    assert "missing: ip subj_in: endpoint 10.0.0.1 (shop/web) as a subject for ingress" in done.stdout
