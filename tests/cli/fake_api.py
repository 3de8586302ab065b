"""A stand-in for the agent's end of api.sock (docs/api.md), for tests that are about the program `bulkhead` alone.

It judges nothing: it answers what the test told it to and remembers what it was asked. The end-to-end tests run the
real agent.
"""
import http.server
import json
import os
import socketserver
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size).decode()
        self.server.api.requests.append((self.command, self.path, body))
        status, text = self.server.api.answers.get((self.command, self.path), (404, {"error": "there is no such thing"}))
        if callable(text):
            return self.stream(text())
        data = (text if isinstance(text, str) else json.dumps(text)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, parts):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(f"{len(part.encode()):x}\r\n{part}\r\n".encode())
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_DELETE = answer

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class FakeApi:
    def __init__(self, folder):
        self.requests = []  # (method, path, body), in the order they came
        self.answers = {}  # (method, path) -> (status, text, JSON, or a function that yields chunks)
        self.path = os.path.join(folder, "api.sock")
        self.server = Server(self.path, Handler)
        self.server.api = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def on(self, method, path, text, status=200):
        self.answers[method, path] = (status, text)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
