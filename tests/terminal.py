#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A person at a terminal, for the tests.

    terminal.py SCRIPT [ARG...]

runs an interactive shell on a new pseudo-terminal and plays SCRIPT, one step a line:

    send TEXT       types TEXT; \\n \\r \\xNN as in Python; $1, $2 … are the ARGs
    expect REGEX    waits for it in what appears after the match before, 20 s at most
    absent REGEX    it is not in what appeared since the last match
    size ROWS COLS  resizes the window
    drop            hangs the terminal up
    # …             a comment

Ends with 0 if all happened; otherwise writes the step and what was on the screen.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 20


class Wrong(Exception):
    pass


class Terminal:
    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.environ.update(PS1="READY$ ", TERM="dumb", HISTFILE="")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.size(24, 80)
        self.screen = b""
        self.all = b""

    def size(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def read(self, seconds):
        """False once nothing more can come."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen += data
        self.all += data
        return bool(data)

    def send(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def expect(self, regex):
        end = time.monotonic() + PATIENCE
        pattern = re.compile(regex.encode(), re.M)
        more = True
        while True:
            match = pattern.search(self.screen)
            if match:
                self.screen = self.screen[match.end():]
                return
            if not more or time.monotonic() > end:
                raise Wrong("did not appear")
            more = self.read(0.2)

    def absent(self, regex):
        if re.search(regex.encode(), self.screen, re.M):
            raise Wrong("appeared")

    def close(self):
        os.close(self.fd)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.02)
        os.kill(self.pid, signal.SIGKILL)
        raise Wrong("the shell did not end")


def typed(text, args):
    for number, arg in enumerate(args, 1):
        text = text.replace("$%d" % number, arg)
    return text.encode().decode("unicode_escape").encode("latin-1")


def play(path, args):
    terminal = Terminal()
    hung_up = False
    step = "begin"
    try:
        terminal.expect(r"READY\$ ")
        for line in open(path):
            step = line.strip("\n").lstrip()
            word, _, rest = step.partition(" ")
            if not word or word.startswith("#"):
                continue
            if word == "send":
                terminal.send(typed(rest, args))
            elif word == "expect":
                terminal.expect(rest)
            elif word == "absent":
                terminal.absent(rest)
            elif word == "size":
                terminal.size(*map(int, rest.split()))
            elif word == "drop":
                terminal.close()
                hung_up = True
            else:
                raise Wrong("no such step")
        step = "end"
        if not hung_up:
            terminal.send(b"exit\n")
            terminal.close()
    except (Wrong, OSError) as error:
        print("step: %s: %s" % (step, error), file=sys.stderr)
        print(terminal.all.decode(errors="replace")[-1500:], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(play(sys.argv[1], sys.argv[2:]))
