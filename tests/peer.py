#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hostile peer of a tender, for the tests.

    peer.py empty CTL N      N empty messages, each with three descriptors
    peer.py garbage CTL N    N messages that are none, some long, some with descriptors
    peer.py idle CTL N       N connections that never ask, until killed
    peer.py wait CTL N       N that ask for the end, until all have an answer
    peer.py stuff CTL        attaches, types as much as goes in, stays until killed
    peer.py frozen CMD...    CMD on a terminal that nobody reads, until killed; its first
                             word is the process that is written to standard output
    peer.py echo CMD...      CMD on a terminal that is its standard input alone
    peer.py hang DIR         as root: mounts a file system there, empty, but in which the
                             name "deep" is never answered, until killed
    peer.py raw SIGNAL CMD.. CMD on a terminal; once that is raw, SIGNAL; fails if it
                             stays raw
"""
import array
import ctypes
import fcntl
import os
import pty
import random
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

STATUS, WAIT, ATTACH = 1, 6, 7


def head(verb):
    return struct.pack("<IHHHHQ", 0x4C544350, 1, verb, 0, 0, 0)


def connect(ctl):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    d = os.open(os.path.dirname(ctl), os.O_PATH)
    s.connect("/proc/self/fd/%d/ctl" % d)
    os.close(d)
    return s


def send(s, data, fds=()):
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        s.sendmsg([data], extra)
    except OSError:
        pass


def empty(ctl, n):
    null = os.open("/dev/null", os.O_RDWR)
    for _ in range(int(n)):
        s = connect(ctl)
        send(s, b"", [null] * 3)
        s.close()


def garbage(ctl, n):
    rng = random.Random(1)
    null = os.open("/dev/null", os.O_RDWR)
    for i in range(int(n)):
        s = connect(ctl)
        data = rng.randbytes(rng.choice([1, 19, 20, 400, 150000]))
        if i % 2:
            data = head(rng.choice([STATUS, ATTACH, 8, 9, 10, 77])) + data[:100000]
        send(s, data, [null] * rng.choice([0, 1, 3, 4, 200]))
        s.close()


def announce(*words):
    print(*words, flush=True)


def idle(ctl, n):
    kept = [connect(ctl) for _ in range(int(n))]
    announce("open", len(kept))
    time.sleep(1000)


def wait(ctl, n):
    kept = [connect(ctl) for _ in range(int(n))]
    for s in kept:
        send(s, head(WAIT))
    announce("open", len(kept))
    for s in kept:
        s.settimeout(60)
        try:
            s.recv(4096)
        except ConnectionError:
            pass
    announce("answered")


def stuff(ctl):
    ours, theirs = socket.socketpair()
    s = connect(ctl)
    send(s, head(ATTACH) + struct.pack("<HH", 24, 80), [theirs.fileno()])
    theirs.close()
    ours.setblocking(False)
    total, last = 0, time.time()
    while time.time() - last < 1:
        try:
            total += ours.send(b"typed\n" * 500)
            last = time.time()
        except BlockingIOError:
            time.sleep(0.02)
    announce("stuffed", total)
    time.sleep(1000)


def on_terminal(cmd):
    """A process that leads a session on a terminal of its own; and the terminal."""
    master, slave = pty.openpty()

    def lead():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    p = subprocess.Popen(cmd, stdin=slave, stdout=slave, stderr=slave, preexec_fn=lead)
    return p, master, slave


def frozen(*cmd):
    p, _, _ = on_terminal(cmd)
    announce(p.pid)
    sys.exit(p.wait() & 255)


def echo(*cmd):
    pid, master = pty.fork()
    if pid == 0:
        null = os.open("/dev/null", os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execvp(cmd[0], cmd)
    seen = b""
    while True:
        try:
            seen += os.read(master, 65536)
        except OSError:
            break
    status = os.waitpid(pid, 0)[1]
    if status or b"line 8999" not in seen:
        sys.exit("status %d, %d bytes" % (status, len(seen)))


def hang(where):
    dev = os.open("/dev/fuse", os.O_RDWR)
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % dev
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"hang", where.encode(), b"fuse", 0, options):
        sys.exit(os.strerror(ctypes.get_errno()))
    announce("mounted")
    while True:
        request = os.read(dev, 1 << 20)
        _, what, unique, node = struct.unpack_from("<IIQQ", request)
        attr = struct.pack("<QII", 0, 0, 0) if what == 3 else b""
        if what == 26:  # INIT
            body = struct.pack("<IIIIHHI", 7, 31, 0, 0, 0, 0, 4096) + bytes(40)
        elif what == 3 and node == 1:  # GETATTR of the root
            body = attr + struct.pack("<6Q10I", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0,
                                      0, 512, 0)
        elif what == 17:  # STATFS
            body = struct.pack("<5Q10I", *[0] * 5, 512, 255, 512, *[0] * 7)
        elif what in (2, 36, 42) or (what == 1 and request[40:].startswith(b"deep")):
            continue
        else:
            body = b""
        error = 0 if body else -2 if what == 1 else -38  # ENOENT, ENOSYS
        os.write(dev, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def is_raw(fd):
    return not termios.tcgetattr(fd)[3] & termios.ICANON


def raw(number, *cmd):
    p, _, slave = on_terminal(cmd)
    end = time.time() + 20
    while not is_raw(slave):
        if time.time() > end or p.poll() is not None:
            sys.exit("the terminal did not become raw")
        time.sleep(0.02)
    time.sleep(0.2)
    p.send_signal(getattr(signal, "SIG" + number))
    p.wait(20)
    if is_raw(slave):
        sys.exit("the terminal stays raw")


globals()[sys.argv[1]](*sys.argv[2:])
