#!/usr/bin/env python3
"""A TCP server for the quickstart: counts every byte it receives, over all connections, into a file.

Usage: meter.py PORT FILE
"""
import os
import socket
import sys
import threading

port, path = int(sys.argv[1]), sys.argv[2]
lock = threading.Lock()
total = 0


def write():
    with open(path + ".new", "w") as f:
        f.write(str(total))
    os.rename(path + ".new", path)


def serve(conn):
    global total
    try:
        while data := conn.recv(65536):
            with lock:
                total += len(data)
                write()
    except OSError:
        pass  # reset: that is what the policy does
    finally:
        conn.close()


write()
listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
