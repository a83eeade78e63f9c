#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes what a busy environment holds, at random, and kills what helps with it.

	live-random.py STEPS SECONDS SEED

After each step what can be done inside is compared with what `polder show --json` says. At
the end everything is revoked, and the tender must have as many descriptors, mounts and
children as at the beginning. Ends with 0, or with the step and the difference.
"""
import json
import os
import random
import signal
import subprocess
import sys
import time

SLOTS = [f"/s{i}" for i in range(6)]
DIRS = [f"h{i}" for i in range(4)]
WORDS = ["ro", "hide=.private", "log", "ttl=1h", "rate=5000/s"]

# Everything all the time: names, reading, writing, mapping, from three tasks. One that has
# mapped what is cut dies of it, and is followed by another.
BUSY = r"""
import mmap, os, random
n = 0
while n < 3 or os.wait():
    n += 1
    if os.fork() == 0: break
while True:
    s = "/s%d" % random.randrange(6)
    try:
        for root, _, names in os.walk(s):
            for n in names:
                with open(os.path.join(root, n), "rb") as f:
                    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
                    m[0]
                    m.close() if random.random() < .9 else None
        with open(s + "/busy%d" % random.randrange(9), "w") as f: f.write("x" * 5000)
        os.rename(s + "/busy1", s + "/busy2")
    except (OSError, ValueError): pass
"""

# For each slot: what it is, whether it can be written, whether what may be hidden is there.
TRY = """for s in "$@"; do
	id=$(cat $s/id 2>/dev/null) || id=-
	w=- p=-
	[ $id = - ] || { echo x 2>/dev/null >$s/w && w=w; [ -e $s/.private/c ] && p=p; }
	echo $s $id $w $p
