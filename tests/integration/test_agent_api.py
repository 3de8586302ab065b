"""api.sock: what docs/api.md promises, asked over the socket."""
import json
import socket
import threading

from agent_host import *  # noqa: F403


def test_status_has_everything(agent):
    s = agent.status()
    assert s["node"] == "n1" and s["pid"] == agent.child.pid and s["ready"] is True
    assert s["revision"]["wanted"] == s["revision"]["enforced"] and s["revision"]["error"] is None
    assert s["policies"] == {"count": 0, "folder": str(agent.policies), "ok": True, "diagnostics": []}
    assert s["endpoints"] == {"local": 0, "remote": 0, "quarantined": 0}
    assert set(s["kernel"]) == {"epoch", "adopted", "queue", "owner", "existingConnections", "guard", "counters"}
    assert set(s["kernel"]["counters"]) == {"refused", "killed", "queued", "unwatched", "unjudged", "midstream",
                                           "quarantined", "spoofed", "spoofedMac", "spoofedArp", "spoofedNd",
                                           "rogueRouter", "rogueDhcp", "foreignFrame"}
    (worker,) = s["workers"]
    assert worker["queue"] == 61440 and worker["revision"] == s["revision"]["enforced"] and worker["restarts"] == 0
    assert {"verdicts", "verdictErrors", "queueDropped", "lost", "flows", "unjudged", "midstream",
            "pid"} <= set(worker)
    assert s["violations"]["file"] == str(agent.config["violationLog"]) and s["violations"]["lost"] == 0
    assert s["started"].endswith("Z") and isinstance(s["warnings"], list) and s["version"]


def test_apply_get_delete(agent):
    before = agent.revision()
    status, answer = agent.apply(policy("a") + "---\n" + policy("b"))
    assert status == 200 and answer["diagnostics"] == []
    assert [(i["kind"], i["namespace"], i["name"], i["result"]) for i in answer["applied"]] == [
        ("NetworkPolicy", "shop", "a", "created"), ("NetworkPolicy", "shop", "b", "created")]
    # 200 means enforced, by the workers, too.
    s = agent.status()
    assert answer["revision"] == s["revision"]["enforced"] > before
    assert all(w["revision"] == s["revision"]["rules"] for w in s["workers"])
    assert agent.names() == ["a", "b"]
    (one,) = [p for p in agent.get("/v1/policies")["policies"] if p["name"] == "a"]
    assert one["origin"] == "applied" and one["kind"] == "NetworkPolicy" and one["tier"] == "application"
    assert one["mode"] == "enforce" and one["rules"] == {"ingress": 1, "egress": 0} and one["line"] == 1

    status, text = agent.request("GET", "/v1/policies/networkPOLICY/shop/a")
    assert status == 200 and text == policy("a")
    status, text = agent.request("DELETE", "/v1/policies/networkpolicy/shop/a")
    assert status == 200 and json.loads(text)["revision"] > answer["revision"]
    assert agent.names() == ["b"]
    assert agent.request("DELETE", "/v1/policies/networkpolicy/shop/a")[0] == 404
    assert agent.request("GET", "/v1/policies/networkpolicy/shop/a")[0] == 404
    assert agent.request("GET", "/v1/policies/nonsense/shop/b")[0] == 404


def test_apply_again(agent):
    revision = agent.apply(policy("a"))[1]["revision"]
    answer = agent.apply(policy("a"))[1]
    assert answer["applied"][0]["result"] == "unchanged" and answer["revision"] == revision == agent.revision()
    answer = agent.apply(policy("a", 81))[1]
    assert answer["applied"][0]["result"] == "configured" and answer["revision"] > revision
    assert "port: 81" in agent.request("GET", "/v1/policies/networkpolicy/shop/a")[1]


def test_dry_run_changes_nothing(agent):
    before = agent.revision()
    status, answer = agent.apply(policy("a"), "?dryRun=1")
    assert status == 200 and answer["applied"][0]["result"] == "created"
    assert agent.names() == [] and agent.revision() == before
    assert agent.apply(BROKEN, "?dryRun=1")[0] == 422
    assert agent.apply(policy("a"), "?dryRun=maybe")[0] == 400


