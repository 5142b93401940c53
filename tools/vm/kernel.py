# SPDX-License-Identifier: Apache-2.0
"""Debian's kernel of one series (6.1, 6.12), unpacked and never installed.

The cloud flavour boots fastest: two seconds under software emulation.  The full
one has the drivers of network cards.  What is kept below build/vm/<series>/,
or build/vm/<series>-full/, is the image and one cpio archive of the network
modules; the package itself is thrown away.
"""

import hashlib
import lzma
import os
import pathlib
import shutil
import subprocess
import tempfile

META_PACKAGES = {"cloud": "linux-image-cloud-amd64", "full": "linux-image-amd64"}

# Everything a node with natrix, iptables, ipset and tunnels may ask for.  The
# guest loads modules by need, through modprobe, so a superset costs only its
# bytes: about 15 MB.
MODULE_FOLDERS = (
    "net/ipv4", "net/ipv6", "net/netfilter", "net/bridge", "net/sched", "net/8021q", "net/802",
    "net/llc", "net/sctp", "net/packet", "net/unix", "net/xdp", "net/netlink", "net/core",
    "net/key", "net/xfrm", "net/psample", "drivers/net/vxlan", "drivers/net/bonding", "lib",
)
MODULE_NAMES = (
    "veth", "dummy", "ifb", "igb", "macvlan", "ipvlan", "geneve", "vrf", "tun", "tap", "crc32c_generic",
    "crc32c-intel",
)


class KernelError(Exception):
    """A sentence for the user: why there is no kernel."""


class Kernel:
    """Paths of one unpacked kernel."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.image = self.folder / "vmlinuz"
        self.modules = self.folder / "modules.cpio"
        self.release = (self.folder / "release").read_text().strip()


def get(series, cache, say, flavour="cloud"):
    """The newest packaged kernel of `series`, from the cache when it is there."""
    folder = pathlib.Path(cache) / (series if flavour == "cloud" else f"{series}-{flavour}")
    stamp = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()
    if (folder / "stamp").exists() and (folder / "stamp").read_text() == stamp:
        return Kernel(folder)
    version, package = _find(series, META_PACKAGES[flavour], say)
    say(f"kernel {series}: {package} ({version})")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as work:
        _unpack(pathlib.Path(work), package)
        if folder.exists():
            shutil.rmtree(folder)
        (pathlib.Path(work) / "keep" / "stamp").write_text(stamp)
        os.rename(pathlib.Path(work) / "keep", folder)
    return Kernel(folder)


def _run(*command, **options):
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-10:])
        raise KernelError(f"`{' '.join(command)}` failed:\n{tail}")
    return done.stdout


def _find(series, meta, say):
    """(version, package) that the newest meta package of the series depends on."""
    for attempt in range(2):
        for line in _run("apt-cache", "madison", meta).splitlines():
            version = line.split("|")[1].strip() if line.count("|") >= 2 else ""
            if version.startswith(series + "."):
                depends = _run("apt-cache", "depends", f"{meta}={version}")
                for word in depends.split():
                    if word.startswith("linux-image-") and word != meta:
                        return version, word
        if attempt == 0:
            say(f"kernel {series}: apt knows none yet, apt-get update")
            _run("apt-get", "-q", "update")
    raise KernelError(f"apt offers no {meta} of series {series}: "
                      "6.1 is in bookworm, 6.12 in bookworm-backports (tools/deps adds it)")


def _unpack(work, package):
    # apt checks the package against the signed index; as root, so that the
    # sandbox user needs no access to our folder.
    for attempt in range(3):
        try:
            _run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package, cwd=work)
            break
        except KernelError:
            if attempt == 2:
                raise
    tree, keep = work / "tree", work / "keep"
    (deb,) = work.glob("*.deb")
    _run("dpkg-deb", "--extract", str(deb), str(tree))
    deb.unlink()
    keep.mkdir()
    (image,) = list(tree.glob("boot/vmlinuz-*")) or list(tree.glob("usr/lib/modules/*/vmlinuz"))
    (modules,) = list(tree.glob("lib/modules/*")) or list(tree.glob("usr/lib/modules/*"))
    shutil.copy(image, keep / "vmlinuz")
    (keep / "release").write_text(modules.name + "\n")
    _pack_modules(modules, work / "slim", keep / "modules.cpio")


def _pack_modules(modules, slim, archive):
    """Writes the wanted modules and their dependencies, uncompressed, as cpio."""
    release = modules.name
    base = modules.parents[2]
    _run("depmod", "-b", str(base), release)
    depends = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        module, _, rest = line.partition(":")
        depends[module] = rest.split()
    wanted = set()
    for module in depends:
        inside = module.removeprefix("kernel/")
        name = inside.rsplit("/", 1)[-1].split(".ko")[0]
        if name in MODULE_NAMES or any(inside.startswith(f + "/") for f in MODULE_FOLDERS):
            wanted.update([module, *depends[module]])
    target = slim / "lib" / "modules" / release
    for module in sorted(wanted):
        to = target / module.removesuffix(".xz")
        to.parent.mkdir(parents=True, exist_ok=True)
        data = (modules / module).read_bytes()
        to.write_bytes(lzma.decompress(data) if module.endswith(".xz") else data)
    for index in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(modules / index, target)
    _run("depmod", "-b", str(slim), release)
    # The guest's /lib is a link to usr/lib, as on the host: unpack behind it.
    (slim / "usr").mkdir()
    os.rename(slim / "lib", slim / "usr" / "lib")
    pack(slim, archive)


def pack(folder, archive):
    """One newc cpio archive of `folder`, all of it owned by root."""
    names = sorted(str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob("*"))
    with open(archive, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=folder, check=True,
                       input="\n".join(names).encode() + b"\n", stdout=out)
