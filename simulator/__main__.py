"""Start the simulator: `python -m simulator --port 8090 --state DIR --backend URL`."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from werkzeug.serving import WSGIRequestHandler, make_server

from simulator.app import create_app
from simulator.mail import MailServer
from simulator.outbox import Outbox
from simulator.world import World


class QuietHandler(WSGIRequestHandler):
    """Serves without a line on the terminal for each request; the journal has them all."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="0 picks a free one")
    parser.add_argument("--mail-port", type=int, default=0, help="of SMTP; 0 picks a free one")
    parser.add_argument("--state", type=Path, help="folder that keeps accounts and state")
    parser.add_argument("--backend", default="http://127.0.0.1:8080", help="where pushes go")
    parser.add_argument("--seed", type=int, help="makes ids repeatable")
    parser.add_argument("--parent-pid", type=int, help="end when this process does")
    return parser.parse_args(arguments)


def _watch_parent(parent_pid: int, stop: threading.Event) -> None:
    # An orphan gets another parent. The named process need not be the direct parent, when a
    # wrapper stands between, so that it exists at all is asked too.
    direct = os.getppid()
    while os.getppid() == direct and _exists(parent_pid) and not stop.is_set():
        time.sleep(0.5)
    stop.set()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT, or until the parent has gone."""
    options = read_arguments(arguments)
    stop = threading.Event()

    def ask_to_stop(_signum: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    world = World(folder=options.state, backend=options.backend, seed=options.seed)
    outbox = Outbox(world)
    server = make_server(
        "127.0.0.1",
        options.port,
        create_app(world, outbox),
        threaded=True,
        request_handler=QuietHandler,
    )
    world.base_url = f"http://127.0.0.1:{server.server_port}"
    mail = MailServer(world, options.mail_port)
    mail.start()
    world.mail_port = mail.port
    outbox.start()
    threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
    if options.parent_pid:
        threading.Thread(
            target=_watch_parent, args=(options.parent_pid, stop), name="parent", daemon=True
        ).start()
    print(json.dumps({"ready": True, "url": world.base_url}), flush=True)
    stop.wait()
    mail.close()
    outbox.close()
    server.shutdown()
    world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
