#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""story.py FILE.md: does what a story tells, and compares.

In a story,

    ```console
    $ polder run -- id -un
    user
    $ polder run -- cat /etc/shadow
    cat: /etc/shadow: …
    [1]
    ```

is run, one command after the other, in the working directory: what stands after "$ "
(and after "> " in lines that continue it) by bash, what follows is its output, standard
error too. "…" stands for any text in a line, and on a line of its own for any lines. A
last line "[N]" is the exit status; without it, 0. A fence with a name behind the
language (```yaml fleet.yaml) writes that file. Any other block is only text.

Prints a line for each command: "ok LINE COMMAND" or "not ok LINE COMMAND", and after
the latter, indented, what was expected and what came.
"""
import os
import re
import subprocess
import sys

FENCE = re.compile(r"^```(\w+)?(?:\s+(\S+))?\s*$")
STATUS = re.compile(r"^\[(\d+)\]$")


def blocks(lines):
    """(language, name, first line's number, lines) of every fenced block."""
    inside = None
    for number, line in enumerate(lines, 1):
        m = FENCE.match(line)
        if inside is None and m:
            inside = (m.group(1), m.group(2), number + 1, [])
        elif inside is not None and line.rstrip() == "```":
            yield inside
            inside = None
        elif inside is not None:
            inside[3].append(line)
    if inside is not None:
        sys.exit(f"a block that begins at line {inside[2] - 1} does not end")


def commands(first, lines):
    """(line number, command, expected lines, status) of a console block."""
    found = []
    for number, line in enumerate(lines, first):
        if line.startswith("$ "):
            found.append([number, line[2:], [], 0])
        elif line.startswith("> ") and found and not found[-1][2]:
            found[-1][1] += "\n" + line[2:]
        elif found:
            found[-1][2].append(line)
    for command in found:
        m = STATUS.match(command[2][-1]) if command[2] else None
        if m:
            command[3] = int(m.group(1))
            command[2].pop()
    return found


def pattern(expected):
    out = []
    for line in expected:
        if line.strip() == "…":
            out.append(r"(?:[^\n]*\n)*?")
        else:
            out.append("[^\n]*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ \t]*\n")
    return re.compile("".join(out))


def run(command, expected, status):
    """None if all is as told, else what was not."""
    try:
        done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors="replace", timeout=60, check=False)
    except subprocess.TimeoutExpired as late:
        return f"still running after {late.timeout} s"
    text = done.stdout
    if text and not text.endswith("\n"):
        text += "\n"
    if done.returncode == status and pattern(expected).fullmatch(text):
        return None
    return "\n".join(["expected:", *expected, f"[{status}]", "came:", text.rstrip("\n"),
                      f"[{done.returncode}]"])


def main():
    with open(sys.argv[1], encoding="utf-8") as story:
        lines = story.read().split("\n")
    bad = count = 0
    for language, name, first, body in blocks(lines):
        if language == "console":
            for number, command, expected, status in commands(first, body):
                wrong = run(command, expected, status)
                count += 1
                bad += wrong is not None
                shown = command.replace("\n", " ")
                print("ok" if wrong is None else "not ok", number, shown, flush=True)
                if wrong is not None:
                    print("\n".join("    " + line for line in wrong.split("\n")), flush=True)
        elif name:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            with open(name, "w", encoding="utf-8") as out:
                out.write("\n".join(body) + "\n")
    if count == 0:
        print("not ok 0 there is nothing to do in this story")
    return 1 if bad or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
