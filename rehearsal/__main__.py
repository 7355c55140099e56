"""Starts the rehearsal platforms on this machine only: ``python -m rehearsal --port 8485 --dir DIR``."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from pathlib import Path

import uvicorn

from rehearsal.app import serve_from


def main() -> int:
    """Serve until told to stop; prints the address once connections are taken (``--port 0`` picks a free one)."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    wanted = parser.parse_args()
    if not ipaddress.ip_address(wanted.host).is_loopback:
        parser.error(f"{wanted.host} can be reached from outside; the rehearsal platforms serve this machine only")
    family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
    server = uvicorn.Server(
        uvicorn.Config(
            serve_from(wanted.dir),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="wsproto",
            timeout_graceful_shutdown=1,
        )
    )
    with socket.create_server((wanted.host, wanted.port), family=family, backlog=1024) as listener:
        host = f"[{wanted.host}]" if family == socket.AF_INET6 else wanted.host
        sys.stdout.write(f"http://{host}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
