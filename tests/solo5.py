#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other side of a unikernel's devices, and what the host sees of one.

	solo5.py TENDER IMAGE WHAT [WORD...]

starts solo5-start TENDER image=IMAGE WORD..., and for each WHAT checks one thing:

	echo	a frame goes in and comes back; one too many is not waited for
	lossy	the peer is gone: what the guest writes is lost, and it goes on
	burst	many frames, all of them
	many	the guest "many": its volumes, and each of its net devices has its own wire
	view	prints what /proc shows of a guest that sleeps
	fds	prints the descriptors of such a guest
	orphan	the starter dies without a word: so does the guest
	late	the starter is dead before the tender looks
	traced	the tender waits for its tracer
	stopped	SIGSTOP and SIGCONT, and it ends as it would have
	stopped_flood	the same, while it writes
	tap	as echo, by a TAP interface (in a network namespace of the caller's)
	tap_headers	prints what a TAP with headers before its frames is answered with
	tun	the same of a TUN
	report	prints what comes over the report descriptor
"""
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(sys.argv[0]))


def start(words, fds=(), **more):
    return subprocess.Popen(["solo5-start", *words], pass_fds=fds,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def wire():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.settimeout(10)
    return ours, theirs


def fail(why, process=None):
    if process:
        process.kill()
        out, err = process.communicate()
        why += f"\n{out.decode()}{err.decode()}"
    sys.exit(why)


def end(process, code=0, output=None):
    out, err = process.communicate(timeout=20)
    if process.returncode != code or (output and output not in out.decode()):
        fail(f"ended with {process.returncode}: {out.decode()}{err.decode()}")
    return out.decode()


def echo(words):
    ours, theirs = wire()
    p = start([*words, "cmdline=hello n=3", f"net=service,fd={theirs.fileno()},mac=9"],
              [theirs.fileno()])
    theirs.close()
    if ours.recv(100) != b"hello":
        fail("another frame than its first", p)
    for frame in (b"abcdef", b"x" * 1514, b"12"):
        ours.send(frame)
        if ours.recv(4096) != frame[1::-1] + frame[2:]:
            fail("another frame came back", p)
    end(p, 0, "mac 2:0:0:0:0:9 mtu 1500\n")


def lossy(words):
    ours, theirs = wire()
    p = start([*words, "cmdline=n=1 any=1", f"net=service,fd={theirs.fileno()}"],
              [theirs.fileno()])
    theirs.close()
    ours.send(b"abcdef")
    ours.close()
    end(p, 0, "echoed")


def burst(words):
    count = 2000
    ours, theirs = wire()
    p = start([*words, f"cmdline=n={count} any=1", f"net=service,fd={theirs.fileno()}"],
              [theirs.fileno()])
    theirs.close()
    for i in range(count):
        ours.send(struct.pack("<HI", 0, i) + bytes(60))
        if struct.unpack("<HI", ours.recv(100)[:6])[1] != i:
            fail("a frame was lost or came twice", p)
    end(p, 0, "echoed")


def many(words):
    wires = [wire(), wire()]
    numbers = [w[1].fileno() for w in wires]
    p = start([*words, f"net=n2,fd={numbers[1]}", f"net=n1,fd={numbers[0]}"], numbers)
    for i, (ours, theirs) in enumerate(wires):
        theirs.close()
        if ours.recv(10) != f"n{i + 1}".encode():
            fail("a frame of another device", p)
    wires[1][0].send(b"Q")
    time.sleep(0.05)
    wires[0][0].send(b"P")
    print(end(p), end="")


def sleeping(words, fds=(), **more):
    p = start([*words, "cmdline=sleep"], fds, **more)
    for _ in range(500):
        time.sleep(0.01)
        try:
            with open(f"/proc/{p.pid}/status", encoding="ascii") as status:
                if "Seccomp:\t2" in status.read():
                    return p
        except FileNotFoundError:
            pass
        if p.poll() is not None:
            break
    fail("it does not sleep", p)
    return None


def view(words):
    p = sleeping(words)
    for name in ("status", "maps", "cmdline", "environ", "auxv", "limits"):
        try:
            with open(f"/proc/{p.pid}/{name}", "rb") as file:
                print(f"== {name}\n{file.read().decode(errors='replace')}")
        except OSError as error:
            print(f"== {name}: {error.strerror}")
    p.kill()


def fds(words):
    # Traced, so that its own user may look.
    extra = os.open("/etc/passwd", os.O_RDONLY)
    ours, theirs = os.pipe()
    os.write(theirs, b"x")
    p = sleeping([*words, "traced", f"alive={ours}"], [extra, ours], stdin=subprocess.DEVNULL)
    for fd in sorted(os.listdir(f"/proc/{p.pid}/fd"), key=int):
        print(fd, os.readlink(f"/proc/{p.pid}/fd/{fd}"))
    p.kill()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def orphan(words):
    tell, told = os.pipe()
    starter = os.fork()
    if starter == 0:
        ours, theirs = os.pipe()
        p = sleeping([*words, f"alive={ours}"], [ours])
        os.write(told, struct.pack("<I", p.pid))
        os.close(ours)
        time.sleep(1000)
    pid = struct.unpack("<I", os.read(tell, 4))[0]
    if not alive(pid):
        fail("it does not run")
    os.kill(starter, 9)
    os.waitpid(starter, 0)
    for _ in range(500):
        if not alive(pid):
            return
        time.sleep(0.01)
    os.kill(pid, 9)
    fail("it lives on")


def late(words):
    ours, theirs = os.pipe()
    os.close(theirs)
    p = start([*words, f"alive={ours}"], [ours])
    end(p, 125)


def traced(words):
    ours, theirs = os.pipe()
    p = start([*words, "traced", f"alive={ours}"], [ours])
    os.close(ours)
    time.sleep(0.3)
    if p.poll() is not None:
        fail("it did not wait", p)
    os.write(theirs, b"x")
    print(end(p), end="")
    ours, theirs = os.pipe()
    p = start([*words, "traced", f"alive={ours}"], [ours])
    os.close(ours)
    os.close(theirs)
    end(p, 125)


def stop_and_go(p):
    for _ in range(5):
        time.sleep(0.05)
        os.kill(p.pid, signal.SIGSTOP)
        time.sleep(0.02)
        os.kill(p.pid, signal.SIGCONT)


def stopped(words):
    p = start(words)
    stop_and_go(p)
    end(p, 0, "waited ")


def stopped_flood(words):
    p = start(words)
    stop_and_go(p)
    if p.poll() is not None or len(p.stdout.read(1 << 20)) < 1 << 20:
        fail("it did not go on", p)
    p.kill()


def open_tap(flags, kind=2):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"tap0", kind | flags))
    return fd


def tap(words):
    fd = open_tap(0x1000)
    ours = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
    fcntl.ioctl(ours, 0x8914, struct.pack("16sH22x", b"tap0", 1))  # up
    ours.bind(("tap0", 0x88B5))
    ours.settimeout(10)
    p = start([*words, "cmdline=n=1000 any=1 ms=10000", f"net=service,fd={fd}"], [fd])
    # Others may send on it, too: until ours comes back, changed.
    frame = bytes([2, 0x42]) + bytes(10) + b"\x88\xb5" + b"test" * 20
    for _ in range(50):
        ours.send(frame)
        try:
            ours.settimeout(0.2)
            while ours.recv(2000) != bytes([0x42, 2]) + frame[2:]:
                pass
            break
        except TimeoutError:
            continue
    else:
        fail("nothing came back", p)
    p.kill()


def tap_headers(words):
    fd = open_tap(0x5000)
    report([*words, f"net=service,fd={fd}"], [fd])


def tun(words):
    fd = open_tap(0x1000, 1)
    report([*words, f"net=service,fd={fd}"], [fd])


def report(words, more=()):
    ours, theirs = os.pipe()
    p = start([*words, f"report={theirs}"], [theirs, *more])
    os.close(theirs)
    data = os.read(ours, 4096)
    out, err = p.communicate(timeout=20)
    if err:
        fail(f"and on standard error: {err.decode()}")
    if not data:
        print(f"nothing, and {p.returncode}, and {out.decode()}")
    elif len(data) != 1040:
        fail(f"{len(data)} bytes")
    else:
        outcome, code, _ = struct.unpack("<IiQ", data[:16])
        if code != p.returncode:
            fail(f"it ended with {p.returncode}, and reported {code}")
        print(outcome, code, data[16:528].rstrip(b"\0").decode())


def main():
    tender, image, what, *words = sys.argv[1:]
    globals()[what]([tender, f"image={image}", *words])


if __name__ == "__main__":
    main()
