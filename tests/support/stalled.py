"""Opens streams and never reads them. Usage: stalled.py PORT CHANNEL COUNT.

Prints a line when all streams are open. Ends when stdin ends.
"""

import socket
import sys

port, channel, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
request = f"GET /channels/{channel} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
sockets = []
for _ in range(count):
    connection = socket.socket()
    # With a small buffer of the kernel, the stream stalls soon.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request)
    sockets.append(connection)
print("open", flush=True)
sys.stdin.read()
