#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# impostor.py FILE inside|read: stands in an anchor's place, with /usr/share/poisoned in what
# it shows. Locks FILE, says in it that it sees what we see, prints a word and waits.
# inside: as a program in a pid namespace of its own could, that may write FILE. read: as one
# could that may only read it, and waits until the number in it is its own.
import ctypes
import fcntl
import os
import resource
import struct
import sys
import time

F_OFD_SETLK = 37


def root():
    buf = (ctypes.c_uint64 * 32)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statx(-100, b"/", 0, 0x1100, buf) != 0:
        raise OSError(ctypes.get_errno(), "statx")
    return buf[17], buf[4], buf[18]


def record(pid):
    view = [os.stat("/proc/self/ns/" + ns).st_ino for ns in ("user", "mnt", "pid")]
    view += root()
    view.append(os.getegid())
    for which in ("NPROC", "MSGQUEUE", "SIGPENDING", "MEMLOCK"):
        soft = resource.getrlimit(getattr(resource, "RLIMIT_" + which))[0]
        view.append(soft & 0xFFFFFFFFFFFFFFFF)
    return struct.pack("=Qq11Q", 0x32726F68636E61, pid, *view)


def need(r):
    if r != 0:
        raise OSError(ctypes.get_errno(), "impostor")


def show(inside):
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    need(libc.unshare(0x10020000))  # CLONE_NEWUSER | CLONE_NEWNS
    for name, text in (("uid_map", f"{uid} {uid} 1"), ("setgroups", "deny"),
                       ("gid_map", f"{gid} {gid} 1")):
        with open("/proc/self/" + name, "w") as f:
            f.write(text)
    need(libc.mount(b"none", b"/usr/share", b"tmpfs", 0, None))
    open("/usr/share/poisoned", "w").close()
    if inside:
        need(libc.unshare(0x20000000))  # CLONE_NEWPID
    pid = os.fork()
    if pid == 0:
        time.sleep(1000)
    return pid


# The lock is taken outside of them, or the view would be another.
path, inside = sys.argv[1], sys.argv[2] == "inside"
back, forth = os.pipe()
if os.fork() == 0:
    os.write(forth, struct.pack("q", show(inside)))
    time.sleep(1000)
pid = struct.unpack("q", os.read(back, 8))[0]
file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(file, 0)
os.pwrite(file, record(pid), 0)
if inside:
    kind = fcntl.F_WRLCK
else:
    os.close(file)
    file = os.open(path, os.O_RDONLY)
    kind = fcntl.F_RDLCK
fcntl.fcntl(file, F_OFD_SETLK, struct.pack("hhqqi4x", kind, 0, 0, 1, 0))
print("locked", flush=True)
time.sleep(1000)