done 2>/dev/null"""


class Wrong(Exception):
    pass


def polder(*args, ok=None):
    r = subprocess.run(["polder", *args], capture_output=True, text=True, timeout=60)
    if ok and r.returncode != 0:
        raise Wrong(f"{' '.join(args)}: {r.returncode} {r.stderr.strip()}")
    return r


def show():
    return json.loads(polder("show", "--json", "web", ok=True).stdout)


def said():
    """What is said to be held: {slot: what TRY should find}."""
    found = {s: (s, "-", "-", "-") for s in SLOTS}
    for b in show()["slots"]:
        slot, _, rest = b["asked"].partition("=")
        words = rest.split(",")
        if slot not in found or words[0] == "null":
            continue
        found[slot] = (slot, os.path.basename(words[0]), "-" if "ro" in words else "w",
                       "-" if "hide=.private" in words else "p")
    return [" ".join(found[s]) for s in SLOTS]


def tried():
    return polder("exec", "web", "--", "sh", "-c", TRY, "sh", *SLOTS, ok=True).stdout.splitlines()


def compare(what):
    """Where something was killed, the tender may not have seen it yet."""
    end = time.monotonic() + 5
    while True:
        before, t, after = said(), tried(), said()
        if before == after == t:
            return
        # More than was said, before and after, is wrong at once.
        if before == after:
            for s, i in zip(before, t):
                a, b = s.split(), i.split()
                if (a[1] != b[1] and b[1] != "-") or any(
                        x == "-" and y != "-" for x, y in zip(a[1:], b[1:])):
                    raise Wrong(f"{what}: said {s}, but {i}")
        if time.monotonic() > end:
            raise Wrong(f"{what}: said {after}, but {t}")
        time.sleep(0.1)


def children(tender, name):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                s = f.read()
        except OSError:
            continue
        comm, rest = s[s.index("(") + 1:s.rindex(")")], s[s.rindex(")") + 2:].split()
        if int(rest[1]) == tender and comm.startswith(name) and rest[0] != "Z":
            found.append(int(pid))
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def numbers(tender):
    """What must not grow."""
    mounts = polder("exec", "web", "--", "cat", "/proc/self/mountinfo", ok=True).stdout
    with open(f"/proc/{tender}/status", encoding="utf-8") as f:
        rss = int(f.read().split("VmRSS:")[1].split()[0])
    return {"descriptors": len(os.listdir(f"/proc/{tender}/fd")),
            "mounts": len(mounts.splitlines()),
            "children": len(children(tender, "polder"))}, rss


class Run:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.counts = {}
        self.begin()

    def begin(self):
        polder("run", "-n", "web", "-d", "--", "python3", "-c", BUSY, ok=True)
        self.tender = show()["tender"]
        for s in SLOTS: # each has its place from now on
            polder("grant", "web", f"{s}=./h0", ok=True)
            polder("revoke", "web", s, ok=True)
        self.before = self.settled(None)

    def settled(self, wanted):
        for _ in range(50):
            n = numbers(self.tender)
            if n[0] == wanted:
                break
            time.sleep(0.1 if wanted else 0.02)
        return n

    def leaks(self):
        for s in SLOTS:
            polder("revoke", "web", s)
        n, rss = self.settled(self.before[0])
        if n != self.before[0]:
            raise Wrong(f"left over: {n}, at the beginning {self.before[0]}")
        if rss > self.before[1] + 4096:
            raise Wrong(f"the tender has {rss} KiB, at the beginning {self.before[1]}")
        return n, rss

    def grant_words(self):
        words = [w for w in WORDS if self.random.random() < 0.25]
        return ",".join([f"./{self.random.choice(DIRS)}", *words])

    def grant(self, slot):
        polder("grant", "web", f"{slot}={self.grant_words()}")

    def attenuate(self, slot):
        polder("attenuate", "web", slot, self.random.choice(WORDS))

    def revoke(self, slot):
        polder("revoke", *self.random.choice([[], [], ["--to", "error"]]), "web", slot)

    def kill_caretaker(self, _):
        for pid in children(self.tender, "polder-caretake")[:1]:
            kill(pid)

    def kill_client(self, slot):
        words = self.random.choice([["grant", "web", f"{slot}={self.grant_words()}"],
                                    ["revoke", "web", slot], ["attenuate", "web", slot, "ro"]])
        with subprocess.Popen(["polder", *words], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as p:
            time.sleep(self.random.random() * 0.02)
            p.kill()

    def kill_caretaker_meanwhile(self, slot):
        words = self.random.choice([["grant", "web", f"{slot}={self.grant_words()}"],
                                    ["revoke", "web", slot], ["attenuate", "web", slot, "ro"]])
        with subprocess.Popen(["polder", *words], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as p:
            time.sleep(self.random.random() * 0.02)
            for pid in children(self.tender, "polder-caretake"):
                if self.random.random() < 0.3:
                    kill(pid)
            p.wait(60)

    def kill_tender(self, _):
        inside = children(self.tender, "polder")
        kill(self.tender)
        end = time.monotonic() + 5
        while any(os.path.exists(f"/proc/{p}") for p in inside):
            if time.monotonic() > end:
                raise Wrong("something outlived the tender")
            time.sleep(0.05)
        polder("rm", "-f", "web")
        self.begin()

    def step(self):
        steps = [(self.grant, 30), (self.attenuate, 15), (self.revoke, 20),
                 (self.kill_caretaker, 6), (self.kill_client, 8),
                 (self.kill_caretaker_meanwhile, 8), (self.kill_tender, 0.5)]
        f = self.random.choices([s for s, _ in steps], [w for _, w in steps])[0]
        slot = self.random.choice(SLOTS)
        f(slot)
        self.counts[f.__name__] = self.counts.get(f.__name__, 0) + 1
        return f"{f.__name__} {slot}"


def main():
    steps, seconds, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    for d in DIRS:
        os.makedirs(f"{d}/.private", exist_ok=True)
        for name, text in (("id", d), ("w", "x"), (".private/c", "secret")):
            with open(f"{d}/{name}", "w", encoding="utf-8") as f:
                f.write(text + "\n")
    run, end, n, what = Run(seed), time.monotonic() + seconds, 0, "at the beginning"
    try:
        while n < steps and time.monotonic() < end:
            what = f"step {n} of seed {seed}, " + run.step()
            compare(what)
            n += 1
        left, rss = run.leaks()
    except (Wrong, subprocess.TimeoutExpired) as e:
        print(f"{what}: {e}")
        return 1
    finally:
        polder("rm", "-f", "web")
    print(f"{n} steps, seed {seed}: {run.counts}; {left}, {rss} KiB")
    return 0


sys.exit(main())
