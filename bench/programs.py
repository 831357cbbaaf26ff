# SPDX-License-Identifier: MIT
"""Starting programs, ending them, and building the peers: what bench/run needs
to have something to measure."""
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REGISTRY = "/usr/share/cargo/registry"
BOOST_FIBER = "/usr/include/boost/fiber/all.hpp"


class Failed(Exception):
    """One run went wrong; the others go on."""


# Processes ------------------------------------------------------------------

def environment(**more):
    """Settings of the caller's shell must reach neither side."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("MF_") and k not in ("GOMAXPROCS", "GOGC")}
    env.update(more)
    return env


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def spawn(argv, cpus, env=None, **more):
    def prepare():
        die_with_parent()
        os.sched_setaffinity(0, cpus)
    return subprocess.Popen(argv, env=env or environment(),
                            preexec_fn=prepare, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, **more)


def run(argv, cpus, env=None, limit=60):
    """Run to the end; its output, or Failed with the reason."""
    child = spawn(argv, cpus, env)
    try:
        out, err = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise Failed(f"no end after {limit} s")
    if child.returncode != 0:
        lines = err.strip().splitlines() or ["no message"]
        raise Failed(f"exit {child.returncode}: {lines[-1][:200]}")
    return out


def cpu_seconds(pid):
    """CPU time of all its threads, ended ones too, to the nanosecond."""
    per_process_clock = (~pid << 3) | 2  # what clock_getcpuclockid answers
    return time.clock_gettime(per_process_clock)


def status_kib(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


class Server:
    """A server that says where it listens; ended by its own pid."""

    def __init__(self, argv, cpus, env):
        self.child = spawn(argv, cpus, env)
        self.pid = self.child.pid
        self.port = self.wait_for_port()

    def wait_for_port(self):
        out = self.child.stdout
        ready, _, _ = select.select([out], [], [], 10)
        line = out.readline() if ready else ""
        found = re.search(r"listening on .*:(\d+)", line)
        if not found:
            self.stop()
            said = self.child.stderr.read().strip().splitlines()
            raise Failed(f"does not listen: {(said or [line])[-1][:200]}")
        return int(found.group(1))

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.child.stdout.close()
        self.child.stderr.close()


# Peers ----------------------------------------------------------------------

def newer_than_sources(binary, folder):
    if not os.path.exists(binary):
        return False
    made = os.path.getmtime(binary)
    return all(os.path.getmtime(os.path.join(root, name)) < made
               for root, _, names in os.walk(folder) for name in names)


def build_go(setup):
    source = os.path.join(HERE, "peers", "go")
    binary = os.path.join(setup.build, "bench", "peers", "go-peer")
    if newer_than_sources(binary, source):
        return binary
    if not shutil.which("go"):
        setup.missing["go"] = "no go command (package golang-go)"
        return None
    print("building the Go peer", file=sys.stderr, flush=True)
    done = subprocess.run(["go", "build", "-o", binary, "."], cwd=source,
                          env=environment(GOTOOLCHAIN="local"),
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        setup.missing["go"] = "does not build: " + done.stderr.strip()[-300:]
        return None
    return binary


def build_tokio(setup):
    """Offline, from the sources the distribution installs."""
    source = os.path.join(HERE, "peers", "tokio")
    target = os.path.join(setup.build, "bench", "peers", "tokio")
    binary = os.path.join(target, "release", "tokio-echo")
    if newer_than_sources(binary, source):
        return binary
    cargos = [c for c in dict.fromkeys([shutil.which("cargo"),
                                        "/usr/bin/cargo"])
              if c and os.path.exists(c)]
    if not cargos:
        setup.missing["tokio"] = "no cargo command (package cargo)"
        return None
    if not os.path.isdir(REGISTRY):
        setup.missing["tokio"] = "no sources (package librust-tokio-dev)"
        return None
    print("building the tokio peer", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as work:
        tree = os.path.join(work, "tokio")
        shutil.copytree(source, tree)
        os.mkdir(os.path.join(tree, ".cargo"))
        config = os.path.join(tree, ".cargo", "config.toml")
        with open(config, "w", encoding="ascii") as f:
            f.write('[source.crates-io]\nreplace-with = "system"\n'
                    f'[source.system]\ndirectory = "{REGISTRY}"\n')
        for cargo in cargos:
            done = subprocess.run(
                [cargo, "build", "--release", "--offline"], cwd=tree,
                env=environment(CARGO_TARGET_DIR=target),
                capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return binary
    setup.missing["tokio"] = "does not build: " + done.stderr.strip()[-300:]
    return None


def build_boost(setup):
    source = os.path.join(HERE, "peers", "boost")
    binary = os.path.join(setup.build, "bench", "peers", "boost-peer")
    if newer_than_sources(binary, source):
        return binary
    if not shutil.which("g++"):
        setup.missing["boost"] = "no g++ command (package g++)"
        return None
    if not os.path.exists(BOOST_FIBER):
        setup.missing["boost"] = ("no Boost.Fiber (package "
                                  "libboost-fiber-dev)")
        return None
    print("building the Boost.Fiber peer", file=sys.stderr, flush=True)
    os.makedirs(os.path.dirname(binary), exist_ok=True)
    done = subprocess.run(
        ["g++", "-std=c++17", "-O2", "-DNDEBUG", "-o", binary,
         os.path.join(source, "main.cc"), "-lboost_fiber", "-lboost_context",
         "-pthread"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        setup.missing["boost"] = ("does not build: " +
                                  done.stderr.strip()[-300:])
        return None
    return binary
