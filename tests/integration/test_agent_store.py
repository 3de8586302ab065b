"""The policy folder and what was applied: what counts, what is kept when something breaks."""
import json
import os
import shutil
import signal

from agent_host import *  # noqa: F403


def test_files_come_change_and_go(agent):
    agent.write("a.yaml", policy("a"))
    wait_for("a is in force", lambda: agent.names() == ["a"])
    (p,) = agent.get("/v1/policies")["policies"]
    assert p["origin"] == "folder" and p["file"] == str(agent.policies / "a.yaml")
    (agent.policies / "sub").mkdir()
    (agent.policies / "sub/b.yml").write_text(policy("b"))
    (agent.policies / "c.json").write_text(json.dumps({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "c"},
        "spec": {"podSelector": {}}}))
    (agent.policies / "notes.txt").write_text("not a policy")
    (agent.policies / ".hidden.yaml").write_text(BROKEN)
    wait_for("all are in force", lambda: agent.names() == ["a", "b", "c"])
    agent.write("a.yaml", policy("a", 8080))
    wait_for("the change is in force",
             lambda: "8080" in agent.request("GET", "/v1/policies/networkpolicy/shop/a")[1])
    (agent.policies / "a.yaml").unlink()
    shutil.rmtree(agent.policies / "sub")
    wait_for("they are gone", lambda: agent.names() == ["c"])
    assert agent.status()["policies"]["ok"]


def test_a_mounted_configmap(agent):
    """Files are links into a folder that is swapped by one rename."""
    for n, port in (("1", 80), ("2", 8080)):
        (agent.policies / f"..{n}").mkdir()
        (agent.policies / f"..{n}/web.yaml").write_text(policy("web", port))
    (agent.policies / "..data").symlink_to("..1")
    (agent.policies / "web.yaml").symlink_to("..data/web.yaml")
    wait_for("it is in force", lambda: agent.names() == ["web"])
    (agent.policies / "..new").symlink_to("..2")
    (agent.policies / "..new").rename(agent.policies / "..data")
    wait_for("the swap is in force",
             lambda: "8080" in agent.request("GET", "/v1/policies/networkpolicy/shop/web")[1])


def test_a_broken_file_keeps_the_last_good_set(agent):
    agent.write("a.yaml", policy("a"))
    wait_for("a is in force", lambda: agent.names() == ["a"])
    revision = agent.revision()
    agent.write("a.yaml", policy("a", 8080))
    agent.write("broken.yaml", BROKEN)
    s = wait_for("status says so", lambda: not agent.status()["policies"]["ok"] and agent.status())
    (d,) = s["policies"]["diagnostics"]
    assert d["file"] == str(agent.policies / "broken.yaml") and d["line"] == 6 and d["column"] == 3
    assert "ingres" in d["message"] and "ingress" in d["hint"]
    assert any("last good" in w for w in s["warnings"])
    assert "8080" not in agent.request("GET", "/v1/policies/networkpolicy/shop/a")[1]
    assert agent.revision() == revision and s["revision"]["error"] is None
    (record,) = agent.records(kind="policy", event="rejected")
    assert record["errors"] == 1
    # What is applied meanwhile goes with the last good files.
    assert agent.apply(policy("x"))[0] == 200
    assert agent.names() == ["a", "x"]
    (agent.policies / "broken.yaml").unlink()
    wait_for("all is well", lambda: agent.status()["policies"]["ok"])
    wait_for("the change counts now",
             lambda: "8080" in agent.request("GET", "/v1/policies/networkpolicy/shop/a")[1])


def test_a_file_that_cannot_be_read(agent):
    agent.write("a.yaml", policy("a"))
    wait_for("a is in force", lambda: agent.names() == ["a"])
    (agent.policies / "dangling.yaml").symlink_to("nowhere")
    wait_for("status says so", lambda: not agent.status()["policies"]["ok"])
    (agent.policies / "dangling.yaml").unlink()
    os.mkfifo(agent.policies / "pipe.yaml")
    wait_for("status says so", lambda: "pipe.yaml" in json.dumps(agent.status()["policies"]["diagnostics"]))
    assert agent.names() == ["a"]
    (agent.policies / "pipe.yaml").unlink()
    wait_for("all is well", lambda: agent.status()["policies"]["ok"])


def test_a_vanished_folder_keeps_the_last_good_set(agent):
    agent.write("a.yaml", policy("a"))
    wait_for("a is in force", lambda: agent.names() == ["a"])
    agent.policies.rename(agent.dir / "elsewhere")
    wait_for("status says so", lambda: not agent.status()["policies"]["ok"])
    assert agent.names() == ["a"] and any("cannot be read" in w for w in agent.status()["warnings"])
    # Also for an agent that starts meanwhile.
    agent.kill()
    agent.start()
    assert agent.names() == ["a"] and not agent.status()["policies"]["ok"]
    # Another folder in its place counts, and is watched.
    agent.policies.mkdir()
    wait_for("an empty folder is an empty set", lambda: agent.names() == [] and agent.status()["policies"]["ok"])
    agent.write("b.yaml", policy("b"))
    wait_for("b is in force", lambda: agent.names() == ["b"])


