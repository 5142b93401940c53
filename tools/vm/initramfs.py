# SPDX-License-Identifier: Apache-2.0
"""The guest's file system: host programs with the libraries they link to.

The kernel unpacks several cpio archives one after the other, so modules
(cached, kernel.py), user space (this file) and the job are archives of their
own.  Everything of the build tree keeps its absolute path: tests find
natrixd, natrix and their fixtures where the build told them they are.
"""

import os
import pathlib
import re
import shutil
import stat
import subprocess

from kernel import pack

# Programs of the guest beside busybox.  Full ones where busybox has an applet
# of the same name with other options (ip, mount, ping, timeout, unshare ...).
PROGRAMS = (
    "bash", "dash", "ip", "tc", "ss", "bridge", "ethtool", "ping", "tcpdump", "iperf3", "sysctl",
    "curl", "dig", "dnsmasq",
    "bpftool", "conntrack", "ipset", "nft", "modprobe", "lsmod", "rmmod", "mount", "umount",
    "unshare", "nsenter", "setpriv", "timeout", "taskset", "stat", "ls", "cat", "rm", "sleep", "date",
    "env", "id", "tee", "sort", "tail", "mktemp", "readlink", "grep", "sed", "awk", "find", "ps", "kill",
    "iptables", "iptables-save", "iptables-restore",
    "ip6tables", "ip6tables-save", "ip6tables-restore",
    "iptables-legacy", "iptables-legacy-save", "iptables-legacy-restore",
    "ip6tables-legacy", "ip6tables-legacy-save", "ip6tables-legacy-restore",
    "iptables-nft", "iptables-nft-save", "iptables-nft-restore",
    "ip6tables-nft", "ip6tables-nft-save", "ip6tables-nft-restore",
)
# iptables-nft's and iproute2's tables of names, and what getaddrinfo reads.
DATA = ("/etc/protocols", "/etc/services", "/etc/ethertypes", "/etc/xtables.conf",
        "/etc/iproute2", "/usr/share/iproute2")
PLUGIN_FOLDERS = ("xtables",)
APPLETS_BEHIND_PROGRAMS = "/natrix/busybox"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class InitramfsError(Exception):
    """A sentence for the user: what the guest would lack."""


class Tree:
    """A folder that becomes an archive; remembers what it already holds."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self._seen = set()

    def add(self, path, strip=False):
        """Copies a file under its own path, and every symbolic link on its way."""
        path = pathlib.Path(os.path.abspath(path))
        if path in self._seen:
            return
        self._seen.add(path)
        folder = self.add_host_folder(path.parent)
        to = folder / path.name
        if path.is_symlink():
            if not to.is_symlink():
                to.symlink_to(os.readlink(path))
            self.add(path.parent / os.readlink(path), strip)
            return
        shutil.copy2(path, to)
        if strip:
            subprocess.run(["strip", "--strip-debug", str(to)], check=False,
                           stderr=subprocess.DEVNULL)

    def add_program(self, path, strip=False):
        self.add(path, strip)
        for library in libraries_of(path):
            self.add(library)

    def add_folder_of_data(self, folder):
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_file():
                self.add(path)

    def write(self, path, text, mode=0o644):
        to = self.add_host_folder(pathlib.Path(path).parent) / pathlib.Path(path).name
        to.write_text(text)
        to.chmod(mode)

    def add_host_folder(self, path):
        """The place of `path` in the tree, with the host's links (/lib -> usr/lib) kept."""
        place = self.folder
        host = pathlib.Path("/")
        for part in path.parts[1:]:
            host = host / part
            if host.is_symlink():
                target = os.readlink(host)
                if not (place / part).is_symlink():
                    (place / part).symlink_to(target)
                host = pathlib.Path(os.path.abspath(host.parent / target))
                place = self.add_host_folder(host)
            else:
                place = place / part
                place.mkdir(exist_ok=True)
        return place


def libraries_of(path):
    done = subprocess.run(["ldd", str(path)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if "not found" in done.stdout:
        raise InitramfsError(f"{path} links to a library that is not here:\n{done.stdout}")
    return re.findall(r"(?:=> |^\t)(/\S+)", done.stdout, re.MULTILINE)


def build(archive, work, programs, data):
    """Writes user space: the programs above, those of the build, and data files."""
    tree = Tree(work)
    for folder in ("proc", "sys", "dev", "tmp", "run", "root", "etc", "var/tmp", "natrix"):
        (tree.folder / folder).mkdir(parents=True, exist_ok=True)
    (tree.folder / "tmp").chmod(0o777 | stat.S_ISVTX)
    _add_host_programs(tree)
    for program in programs:
        tree.add_program(program, strip=True)
    for path in data:
        if os.path.isdir(path):
            tree.add_folder_of_data(path)
        else:
            tree.add(path)
    tree.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    tree.write("/etc/group", "root:x:0:\n")
    tree.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    tree.write("/etc/nsswitch.conf", "hosts: files\nprotocols: files\nservices: files\n")
    shutil.copy(pathlib.Path(__file__).parent / "init", tree.folder / "init")
    (tree.folder / "init").chmod(0o755)
    pack(tree.folder, archive)


def _add_host_programs(tree):
    missing = [name for name in (*PROGRAMS, "busybox") if not shutil.which(name, path=SEARCH)]
    if missing:
        raise InitramfsError(f"not installed: {' '.join(missing)} (tools/deps --vm installs them)")
    for name in PROGRAMS:
        path = shutil.which(name, path=SEARCH)
        tree.add_program(path)
        # The alternatives' target, and the multi-call binary behind it, by real path too.
        tree.add_program(os.path.realpath(path))
    for folder in ("/bin", "/sbin", "/lib"):
        tree.add_host_folder(pathlib.Path(folder))
    shell = tree.folder / "usr/bin/sh"
    if not shell.is_symlink():
        shell.symlink_to("dash")
    # Applets are the last folder of PATH, so that a full program always wins.
    applets = tree.folder / APPLETS_BEHIND_PROGRAMS.lstrip("/")
    applets.mkdir(parents=True)
    shutil.copy(shutil.which("busybox", path=SEARCH), applets / "busybox")
    listed = subprocess.run([str(applets / "busybox"), "--list"], text=True, check=True,
                            stdout=subprocess.PIPE)
    for applet in listed.stdout.split():
        if applet != "busybox":
            (applets / applet).symlink_to("busybox")
    for plugin in sorted(p for folder in PLUGIN_FOLDERS
                         for p in pathlib.Path("/usr/lib").glob(f"*/{folder}/*.so")):
        tree.add_program(plugin)
    for path in DATA:
        if os.path.isdir(path):
            tree.add_folder_of_data(path)
        elif os.path.exists(path):
            tree.add(path)
