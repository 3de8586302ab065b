"""Rules that a tool can check: format, analysis, layers, headers, shell, texts, examples."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("BH_SOURCE_ROOT", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("BH_BUILD_ROOT", ROOT / "build"))
FOLDERS = ["common", "policy", "dataplane", "agent", "cni", "cli", "tests"]


def tracked(*suffixes):
    out = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    return [ROOT / f for f in out if f and f.endswith(suffixes) and (ROOT / f).is_file()]


def sources(*suffixes):
    return [f for f in tracked(*suffixes) if f.relative_to(ROOT).parts[0] in FOLDERS]


def run(*args, **kwargs):
    return subprocess.run([str(a) for a in args], cwd=ROOT, capture_output=True, text=True, **kwargs)


def test_format():
    files = sources(".c", ".h")
    assert files
    done = run("clang-format", "--dry-run", "-Werror", *files)
    bad = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "error:" in line})
    assert done.returncode == 0, "not as clang-format writes it: " + ", ".join(bad)


def test_cppcheck():
    files = [f for f in sources(".c") if f.relative_to(ROOT).parts[0] != "tests"]
    done = run("cppcheck", "-q", "-j2", "--enable=warning,performance,portability", "--error-exitcode=1",
               "--inline-suppr", "--library=posix", "--std=c11", "-I", ROOT, "-I", BUILD, "-D_GNU_SOURCE",
               "--suppress=missingIncludeSystem", "--suppress=unknownMacro",
               # It does not know the cleanup attribute; LeakSanitizer holds what these would.
               "--suppress=resourceLeak", "--suppress=memleak",
               "--suppress=normalCheckLevelMaxBranches", *files)
    assert done.returncode == 0, done.stderr


# Who may include whom: data flow one way. A folder always sees itself and common/.
LAYERS = {
    "common": [],
    "policy": [],
    "dataplane/classifier": ["policy", "dataplane"],
    "dataplane/kernel": ["policy", "dataplane"],
    "dataplane/worker": ["policy", "dataplane", "dataplane/classifier"],
    "dataplane": ["policy"],
    "agent": ["policy", "dataplane", "dataplane/kernel", "dataplane/worker", "dataplane/classifier"],
    "cni": [],
    "cli": ["policy", "dataplane", "dataplane/classifier", "dataplane/kernel", "dataplane/worker"],
}


def folder_of(path):
    parts = Path(path).parts
    if parts[0] == "dataplane" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def test_layers():
    bad = []
    for f in sources(".c", ".h"):
        rel = f.relative_to(ROOT)
        mine = folder_of(rel)
        if mine == "tests":
            continue
        for n, line in enumerate(f.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not m or m[1] == "config.h":
                continue
            theirs = folder_of(m[1])
            if "/" not in m[1]:
                bad.append(f"{rel}:{n}: include \"{m[1]}\" from the root of the tree")
            elif theirs not in (mine, "common", *LAYERS[mine]):
                bad.append(f"{rel}:{n}: {mine} must not see {theirs}")
    assert not bad, "\n".join(bad)


# Libraries that only one place may know.
ONLY = {
    r"<ndpi": ["dataplane/classifier/name_ndpi.c"],
    r"<libnftnl": ["dataplane/kernel/", "tests/"],
    r"<yaml\.h>": ["policy/load/yaml.c"],
    r"<microhttpd": ["agent/"],
    r"<curl/": ["cli/", "agent/"],
    r"<netlink/": ["cni/", "agent/"],
    r"<pcap": ["dataplane/worker/replay", "tests/"],
    r"<uthash": ["common/map.h"],
}


def test_libraries_have_one_home():
    bad = []
    for f in sources(".c", ".h"):
        rel = str(f.relative_to(ROOT))
        for n, line in enumerate(f.read_text().splitlines(), 1):
            for pattern, homes in ONLY.items():
                if re.match(r"\s*#\s*include\s+" + pattern, line) and not rel.startswith(tuple(homes)):
                    bad.append(f"{rel}:{n}: {line.strip()} belongs to {', '.join(homes)}")
    assert not bad, "\n".join(bad)


def test_policy_and_classifier_are_pure():
    """No sockets, no clock, no log, no threads below the ones who decide."""
    forbidden = re.compile(r'\b(socket|connect|sendmsg|recvmsg|clock_gettime|bh_clock_now|pthread_\w+|time)\s*\('
                           r'|#include "common/(log|loop)\.h"')
    bad = []
    for f in sources(".c"):
        rel = f.relative_to(ROOT)
        if folder_of(rel) not in ("policy", "dataplane/classifier"):
            continue
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), f.read_text(), flags=re.S)
        for n, line in enumerate(text.splitlines(), 1):
            if forbidden.search(line):
                bad.append(f"{rel}:{n}: {line.strip()}")
    assert not bad, "\n".join(bad)


def test_headers_stand_alone(tmp_path):
    flags = set()
    for name in ("jansson", "yaml-0.1", "libmnl", "libnftnl", "libnl-3.0", "libnl-route-3.0", "libndpi",
                 "libmicrohttpd", "libpcap"):
        flags.update(run("pkg-config", "--cflags", name).stdout.split())
    source = tmp_path / "h.c"
    bad = []
    for f in [h for h in sources(".h") if h.name != "banned.h"]:
        rel = f.relative_to(ROOT)
        source.write_text(f'#include "{rel}"\n#include "{rel}"\n')
        done = run("gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-I", ROOT, "-I", BUILD,
                   *sorted(flags), source)
        if done.returncode:
            bad.append(f"{rel}: {done.stderr.splitlines()[0]}")
    assert not bad, "\n".join(bad)


def test_every_file_says_what_it_is():
    bad = []
    for f in sources(".c", ".h"):
        head = f.read_text().splitlines()[:6]
        rel = str(f.relative_to(ROOT))
        if not head or "SPDX-License-Identifier: GPL-3.0-or-later" not in head[0]:
            bad.append(f"{rel}: the first line is not the licence (SPDX)")
        elif not any(rel in line and " - " in line for line in head):
            bad.append(f"{rel}: no introduction \"{rel} - what it is\" at the top")
    assert not bad, "\n".join(bad)


def test_descriptors_are_close_on_exec():
    rules = [
        (re.compile(r"\bsocket\s*\([^;]*"), "SOCK_CLOEXEC"),
        (re.compile(r"\baccept\s*\("), None),
        (re.compile(r"\bmnl_socket_open\s*\("), None),
        (re.compile(r"(?<![\w.])(?:open|openat)\s*\([^;]*O_[^;]*"), "O_CLOEXEC"),
        (re.compile(r"\bmemfd_create\s*\([^;]*"), "MFD_CLOEXEC"),
        (re.compile(r"\bepoll_create\s*\("), None),
        (re.compile(r"\bpipe\s*\("), None),
        (re.compile(r'\bfopen\s*\([^;]*"[rwa]\+?"'), None),
    ]
    bad = []
    for f in [s for s in sources(".c") if s.relative_to(ROOT).parts[0] != "tests"]:
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), f.read_text(), flags=re.S)
        text = re.sub(r'"(?:\\.|[^"\\\n])*"', lambda m: m[0] if m[0][1:2] in "rwa" else '""', text)
        for pattern, need in rules:
            for m in pattern.finditer(text):
                if need is None or need not in m[0]:
                    n = text.count("\n", 0, m.start()) + 1
                    bad.append(f"{f.relative_to(ROOT)}:{n}: not close-on-exec from birth: {m[0].split(chr(10))[0]}")
    assert not bad, "\n".join(bad)


def test_nothing_unfinished_and_no_machine_of_ours():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    paths = re.compile(r"/(work|farm|root|home)/[a-z]")
    bad = []
    for f in tracked(".c", ".h", ".py", ".md", ".build", ".yaml", ".sh", ".in", "run", "install"):
        rel = f.relative_to(ROOT)
        if rel.parts[:2] == ("tests", "lint") or rel.parts[:2] == ("tests", "conformance"):
            continue
        for n, line in enumerate(f.read_text(errors="replace").splitlines(), 1):
            if words.search(line) or paths.search(line):
                bad.append(f"{rel}:{n}: {line.strip()[:100]}")
    assert not bad, "\n".join(bad)


def scripts():
    found = []
    for f in tracked(""):
        try:
            first = f.open("rb").readline(64)
        except OSError:
            continue
        if re.match(rb"#!.*\b(ba)?sh\b", first):
            found.append(f)
    return found


def test_shellcheck():
    files = scripts()
    assert files
    done = run("shellcheck", *files)
    assert done.returncode == 0, done.stdout


EXAMPLES = sorted(p for p in (ROOT / "examples").rglob("*.yaml") if p.parent.name != "crd")  # those are for a cluster


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_load(path):
    """No errors, and the warnings that the comment on top announces ("lint warns: w46, ..."); tests pass."""
    if path.name.endswith(".test.yaml"):
        done = run(BUILD / "cli" / "bulkhead", "test", path)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    comment = re.match(r"(?:#.*\n)*", path.read_text())[0].partition("lint warns:")[2]
    done = run(BUILD / "cli" / "bulkhead", "lint", "-o", "json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    warned = {d["code"] for d in json.loads(done.stdout)["diagnostics"]}
    assert warned == set(re.findall(r"\bw\d+\b", comment)), done.stdout


def test_document_links():
    bad = []
    for f in tracked(".md"):
        rel = f.relative_to(ROOT)
        if rel.parts[:2] == ("tests", "conformance"):
            continue
        for target in re.findall(r"\]\(([^)#\s]+)", f.read_text()):
            if "://" not in target and not (f.parent / target).exists():
                bad.append(f"{rel}: link to {target}")
    assert not bad, "\n".join(bad)


def test_violation_log_reasons_are_documented():
    """The closed set of reasons in the code and in docs/violation-log.md is one set."""
    text = (ROOT / "docs" / "violation-log.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| `reason` |"))
    documented = set(re.findall(r"`([a-z0-9_]+)`", row)) - {"reason"}
    code = set()
    for f in (ROOT / "agent").glob("*.c"):
        code.update(re.findall(r'\[BH_VIOLATION_\w+\]\s*=\s*"([a-z0-9_]+)"', f.read_text()))
    assert code == documented