def test_all_or_nothing(agent):
    before = agent.revision()
    status, answer = agent.apply(policy("a") + "---\n" + BROKEN, "?file=two.yaml")
    assert status == 422 and answer["error"]
    (d,) = answer["diagnostics"]
    assert d["file"] == "two.yaml" and d["line"] == 15 and d["severity"] == "error" and "ingres" in d["message"]
    assert agent.names() == [] and agent.revision() == before
    assert list((agent.dir / "state/applied").glob("*")) == []


def test_requests_that_are_wrong(agent):
    assert agent.request("GET", "/")[0] == 404
    assert agent.request("GET", "/v2/status")[0] == 404
    assert agent.request("GET", "/v1/status/")[0] == 404
    assert agent.request("GET", "/v1//status")[0] == 404
    assert agent.request("GET", "/v1/a/b/c/d/e/f/g/h")[0] == 404
    assert agent.request("PUT", "/v1/status")[0] == 405
    assert agent.request("DELETE", "/v1/policies")[0] == 405
    assert agent.request("POST", "/v1/policies/networkpolicy/shop/a", "x")[0] == 405
    assert agent.request("GET", "/v1/violations?n=x")[0] == 400
    assert agent.request("GET", "/v1/policies?format=xml")[0] == 400
    assert agent.apply("")[0] == 400
    assert agent.apply("# nothing\n---\n")[0] == 400
    assert agent.apply("\0\xff\xfe")[0] == 422
    for path in ("/v1/policies/networkpolicy/..%2f..%2fetc/passwd", "/v1/policies/networkpolicy/shop/%00"):
        assert agent.request("DELETE", path)[0] == 404
    assert agent.status()["ready"]


def test_a_body_that_is_too_large(agent):
    conn = UnixHTTP(agent.dir / "run/api.sock")
    conn.putrequest("POST", "/v1/policies")
    conn.putheader("Content-Length", str(16 * 1024 * 1024 + 1))
    conn.endheaders()
    answer = conn.getresponse()
    assert answer.status == 413 and "larger than" in json.loads(answer.read())["error"]
    conn.close()
    # Exactly as much as may be: read, and then found wanting.
    assert agent.apply("#" * (16 * 1024 * 1024))[0] == 400


def test_who_is_not_root_reads_only(agent):
    def as_nobody(*args):
        return run("setpriv", "--reuid", "65534", "--regid", "0", "--clear-groups", "--bounding-set", "-all",
                   "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", agent.dir / "run/api.sock",
                   *args).stdout
    agent.dir.chmod(0o755)
    assert as_nobody("http://x/v1/status") == "200"
    assert as_nobody("-X", "POST", "--data-binary", policy(), "http://x/v1/policies") == "403"
    assert as_nobody("-X", "DELETE", "http://x/v1/policies/networkpolicy/shop/a") == "403"
    assert as_nobody("-X", "POST", "http://x/v1/flush") == "403"
    assert agent.names() == []


def test_everything_as_yaml_can_be_applied_again(agent):
    agent.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: a-b}}\n---\n" +
                policy("a") + "---\n" + policy("b"))
    status, text = agent.request("GET", "/v1/policies?format=yaml")
    assert status == 200 and text.count("kind:") == 3
    assert {i["result"] for i in agent.apply(text)[1]["applied"]} == {"unchanged"}
    assert agent.request("GET", "/v1/policies/namespace/shop")[0] == 200
    (shop,) = agent.get("/v1/policies")["others"]
    assert shop["kind"] == "Namespace" and shop["name"] == "shop" and shop["labels"]["team"] == "a-b"
    # What stands in no namespace has none in its path, and what stands in one has.
    assert agent.request("GET", "/v1/policies/namespace/default/shop")[0] == 404
    assert agent.request("DELETE", "/v1/policies/networkpolicy/a")[0] == 404
    assert agent.request("DELETE", "/v1/policies/namespace/shop")[0] == 200
    assert agent.request("GET", "/v1/policies/namespace/shop")[0] == 404


