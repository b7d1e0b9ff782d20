# SPDX-License-Identifier: Apache-2.0
"""`weft eval` on a terminal: the progress bar comes and goes; Ctrl-C and SIGTERM stop it soon, and leave outputs as they were."""
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

WEFT = os.environ["WEFT_COMMAND"]
# Long enough to be interrupted anywhere, small in memory: numbers that are drawn as they are summed.
LONG = "sum(cos(random_normal((400000, 10000), seed=1)), axis=0)"
# Slow enough on one thread to show the bar.
SHORT = "sum(cos(random_normal((10000, 10000), seed=1)))"
# Writes 320 MB, for long enough that the bar shows on any machine.
WRITING = " + ".join(f"cos(random_normal((4000, 10000), seed={i}))" for i in range(1, 7))
failures = 0
folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)


def check(what, claim):
    global failures
    if not claim:
        failures += 1
        print(f"not so: {what}")


def start(*args):
    """The command with stderr on a terminal; its process, and the terminal's other end."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([WEFT, "eval", *args], stdout=subprocess.PIPE, stderr=theirs, start_new_session=True)
    os.close(theirs)
    return process, ours


def read_until(terminal, text, seconds):
    seen, end = b"", time.monotonic() + seconds
    while text not in seen and time.monotonic() < end:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    return seen.decode(errors="replace")


def interrupt(number, *args, text=LONG):
    """Sends a signal once the bar shows. Gives exit code, all of stderr, and the seconds it took to stop."""
    process, terminal = start(text, *args)
    try:
        seen = read_until(terminal, b"blocks", 60)
        begin = time.monotonic()
        process.send_signal(number)
        code = process.wait(timeout=60)
        took = time.monotonic() - begin
        seen += read_until(terminal, b"\0", 0.5)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    return code, seen, took


def bar():
    process, terminal = start(SHORT, "--threads", "1", "-o", "sum.npy")
    seen = read_until(terminal, b"\0", 60)
    check("it ends well", process.wait(timeout=60) == 0)
    check(f"a bar with blocks and time left, without the rate of a job that reads nothing: {seen!r}",
          "blocks" in seen and "B/s" not in seen and " left" in seen)
    check("the bar is erased at the end", seen.rstrip().endswith("\r\x1b[K"))
    os.close(terminal)

    process, terminal = start(WRITING, "--threads", "1", "-o", "large.npy")
    seen = read_until(terminal, b"\0", 100)
    check("the one that writes ends well", process.wait(timeout=60) == 0)
    check(f"its bar says bytes per second: {seen!r}", "blocks" in seen and "iB/s" in seen)
    os.close(terminal)
    os.remove("large.npy")


def no_bar():
    process, terminal = start(SHORT, "--threads", "1", "--no-progress")
    check("no bar, no word, when none is wanted", read_until(terminal, b"\0", 60) == "")
    check("it ends well too", process.wait(timeout=60) == 0)
    os.close(terminal)
    done = subprocess.run([WEFT, "eval", SHORT, "--threads", "1"], capture_output=True, timeout=100)
    check("no bar where stderr is no terminal", done.stderr == b"")


def signals():
    code, seen, took = interrupt(signal.SIGINT, "-o", "new.npy")
    check(f"exit 130 on Ctrl-C, not {code}", code == 130)
    check(f"it stops within a second, not {took:.1f}", took < 1 + 4 * (os.getloadavg()[0] > os.cpu_count()))
    check(f"it says what it left: {seen[-120:]!r}", "weft: interrupted; nothing was written to new.npy" in seen)
    check("nothing was left", os.listdir(".") == ["sum.npy"])

    before = open("sum.npy", "rb").read()
    code, seen, _ = interrupt(signal.SIGTERM, "-o", "sum.npy", "--overwrite")
    check(f"exit 143 on SIGTERM, not {code}", code == 143)
    check(f"an output that is there stays: {seen[-120:]!r}", "weft: interrupted; nothing was changed in sum.npy" in seen)
    check("its bytes are the same", open("sum.npy", "rb").read() == before)
    check("no other file is left", os.listdir(".") == ["sum.npy"])

    code, seen, _ = interrupt(signal.SIGINT, text=f"sum({LONG})")
    check(f"exit 130 where the result would be printed, not {code}", code == 130)
    check(f"it says so: {seen[-120:]!r}", "weft: interrupted" in seen)


for part in (bar, no_bar, signals):
    part()
print(f"{failures} failed")
sys.exit(failures > 0)
