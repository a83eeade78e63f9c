#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts polder-tender-hvt as a supervisor would: a spec, and the descriptors in it.

    hvt.py [OPTION…] IMAGE [COMMAND LINE]

Without --supervise it becomes the tender. With it, it stays, answers the guest's frames,
prints what is reported, and exits as the tender does ("killed by N" is 200 + N).
"""
import argparse
import fcntl
import os
import select
import signal
import socket
import struct
import sys

NONE = 0xFFFFFFFF


def text(s):
    raw = os.fsencode(s)
    return struct.pack("<I", len(raw)) + raw + b"\0"


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--tender", default="polder-tender-hvt")
    p.add_argument("--mem", type=int, default=4 << 20)
    p.add_argument("--kind", type=int, default=2)
    p.add_argument("--uid", type=int)
    p.add_argument("--block", action="append", default=[],
                   metavar="NAME=FILE[,ro][,base=FILE][,capacity=N][,size=N]")
    p.add_argument("--net", action="append", default=[],
                   metavar="NAME=echo|silent|closed|stream|seqpacket-closed|tap:IF")
    p.add_argument("--core")
    p.add_argument("--clock", type=int)
    p.add_argument("--stale", action="store_true", help="name descriptors that are not open")
    p.add_argument("--cut", type=int, help="give that many bytes of the spec")
    p.add_argument("--supervise", action="store_true")
    p.add_argument("--closed", action="store_true", help="start it without 0, 1 and 2")
    p.add_argument("--end-early", action="store_true", help="the starter's pipe has ended")
    p.add_argument("image")
    p.add_argument("cmdline", nargs="?", default="")
    return p.parse_args()


def block(word):
    name, rest = word.split("=", 1)
    path, *options = rest.split(",")
    given = dict(o.split("=", 1) if "=" in o else (o, "") for o in options)
    read_only = "ro" in given
    fd = os.open(path, os.O_RDONLY if read_only else os.O_RDWR)
    base = os.open(given["base"], os.O_RDONLY) if "base" in given else NONE
    size = os.stat(base if base != NONE else fd).st_size
    return (text(name) + struct.pack("<BIII", 1, (1 if read_only else 0) | (2 if base != NONE else 0),
                                     fd, base)
            + struct.pack("<I", NONE)
            + struct.pack("<QH", int(given.get("capacity", size)), int(given.get("size", 512)))
            + bytes(6) + struct.pack("<H", 0)), [fd] + ([base] if base != NONE else [])


def tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    tap_without_head = 0x1002
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), tap_without_head))
    return fd


def net(word, peers):
    name, kind = word.split("=", 1)
    if kind.startswith("tap:"):
        fd = tap(kind[4:])
    else:
        how = (socket.SOCK_STREAM if kind == "stream" else
               socket.SOCK_SEQPACKET if kind.startswith("seqpacket") else socket.SOCK_DGRAM)
        mine, theirs = socket.socketpair(socket.AF_UNIX, how)
        if kind.endswith("closed"):
            mine.close()
        else:
            peers.append((kind, mine))
        fd = theirs.detach()
    return (text(name) + struct.pack("<BIII", 2, 0, fd, NONE) + struct.pack("<I", NONE)
            + struct.pack("<QH", 0, 0) + bytes([2, 0, 0, 0, 0, 1]) + struct.pack("<H", 1500)), [fd]


def build(a, peers):
    fds = [os.open(a.image, os.O_RDONLY)]
    devices = []
    for record, used in [block(w) for w in a.block] + [net(w, peers) for w in a.net]:
        devices.append(record)
        fds += used
    core = os.open(a.core, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600) if a.core else NONE
    report = alive = NONE
    ours = (None, None)
    if a.supervise:
        told, report = os.pipe()
        alive, hold = os.pipe()
        ours = (told, hold)
        if a.end_early:
            os.close(hold)
    fds += [f for f in (core, report, alive) if f != NONE]
    uid = a.uid if a.uid is not None else 65534 if os.geteuid() == 0 else os.geteuid()
    gid = uid if a.uid is not None or os.geteuid() == 0 else os.getegid()
    flags = (2 if a.core else 0) | (4 if a.clock is not None else 0)
    spec = (struct.pack("<II", 0x43505355, 1) + bytes(16) + struct.pack("<Q", 1) + text("")
            + struct.pack("<BII", a.kind, flags, 900 if a.stale else fds[0])
            + struct.pack("<I", NONE) + struct.pack("<Q", a.mem) + text(a.cmdline)
            + struct.pack("<IIIII", uid, gid, report, core, alive)
            + struct.pack("<QI", a.clock or 0, len(devices)) + b"".join(devices))
    fd = os.memfd_create("spec")
    os.write(fd, spec[:a.cut])
    os.lseek(fd, 0, os.SEEK_SET)
    return fd, fds + [fd], ours


def echo(peers):
    for kind, sock in select.select([s for k, s in peers], [], [], 0.02)[0] and peers or []:
        try:
            while True:
                frame = sock.recv(65536, socket.MSG_DONTWAIT)
                if kind == "echo" and frame:
                    sock.send(frame)
        except (BlockingIOError, ConnectionError):
            pass


def reports(raw):
    for at in range(0, len(raw) - 1039, 1040):
        outcome, code, address = struct.unpack_from("<IiQ", raw, at)
        sentence = raw[at + 16:at + 528].split(b"\0")[0].decode()
        detail = raw[at + 528:at + 1040].split(b"\0")[0].decode()
        print(f"report {outcome} {code} {address:#x} {sentence}\n{detail}", file=sys.stderr)
    if len(raw) % 1040:
        print("a report was cut", file=sys.stderr)


def supervise(pid, ours, peers, fds):
    for fd in fds:
        os.close(fd)
    raw = b""
    done = 0
    while not done:
        echo(peers)
        if select.select([ours[0]], [], [], 0)[0]:
            raw += os.read(ours[0], 4096)
        done, status = os.waitpid(pid, os.WNOHANG)
    while True:
        more = os.read(ours[0], 4096)
        if not more:
            break
        raw += more
    reports(raw)
    return 200 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main():
    a = arguments()
    peers = []
    spec, fds, ours = build(a, peers)
    pid = os.fork() if a.supervise else 0
    if pid:
        return supervise(pid, ours, peers, fds)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for fd in fds:
        os.set_inheritable(fd, True)
    if not a.supervise: # a peer that nobody serves, but that is there
        for _, sock in peers:
            os.set_inheritable(sock.fileno(), True)
    if a.closed:
        os.closerange(0, 3)
    os.execvp(a.tender, [a.tender, "--spec", str(spec)])


if __name__ == "__main__":
    sys.exit(main())
