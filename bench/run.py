# SPDX-License-Identifier: Apache-2.0
"""run - Weft beside its peers: one process each, taking turns, the median of several rounds; a table and JSON.

usage: run.py --build FOLDER [--quick] [--rounds N] [--json FILE] [CASE...]
Standard library only; peers that are not installed are rows "not measured".
"""
import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GIB = 1 << 30

# name, what it is, peers, fraction of the full size, memory limit, (peer, least speed-up over it) that it must reach
CASES = [
    ("expsum", "sum(sqrt(x*x+1)*exp(-x)), 1e8 float64", "loops numpy numexpr dask jax", 1, 0, [("dask", 4), ("numexpr", 5), ("loops", 1 / 1.1)]),
    ("transpose_mean", "(x + x.T).mean(axis=0), 1e4 x 1e4", "numpy dask jax", 1, 0, [("dask", 4)]),
    ("std_axis0", "std(axis=0), same; loops: one read of it", "loops numpy dask", 1, 0, [("loops", 1 / 1.5)]),
    ("chain", "ten elementwise operations, 1e8 float32", "loops numpy numexpr dask jax", 1, 0, [("loops", 1 / 1.2)]),
    ("matmul", "4,000 x 4,000 float64 in blocks of 1,000", "numpy dask", 1, 0, [("numpy", 0.9)]),
    ("normals", "1e8 random normals, summed", "numpy dask", 1, 0, [("dask", 3)]),
    ("blocks", "(z + 1).sum(), 1e6 blocks of 20 (dask: 1e4)", "dask", 1, 0, []),
    ("blocks_plain", "the same without grouping and folding", "", 1, 0, []),
    ("tiny", "add two 0-d arrays, read the result; value: us", "numpy", 1, 0, []),
    ("cg", "conjugate gradients, 200 turns, 4,000^2", "numpy", 1, 0, [("numpy", 1 / 1.15)]),
    ("jacobi", "Jacobi, 4,000^2 float64, 1,000 turns", "loops", 1, 0, [("loops", 1 / 1.2)]),
    ("open_close", "weft_open + weft_close", "", 1, 0, []),
    ("graph", "building 1e6 nodes; value: ns a node", "", 1, 0, []),
    ("plan_first", "1,000 nodes, first with and then without making the plan; value: the difference, us a node", "", 1, 0, []),
    ("plan", "a first plan, 1e6 blocks; value: us a node", "", 1, 0, []),
    ("turn", "conjugate gradients, 16^2; value: us a turn", "", 1, 0, []),
    ("plan_cached", "20 nodes whose plan is known; value: us a request, building and running included", "", 1, 0, []),
    ("requests", "1e6 small requests; value: KiB that the process has grown by", "", 1, 0, []),
    ("sweep_1", "a*b+c and a sum of 1 element; value: us", "numpy", 1e-8, 0, []),
    ("sweep_100", "the same of 100 elements", "numpy", 1e-6, 0, []),
    ("sweep_10k", "the same of 10,000 elements", "numpy", 1e-4, 0, []),
    ("sweep_1m", "the same of 1,000,000 elements", "numpy", 1e-2, 0, []),
    ("sweep_100m", "the same of 100,000,000 elements", "numpy", 1, 0, []),
    ("basic_sum", "8 GiB of zeros summed, limit 1 GiB", "dask", 1, GIB, [("dask", 1)]),
    ("vorticity", "pad, broadcast, subtract; 2 x 4 GiB, limit 1 GiB", "dask", 1, GIB, [("dask", 1)]),
    ("double_diff", "a[1:,1:] - b[:-1,:-1]; 2 x 8 GiB, limit 1 GiB", "dask", 1, GIB, [("dask", 1)]),
    ("dot_product", "(a @ a.T).sum(), 8 GiB; at 1/16, limit 128 MiB", "dask", 1 / 16, GIB // 8, [("dask", 1)]),
    ("quadratic_mean", "means of u^2, v^2, uv; 2 x 4 GiB, limit 1 GiB", "dask", 1, GIB, [("dask", 1)]),
    ("anom_mean", "anomalies by group, 8 GiB, limit 1 GiB", "dask", 1, GIB, [("dask", 1)]),
    ("zmean", "(z - z.mean(axis=0)).sum(), 8 GiB, limit 1 GiB", "dask", 1, GIB, [("dask", 1)]),
    ("copy", "8 GiB, Zarr rows to Zarr rows, limit 1 GiB, cold cache", "", 1, GIB, []),
    ("swap", "8 GiB, Zarr rows to Zarr columns, limit 1 GiB, cold cache", "", 1, GIB, []),
    ("copy_packed", "the same with the default codec", "", 1, GIB, []),
    ("swap_packed", "the same with the default codec", "", 1, GIB, []),
    ("copy_npy", "8 GiB npy copied, limit 1 GiB, cold cache", "", 1, GIB, []),
    ("swap_npy", "8 GiB npy transposed, limit 1 GiB, cold cache", "", 1, GIB, []),
]
# A row whose time must stay within so many times that of another row.
WITHIN = [("swap", "copy", 2.2), ("swap_packed", "copy_packed", 2.2), ("swap_npy", "copy_npy", 2.2)]
BEHIND_US = 10  # the most that a row of the sweep may be behind NumPy
SLOW = 10  # seconds from which one run is enough
PROGRAM = {"blocks_plain": "blocks"}  # rows that share a case of cases.c, besides sweep_*


class Contender:
    """One peer at one case: a process that runs once per line it is sent."""

    def __init__(self, name, case, args, fraction, limit):
        base = "sweep" if case.startswith("sweep_") else PROGRAM.get(case, case)
        env = dict(os.environ)
        env.pop("WEFT_MEMORY_LIMIT", None)
        if name == "weft":
            command = [os.path.join(args.build, "bench", "cases"), base, str(fraction), str(limit)]
            if case == "blocks_plain":
                env["WEFT_DISABLE"] = "group,fold"
        elif name == "loops":
            command = [os.path.join(args.build, "bench", "peer_loops"), base, str(fraction)]
        else:
            command = [sys.executable, os.path.join(HERE, "peers.py"), name, base, str(fraction)]
        env["BENCH_DIR"] = args.folder
        self.name, self.times, self.value, self.peak, self.use, self.note = name, [], None, None, {}, ""
        self.process = None
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        except OSError as error:
            self.note = f"not measured ({error.strerror})"
            return
        if self.process.stdout.readline().strip() != "ready":
            code = self.process.wait()
            said = self.process.stderr.read().strip().splitlines()
            self.note = {4: "no such case", 5: "not measured (not installed)"}.get(code, f"failed: {said[-1] if said else code}")
            self.process = None

    def once(self, keep):
        if not self.process:
            return
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            seconds, value = self.process.stdout.readline().split()
        except (ValueError, OSError):
            said = self.process.stderr.read().strip().splitlines()
            self.note, self.process = f"failed: {said[-1] if said else 'no answer'}", None
            return
        self.value = float(value)
        if keep or float(seconds) >= SLOW:
            self.times.append(float(seconds))

    def finish(self):
        if not self.process:
            return
        self.process.stdin.close()
        self.use = {k: int(v) for k, v in re.findall(r"(\w+) (\d+)", self.process.stdout.read())}
        self.peak = self.use.get("peak")
        self.process.wait()


def measure(case, what, peers, fraction, limit, args):
    if args.quick:
        fraction = fraction if case.startswith("sweep_") and fraction < 1e-3 else fraction / 1000 if limit == 0 else fraction / 64
    contenders = [Contender(name, case, args, fraction, limit) for name in ["weft"] + peers.split()]
    for c in contenders:
        c.once(keep=False)  # warm: first touch, compilation, caches
    begin = time.monotonic()
    for _ in range(1 if args.quick else args.rounds):
        for c in contenders:
            if c.times and c.times[-1] >= SLOW:
                continue  # a long one is measured once
            c.once(keep=True)
        if time.monotonic() - begin > args.seconds:
            break
    for c in contenders:
        c.finish()
    for name in os.listdir(args.folder):  # files of tens of GiB: gone before the next case makes its own
        path = os.path.join(args.folder, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    return contenders, fraction


def versions():
    names = ["numpy", "numexpr", "dask", "jax"]
    code = "import importlib.metadata as m\nfor n in %r:\n  try: print(n, m.version(n))\n  except Exception: print(n, '-')" % names
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    return dict(line.split() for line in out.split("\n") if line)


def compare_rows(rows):
    """What is said about several rows together."""
    ours = {row["case"]: row["results"][0] for row in rows}
    for slow, fast, most in WITHIN:
        a, b = (statistics.median(ours[n]["seconds"]) if n in ours and ours[n]["seconds"] else None for n in (slow, fast))
        if a and b:
            print(f"\n{slow} takes {a / b:.2f}x of {fast}; at most {most}x" + ("" if a / b <= most else ": missed"))
    sweep = [row for row in rows if row["case"].startswith("sweep_") and len(row["results"]) > 1 and all(c["value"] for c in row["results"])]
    ahead = [row["case"][6:] for row in sweep if row["results"][0]["value"] < row["results"][1]["value"]]
    if sweep:
        print(f"\nsweep: Weft is ahead of NumPy from {ahead[0] if ahead else 'no measured size'} elements on")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60, help="no new round of a case after this long")
    parser.add_argument("--quick", action="store_true", help="a thousandth of the size, one round: does it run at all?")
    parser.add_argument("--json", default=None)
    parser.add_argument("cases", nargs="*")
    args = parser.parse_args()
    known = [c[0] for c in CASES]
    for name in args.cases:
        if name not in known:
            sys.exit(f"bench: unknown case '{name}'; known: {' '.join(known)}")
    rows, failed = [], []
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}; "
          + ", ".join(f"{k} {v}" for k, v in versions().items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="weft-bench-", dir=args.build) as folder:
        args.folder = folder
        for case, what, peers, fraction, limit, targets in CASES:
            if args.cases and case not in args.cases:
                continue
            contenders, used = measure(case, what, "" if args.quick else peers, fraction, limit, args)
            ours = contenders[0]
            median = statistics.median(ours.times) if ours.times else None
            print(f"\n{case}: {what}" + (f" (at {used:g} of the size)" if used != 1 else ""))
            for c in contenders:
                if not c.times:
                    print(f"    {c.name:8} {c.note or 'not measured'}")
                    if c is ours:
                        failed.append(case)
                    continue
                m = statistics.median(c.times)
                ratio = f"{m / median:7.2f}x of weft's time" if median and c is not ours else ""
                peak = f"  peak {c.peak / 1024:.0f} MiB" if c.peak else ""
                print(f"    {c.name:8} {m:10.6f} s  ({min(c.times):.6f} .. {max(c.times):.6f}) {ratio}{peak}  value {c.value:.6g}", flush=True)
                if c is not ours:
                    for peer, least in targets:
                        if peer == c.name and median and m / median < least:
                            print(f"             below the target: at least {least:.2f}x")
                    if case.startswith("sweep_") and ours.value and ours.value - c.value > BEHIND_US:
                        print(f"             {ours.value - c.value:.1f} us behind {c.name}; at most {BEHIND_US} are allowed")
                elif limit and c.peak and not args.quick and c.peak * 1024 > 1.1 * limit:
                    print(f"             above the memory limit of {limit >> 20} MiB and a tenth")
            rows.append({"case": case, "what": what, "fraction": used, "memory_limit": limit, "targets": targets,
                         "results": [{"name": c.name, "seconds": c.times, "value": c.value, "peak_kib": c.peak, "use": c.use, "note": c.note} for c in contenders]})
    compare_rows(rows)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"machine": platform.machine(), "cpus": os.cpu_count(), "versions": versions(), "cases": rows}, f, indent=1)
    if failed:
        sys.exit("bench: failed: " + " ".join(failed))


main()
