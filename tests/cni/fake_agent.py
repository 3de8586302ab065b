"""A stand-in for the agent's end of cni.sock (docs/api.md), for tests that are about the plugin alone.

It judges nothing: it remembers what it was asked, looks at the veth's link group at that moment, and answers what the
test told it to. The end-to-end tests run the real agent.
"""
import array
import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

QUARANTINE, MANAGED = 0x42480001, 0x42480002


def link_group(netns, name):
    """The link group as a number, None if there is no such link."""
    done = subprocess.run(["ip", "-n", netns, "-j", "-d", "link", "show", "dev", name], capture_output=True, text=True)
    if done.returncode:
        return None
    group = json.loads(done.stdout)[0]["group"]
    return 0 if group == "default" else int(group)


class FakeAgent:
    def __init__(self, run_dir, netns):
        self.netns = netns
        self.requests = []  # in the order they came
        self.groups = []  # link group of the host's end when an add came
        self.namespaces = []  # (dev, ino) of the descriptor that came with an add
        self.answer = {"ok": True, "state": "enforced", "revision": 1}
        self.hold = None  # an Event: add answers only when it is set
        self.path = os.path.join(run_dir, "cni.sock")
        os.makedirs(run_dir, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(run_dir, os.O_PATH | os.O_DIRECTORY)
        self.listener.bind(f"/proc/self/fd/{folder}/cni.sock")
        os.close(folder)
        self.listener.listen(128)
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn:
            data, fds = b"", array.array("i")
            while len(data) < 4 or len(data) < 4 + struct.unpack("!I", data[:4])[0]:
                part, ancillary, _, _ = conn.recvmsg(65536, socket.CMSG_SPACE(4))
                if not part:
                    return
                data += part
                for level, kind, content in ancillary:
                    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                        fds.frombytes(content[:4])
            request = json.loads(data[4:])
            answer = {"ok": True, "state": "enforced", "revision": 1}
            if request["op"] == "add":
                answer = self.add(request, fds)
            else:
                with self.lock:
                    self.requests.append(request)
                    if request["op"] != "del":
                        answer = self.answer
            for fd in fds:
                os.close(fd)
            if answer is None:
                return
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            with contextlib.suppress(OSError):  # who asked may be gone
                conn.sendall(struct.pack("!I", len(body)) + body)

    def add(self, request, fds):
        group = link_group(self.netns, request["host"]["name"])
        with self.lock:
            self.requests.append(request)
            self.groups.append(group)
            self.namespaces.append([(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in fds])
            answer, hold = self.answer, self.hold
        if hold:
            hold.wait(30)
        if isinstance(answer, dict) and answer.get("state") == "enforced":
            subprocess.run(["ip", "-n", self.netns, "link", "set", "dev", request["host"]["name"], "group",
                            str(MANAGED)], capture_output=True)
        return answer

    def ops(self, op):
        with self.lock:
            return [r for r in self.requests if r["op"] == op]

    def close(self):
        # shutdown wakes accept(2), close alone does not
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)
        self.thread.join(10)
