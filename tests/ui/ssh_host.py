"""An ssh server of its own on the loopback, run as the current user, and what ssh needs for it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from memplanner_ui.engine import Place

NAME = "far-machine"
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


class SshHost:
    """``sshd`` with keys made in ``folder``; nothing of the user's own configuration is read."""

    def __init__(self, folder: Path) -> None:
        assert SSHD is not None, "packaging/system_packages.py --tests installs openssh-server"
        self.folder = folder
        self.cache = folder / "cache"
        for name in ("host_key", "user_key", "other_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name],
                check=True,
            )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        host_key = (folder / "host_key.pub").read_text()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        (folder / "unknown").write_text("")
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host_key\n"
            f"AuthorizedKeysFile {folder}/user_key.pub\nPidFile none\nStrictModes no\n"
            "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"SetEnv XDG_CACHE_HOME={self.cache} XDG_DATA_HOME={folder}/data OMP_NUM_THREADS=1 "
            f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd asks for it, as systemd makes it
        self.log = folder / "sshd.log"
        self._process = subprocess.Popen(
            [SSHD, "-D", "-f", folder / "sshd_config", "-E", self.log],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._await()

    def _await(self) -> None:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self._process.poll() is None, self.log.read_text()
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self.log.read_text())

    @property
    def process_id(self) -> int:
        """Of the listening server; each connection is a child of it."""
        return self._process.pid

    def place(
        self, python: str = "", *, known: bool = True, key: str = "user_key", port: int = 0
    ) -> Place:
        """How a window gets here."""
        config = self.folder / f"config-{known}-{key}-{port}"
        config.write_text(
            f"Host {NAME}\nHostName 127.0.0.1\nPort {port or self.port}\nUser {getpass.getuser()}\n"
            f"IdentityFile {self.folder}/{key}\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"GlobalKnownHostsFile none\n"
            f"UserKnownHostsFile {self.folder}/{'known' if known else 'unknown'}\n"
        )
        return Place(host=NAME, python=python, options=("-F", str(config)))

    def end(self) -> None:
        """Ends the server."""
        self._process.terminate()
        self._process.wait()