def test_endpoint_manifests(agent):
    status, _ = agent.apply("""apiVersion: bulkhead.network/v1alpha1
kind: Endpoint
metadata: {name: far, namespace: shop, labels: {role: client}}
spec:
  addresses: [10.9.9.9, "fd00::9"]
  node: n2
  ports: [{name: http, port: 80, protocol: TCP}]
""")
    assert status == 200
    (e,) = agent.get("/v1/endpoints")["endpoints"]
    assert e["name"] == "far" and e["local"] is False and e["source"] == "manifest" and e["node"] == "n2"
    assert e["addresses"] == ["10.9.9.9", "fd00::9"] and e["ports"] == [
        {"name": "http", "port": 80, "protocol": "TCP"}]
    assert agent.status()["endpoints"]["remote"] == 1
    text = agent.request("GET", "/v1/policies/endpoint/shop/far")[1]
    assert agent.apply(text)[1]["applied"][0]["result"] == "unchanged"


def test_rule_set_as_text(agent):
    agent.apply(policy())
    status, text = agent.request("GET", "/v1/ruleset")
    assert status == 200 and f"revision {agent.status()['revision']['rules']}" in text


def test_revisions(agent):
    """Every change of policies is one; rules of its own it has only if it makes a difference here."""
    before = agent.status()["revision"]
    agent.apply(policy())
    after = agent.status()["revision"]
    assert after["enforced"] == after["wanted"] == before["enforced"] + 1 and after["rules"] == before["rules"]
    agent.ask(agent.add_request("v0", "10.0.0.1"))
    there = agent.status()["revision"]
    assert there["rules"] == there["enforced"] > after["enforced"]
    agent.ask(agent.add_request("v1", "10.0.0.2"))  # like the other one
    assert agent.status()["revision"] == there
    assert all(w["revision"] == there["rules"] for w in agent.status()["workers"])


def test_last_records_and_flush(agent):
    assert agent.request("POST", "/v1/flush") == (200, "{}\n")
    agent.apply(policy())
    lines = [json.loads(x) for x in agent.request("GET", "/v1/violations")[1].splitlines()]
    assert [r["seq"] for r in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["kind"] == "policy" and lines[-1]["revision"] == agent.revision()
    assert len(agent.request("GET", "/v1/violations?n=1")[1].splitlines()) == 1
    assert agent.request("GET", "/v1/violations?n=0")[1] == ""
    assert agent.records() == lines


class Follower:
    def __init__(self, agent, query="?follow=1&n=0"):
        self.conn = UnixHTTP(agent.dir / "run/api.sock")
        self.conn.request("GET", "/v1/violations" + query)
        self.answer = self.conn.getresponse()
        assert self.answer.status == 200

    def line(self):
        return json.loads(self.answer.readline())


def test_followers_see_every_record(agent):
    followers = [Follower(agent) for _ in range(20)]
    revision = agent.apply(policy())[1]["revision"]
    for f in followers:
        assert f.line()["revision"] == revision
    # Half of them leave without a word; the others go on.
    for f in followers[::2]:
        f.conn.sock.close()
        f.conn.close()
    revision = agent.apply(policy(port=81))[1]["revision"]
    for f in followers[1::2]:
        assert f.line()["revision"] == revision
        f.conn.close()
    f = Follower(agent, "?follow=1&n=1")
    assert f.line()["revision"] == revision
    f.conn.close()


def test_followers_end_with_the_agent(agent):
    f = Follower(agent)
    assert agent.stop() == 0
    assert f.answer.readline()  # the record that it stops
    assert f.answer.read() == b""


def test_many_at_once(agent):
    agent.apply(policy())
    failures = []

    def ask(n):
        try:
            for i in range(20):
                assert agent.request("GET", "/v1/status")[0] == 200
                if n == 0:
                    assert agent.apply(policy("x", 100 + i))[0] == 200
        except Exception as e:  # noqa: BLE001
            failures.append(e)
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_garbage_does_no_harm(agent):
    for data in (b"\0" * 100, b"GET\r\n\r\n", b"GET /v1/status HTTP/9.9\r\n\r\n", b"X" * 100000,
                 b"POST /v1/policies HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"POST /v1/policies HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nshort"):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(agent.dir / "run/api.sock"))
            s.sendall(data)
    assert agent.status()["ready"]