def test_no_folder_at_the_first_start(stopped):
    stopped.policies.rmdir()
    stopped.start()
    s = stopped.status()
    assert s["ready"] and s["policies"]["ok"] and any("counts as empty" in w for w in s["warnings"])
    assert stopped.apply(policy("x"))[0] == 200
    stopped.kill()
    stopped.start()
    assert stopped.names() == ["x"]
    stopped.policies.mkdir()
    stopped.write("a.yaml", policy("a"))
    wait_for("it is seen when it comes", lambda: stopped.names() == ["a", "x"])


def test_start_with_a_broken_folder(agent):
    agent.write("a.yaml", policy("a"))
    wait_for("a is in force", lambda: agent.names() == ["a"])
    agent.apply(policy("x"))
    agent.kill()
    agent.write("a.yaml", BROKEN)
    agent.start()
    s = agent.status()
    assert s["ready"] and not s["policies"]["ok"] and len(s["policies"]["diagnostics"]) == 1
    assert agent.names() == ["a", "x"]


def test_a_broken_folder_and_nothing_known(stopped):
    stopped.write("a.yaml", BROKEN)
    stopped.start()
    s = stopped.status()
    assert not s["ready"] and not s["policies"]["ok"] and s["revision"]["enforced"] == 0
    assert "no policies are known" in s["revision"]["error"]
    # Nobody leaves the quarantine: which policies hold is not known.
    answer = stopped.ask(stopped.add_request("v1", "10.0.0.1"))
    assert answer["ok"] is False and answer["retry"] is True and "polic" in answer["msg"]
    assert stopped.group("v1") == QUARANTINE
    assert stopped.apply(policy("x"))[0] == 503
    stopped.write("a.yaml", policy("a"))
    wait_for("it is mended", lambda: stopped.status()["ready"])
    assert stopped.names() == ["a"]
    assert stopped.ask(again(stopped, "v1", "10.0.0.1"))["ok"]


def again(agent, name, ip):
    index = json.loads(run("ip", "-n", agent.ns, "-j", "link", "show", name).stdout)[0]["ifindex"]
    return agent.add_request(name, ip, index)


def test_one_object_in_both_places(agent):
    agent.write("a.yaml", policy("a"))
    wait_for("a is in force", lambda: agent.names() == ["a"])
    status, answer = agent.apply(policy("a", 8080))
    assert status == 409 and "a.yaml" in answer["error"]
    status, text = agent.request("DELETE", "/v1/policies/networkpolicy/shop/a")
    assert status == 409 and "a.yaml" in json.loads(text)["error"]
    # The other way round: the file is the error.
    assert agent.apply(policy("b"))[0] == 200
    agent.write("b.yaml", policy("b", 8080))
    s = wait_for("status says so", lambda: not agent.status()["policies"]["ok"] and agent.status())
    assert s["policies"]["diagnostics"][0]["code"] == "e14"
    assert agent.request("DELETE", "/v1/policies/networkpolicy/shop/b")[0] == 200
    wait_for("now the file counts", lambda: agent.status()["policies"]["ok"] and "8080" in agent.request(
        "GET", "/v1/policies/networkpolicy/shop/b")[1])


def test_applied_policies_survive(agent):
    agent.apply(policy("a") + "---\n" + policy("b"))
    agent.request("DELETE", "/v1/policies/networkpolicy/shop/b")
    revision = agent.revision()
    agent.kill()
    agent.start()
    assert agent.names() == ["a"] and agent.revision() > revision
    assert agent.stop() == 0
    agent.start()
    assert agent.names() == ["a"]


def test_a_change_cut_short_is_finished_or_never_was(agent):
    agent.apply(policy("a") + "---\n" + policy("b"))
    applied = agent.dir / "state/applied"
    agent.kill()
    # Killed before the change counted: as if it had never been.
    (applied / ".stage").mkdir()
    (applied / ".stage/networkpolicy_shop_never.yaml").write_text(policy("never"))
    agent.start()
    assert agent.names() == ["a", "b"] and not (applied / ".stage").exists()
    agent.kill()
    # Killed after it counted, before all files stood in their places.
    (applied / ".commit").mkdir()
    (applied / ".commit/networkpolicy_shop_new.yaml").write_text(policy("new"))
    (applied / ".commit/networkpolicy_shop_a.yaml.removed").write_text("")
    agent.start()
    assert agent.names() == ["b", "new"] and not (applied / ".commit").exists()


def test_reload_by_signal(agent):
    """Files that no watch tells of: a link whose target lies elsewhere."""
    target = agent.dir / "target.yaml"
    target.write_text(policy("a"))
    (agent.policies / "a.yaml").symlink_to(target)
    wait_for("a is in force", lambda: agent.names() == ["a"])
    target.write_text(policy("b"))
    os.kill(agent.child.pid, signal.SIGHUP)
    wait_for("b is in force", lambda: agent.names() == ["b"], 3)


def test_a_thousand_files(agent):
    for i in range(1000):
        (agent.policies / f"p{i}.yaml").write_text(policy(f"p{i}", 1 + i))
    wait_for("all are in force", lambda: len(agent.names()) == 1000, 30)
    agent.write("p7.yaml", policy("other", 7))
    wait_for("the change is in force", lambda: "other" in agent.names())
