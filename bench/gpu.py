# SPDX-License-Identifier: Apache-2.0
"""gpu - the bench of ./dev gpu: Weft on a GPU beside the GPU's own copy, link and cuBLAS, and beside CuPy, PyTorch and JAX.

usage: gpu.py probe                          what the driver says; exit 77 and one sentence where there is no GPU
       gpu.py bench --build DIR [CASE...]    measures what DIR/bench.json does not have yet for these sources
       gpu.py report --build DIR [--save]    the table; --save: also bench/results/
One contender after the other, each with all of the GPU's memory; a case of gpu.c is a process of its own, which checks its result against
the CPU's. Standard library only; peers that are not installed are "not measured".
"""
import argparse
import ctypes
import datetime
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
GIB = 1 << 30

# name, what it is, unit, what it must reach: a part of the rate of copy, link_in, gemm_* or of another row; a speed-up over cupy, torch or
# jax; below: a value; above_context: milliseconds more than the driver's own context
ROWS = [
    ("axpy_f32", "a + b*c, 1e9", "GB/s", "copy:0.9 jax:1 cupy:1"),
    ("axpy_f64", "a + b*c, 1e9", "GB/s", "copy:0.9 jax:1 cupy:1"),
    ("chain_f32", "ten operations, 1e9", "GB/s", "copy:0.9 jax:1 cupy:1"),
    ("chain_f64", "ten operations, 1e9", "GB/s", "copy:0.9 jax:1 cupy:1"),
    ("black_scholes_f32", "Black-Scholes, 1e9", "GB/s", "copy:0.9 jax:1 cupy:1"),
    ("black_scholes_f64", "Black-Scholes, 1e9", "GB/s", "copy:0.9 jax:1 cupy:1"),
    ("sum_all", "sum, 31744^2 float32", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("sum_0", "sum(axis=0)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("sum_1", "sum(axis=1)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("mean_all", "mean", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("mean_0", "mean(axis=0)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("mean_1", "mean(axis=1)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("std_all", "std", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("std_0", "std(axis=0)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("std_1", "std(axis=1)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("argmax_all", "argmax", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("argmax_0", "argmax(axis=0)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("argmax_1", "argmax(axis=1)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("cumsum_all", "cumulative sum, 1e9 float32", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("cumsum_0", "cumulative_sum(axis=0), 31744^2", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("cumsum_1", "cumulative_sum(axis=1)", "GB/s", "copy:0.85 cupy:1 torch:1"),
    ("transpose_sum", "(x + x.T).sum(), 10000^2 in 2500^2", "GB/s", "cupy:1"),
    ("dot", "dot, the same", "TFLOP/s", "cupy:1"),
    ("block_sum", "sum, the same", "GB/s", "cupy:1"),
    ("block_mean", "mean, the same", "GB/s", "cupy:1"),
    ("slice", "x[::3] copied, the same", "GB/s", "cupy:1"),
    ("col_sum", "x + y, 1e8 in 4 blocks", "GB/s", "cupy:1"),
    ("col_mask", "x[y > 10], the same", "GB/s", "cupy:1"),
    ("col_gather", "x[1000 indices], the same", "us/run", "cupy:1"),
    ("mean_filter", "3 x 3 mean, 10000^2 in 2500^2", "GB/s", "cupy:1"),
    ("matmul_f32", "16384^2 in 4096^2", "TFLOP/s", "gemm_f32:0.97"),
    ("matmul_f64", "16384^2 in 4096^2", "TFLOP/s", "gemm_f64:0.97"),
    ("matmul_bf16", "16384^2 in 4096^2", "TFLOP/s", "gemm_bf16:0.93"),
    ("normals_f32", "1e9 normals, the CPU's bits", "GB/s", "cupy:1 torch:1"),
    ("normals_f64", "1e9 normals, the CPU's bits", "GB/s", "cupy:1 torch:1"),
    ("stream_over", "sum(sqrt(x*x + 1)), 32 GiB in 8", "GB/s", "link_in:0.9"),
    ("tasks", "1e5 tasks of 1000 elements", "us", "below:6"),
    ("scalar_read", "an iteration that reads a scalar", "us", "below:30"),
    ("jacobi", "Jacobi, 20000^2 float32, 50 turns", "GB/s", "copy:0.85"),
    ("open_close", "weft_open + weft_close", "ms", "above_context:50"),
    ("first_cold", "first call, no kernel cached", "ms", ""),
    ("first_warm", "first call, kernel on disk", "ms", "below:5"),
    ("matmul_over", "65536^2 float32, 32 GiB of operands in 8", "TFLOP/s", "matmul_f32:0.9"),
]
# Device memory: in full size, and at least (cuBLAS alone takes 32 MiB a stream).
LIMITED = {"stream_over": (8 * GIB, 1 << 20), "matmul_over": (8 * GIB, 200 << 20)}
ABSENT = {"svd": "Weft has no svd yet", "fft": "Weft has no fft yet"}  # the other cases of dask-cuda's bench
FLOOR = ["copy", "link_in", "link_out", "gemm_f32", "gemm_f64", "gemm_bf16", "context"]  # gpu_peer.c
PEERS = ["cupy", "torch", "jax"]  # peers_gpu.py
NOT_HERE = 77


# --- the machine ---

def library(*names):
    for name in names:
        for path in [name] + sorted(glob.glob(f"/usr/local/cuda/lib64/{name}*")):
            try:
                return ctypes.CDLL(path)
            except OSError:
                pass
    return None


def no_gpu(why):
    print(f"no GPU to use: {why}")
    sys.exit(NOT_HERE)


def open_driver():
    cuda = library("libcuda.so.1")
    if not cuda:
        no_gpu("no CUDA driver is installed (libcuda.so.1)")
    status, count = cuda.cuInit(0), ctypes.c_int()
    if status == 0:
        status = cuda.cuDeviceGetCount(ctypes.byref(count))
    if status:
        text = ctypes.c_char_p()
        cuda.cuGetErrorString(status, ctypes.byref(text))
        no_gpu(f"the CUDA driver says: {(text.value or b'unknown error').decode()}")
    if count.value < 1:
        no_gpu("the CUDA driver sees none")
    return cuda, count.value


def library_versions(cuda):
    number, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(number))
    found = {"cuda": f"{number.value // 1000}.{number.value % 1000 // 10}"}
    nvrtc, cublas, nccl = library("libnvrtc.so.13", "libnvrtc.so.12"), library("libcublas.so.13", "libcublas.so.12"), library("libnccl.so.2")
    if nvrtc and nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)) == 0:
        found["nvrtc"] = f"{major.value}.{minor.value}"
    if hasattr(cublas, "cublasGetProperty"):
        values = [ctypes.c_int() for _ in range(3)]
        if not any(cublas.cublasGetProperty(i, ctypes.byref(v)) for i, v in enumerate(values)):
            found["cublas"] = ".".join(str(v.value) for v in values)
    if nccl and nccl.ncclGetVersion(ctypes.byref(number)) == 0:
        found["nccl"] = f"{number.value // 10000}.{number.value % 10000 // 100}.{number.value % 100}"
    return found


def first_line(command, pattern):
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "-"
    match = re.search(pattern, said)
    return match.group(1).strip() if match else "-"


def describe_machine():
    cuda, count = open_driver()
    name, memory, device = ctypes.create_string_buffer(96), ctypes.c_size_t(), ctypes.c_int()
    cuda.cuDeviceGet(ctypes.byref(device), 0)
    cuda.cuDeviceGetName(name, 96, device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    if name.value.startswith(b"cudasim"):
        no_gpu("the driver is the stand-in of tests/cudasim, which shows no times: --standin")
    return {"gpu": name.value.decode(), "gpus": count, "gpu memory": memory.value, **library_versions(cuda),
            "driver": first_line(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], r"([\d.]+)"),
            "nvcc": first_line(["nvcc", "--version"], r"release ([\d.]+)"), "machine": platform.node(), "cpu": cpu_name(),
            "cpus": len(os.sched_getaffinity(0)), "python": platform.python_version()}


def cpu_name():
    try:
        return re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read()).group(1)
    except (OSError, AttributeError):
        return platform.machine()


def commit():
    out = first_line(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"], r"(\S+)")
    return out if out != "-" else os.environ.get("WEFT_DEV_COMMIT", "unknown")


def source_hash():
    """Of all that a figure depends on: rows of other sources are measured again, whether committed or not."""
    h = hashlib.sha256()
    for room in ("include", "runtime", "kernels", "bench"):
        for folder, _, files in sorted(os.walk(os.path.join(ROOT, room))):
            for name in sorted(files):
                if name.endswith((".c", ".h", ".def", ".cuh", ".cu", ".py", ".txt", ".in")):
                    h.update(open(os.path.join(folder, name), "rb").read())
    return h.hexdigest()[:16]


# --- measuring ---

class Results:
    """What has been measured, on disk after every row: {contender: {case: {"median": ...} or {"failed": text}}}."""

    def __init__(self, args):
        self.path = os.path.join(args.build, "bench.json")
        self.head = {"source": source_hash(), "fraction": args.fraction, "standin": args.standin}
        try:
            self.all = json.load(open(self.path))
        except (OSError, ValueError):
            self.all = {}
        if args.again or any(self.all.get(k) != v for k, v in self.head.items()):
            self.all = dict(self.head, rows={})

    def has(self, contender, case):
        known = self.all["rows"].get(contender, {}).get(case)
        return known is not None and "failed" not in known

    def put(self, contender, case, found):
        self.all["rows"].setdefault(contender, {})[case] = found
        with open(self.path + ".part", "w") as f:
            json.dump(self.all, f, indent=1)
        os.replace(self.path + ".part", self.path)


def numbers(line):
    return {k: float(v) for k, v in re.findall(r"(\w+) (-?[\d.]+(?:e[+-]?\d+)?)", line)}


def run_program(program, case, args, env):
    fraction = args.fraction if program == "gpu" or args.standin else 1  # what the GPU gives is asked in full also when the rest is quick
    command = [os.path.join(args.programs or os.path.join(args.build, "bench"), program), case, repr(fraction), str(args.seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=args.timeout, env=env)
    except subprocess.TimeoutExpired:
        return {"failed": f"no end after {args.timeout} s"}
    except OSError as error:
        return {"failed": error.strerror}
    said = [line for line in done.stderr.strip().splitlines() if not line.startswith("cudasim: leak")]
    if done.returncode == NOT_HERE:
        return {"absent": said[-1] if said else "not here"}
    if done.returncode:
        return {"failed": said[-1] if said else f"exit {done.returncode}"}
    found = numbers(done.stdout)
    if said:
        found["log"] = [line for line in said if "a slower way was taken" not in line][:5]  # which they are is counted
    return found


def environment(case, args):
    env = dict(os.environ, WEFT_DEVICES=args.devices)
    env.setdefault("WEFT_KERNEL_CACHE", os.path.join(os.path.abspath(args.build), "kernels"))
    if case in LIMITED:
        env["WEFT_DEVICES"] += f"@{limit_of(case, args.fraction)}"
    return env


def limit_of(case, fraction):
    whole, least = LIMITED.get(case, (0, 0))
    return max(int(whole * fraction), least)


def without_times(found):
    """What may be kept of the stand-in's rows."""
    return {k: v for k, v in found.items() if k in ("failed", "absent", "log", "fallbacks", "n")}


def measure_programs(program, contender, cases, args, results):
    for case in cases:
        if results.has(contender, case):
            continue
        if time.monotonic() > args.end:
            return False
        found = run_program(program, case, args, environment(case, args))
        results.put(contender, case, without_times(found) if args.standin else found)
        outcome = found.get("failed") or found.get("absent") or ("right" if args.standin else f"{found['median'] * 1e3:12.3f} ms")
        print("\n          ".join([f"   {contender:6} {case:18} {outcome}"] + found.get("log", [])), flush=True)
    return True


def measure_peer(peer, cases, args, results):
    left = [c for c in cases if not results.has(peer, c) and c not in LIMITED and not results.has(peer, "absent")]
    if not left:
        return True
    if time.monotonic() > args.end:
        return False
    command = [sys.executable, os.path.join(HERE, "peers_gpu.py"), peer, str(args.seconds)] + [f"{c}={args.fraction!r}" for c in left]
    env = dict(os.environ, LD_LIBRARY_PATH=os.environ.get("WEFT_DEV_LIBRARY_PATH", ""))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    for line in process.stdout:
        case, rest = line.strip().split(" ", 1)
        results.put(peer, case, {"failed": rest[7:]} if rest.startswith("failed ") else numbers(rest))
        print(f"   {peer:6} {case:18} {rest[:90]}", flush=True)
        if time.monotonic() > args.end:
            process.kill()
            return False
    said = process.stderr.read().strip().splitlines()
    if process.wait() == NOT_HERE:
        results.put(peer, "absent", {"absent": said[-1] if said else "not installed"})
        print(f"   {peer:6} not measured: {said[-1] if said else 'not installed'}", flush=True)
    elif process.returncode:
        print(f"   {peer:6} ended with {process.returncode}: {said[-1] if said else ''}", flush=True)
    return True


def bench(args):
    args.fraction = args.fraction or (1e-4 if args.standin else 1 / 64 if args.quick else 1.0)
    args.seconds = 0.01 if args.standin else 0.1 if args.quick else 0.5
    args.timeout = 60 if args.standin or args.quick else 240
    args.end = time.monotonic() + args.minutes * 60
    machine = {} if args.standin else describe_machine()
    names = [row[0] for row in ROWS]
    for case in args.cases:
        if case not in names:
            sys.exit(f"gpu.py: unknown case '{case}'; known: {' '.join(names)}")
    results, cases = Results(args), args.cases or names
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    results.all.update(machine=machine, commit=commit(), quick=args.quick, date=date)
    done = bool(args.cases) or measure_programs("gpu_peer", "floor", FLOOR, args, results)
    done = measure_programs("gpu", "weft", cases, args, results) and done
    for peer in [] if args.standin or args.quick else PEERS:
        done = measure_peer(peer, cases, args, results) and done
    if not done:
        print(f"   not everything fitted into {args.minutes:g} minutes: run it again, and it goes on from here")
    failed = [c for c in cases if "failed" in results.all["rows"].get("weft", {}).get(c, {})]
    if failed:
        print("   failed: " + " ".join(failed))
    return 1 if failed or not done else 0


# --- the table ---

def figure(unit, found, case, fraction):
    """How fast, in UNIT; None if that is not known."""
    if not found or "median" not in found:
        return None
    if unit == "GB/s":  # what fits on the device may have stayed there
        return max(found["bytes"] - limit_of(case, fraction), 0) / found["median"] / 1e9
    if unit == "TFLOP/s":
        return found["flops"] / found["median"] / 1e12
    return found["median"] * 1e6 if unit == "us/run" else found["value"]


def reached(row, target, rows, fraction):
    """(what is shown, whether it is enough) of one target; None if it was not measured."""
    name, _, unit, _ = row
    against, _, least = target.partition(":")
    least, ours = float(least), rows.get("weft", {}).get(name, {})
    speed = figure(unit, ours, name, fraction)
    if against == "below":
        return None if speed is None else (f"at most {least:g}", speed <= least)
    if against == "above_context":
        context = rows.get("floor", {}).get("context", {}).get("value")
        return None if speed is None or context is None else (f"context {context:.0f} + {least:g}", speed <= context + least)
    if against in PEERS:
        theirs = rows.get(against, {}).get(name, {}).get("median")
        ratio = theirs / ours["median"] if theirs and "median" in ours else None
    else:
        other = figure(unit, rows.get("floor" if against in FLOOR else "weft", {}).get(against), against, fraction)
        ratio = speed / other if speed and other else None
    return None if ratio is None else (f"{against} {ratio:.2f} ({least:g})", ratio >= least)


def report_row(row, all_):
    name, what, unit, targets = row
    found, shown = all_["rows"].get("weft", {}).get(name), []
    if found is None or "failed" in found:
        return f"   {name:18} {what:42} {'not measured' if found is None else 'FAILED: ' + found['failed']}"
    if all_["standin"]:
        return f"   {name:18} {what:42} right" + (f", {found['fallbacks']:.0f} times on the CPU" if found.get("fallbacks") else "")
    for target in targets.split():
        got = reached(row, target, all_["rows"], all_["fraction"])
        shown.append(f"{target.split(':')[0]} not measured" if got is None else got[0] + ("" if got[1] else " MISSED"))
    if found.get("fallbacks"):
        shown.append(f"{found['fallbacks']:.0f} fallbacks to the CPU")
    return f"   {name:18} {what:42} {figure(unit, found, name, all_['fraction']):10.4g} {unit:8} {'  '.join(shown)}"


def report(args):
    try:
        all_ = json.load(open(os.path.join(args.build, "bench.json")))
    except (OSError, ValueError):
        all_ = {"rows": {}, "standin": args.standin, "fraction": 1, "machine": {}}
    all_["stages"] = [dict(zip(("stage", "seconds", "outcome"), line.rstrip("\n").split("\t")))
                      for path in sorted(glob.glob(os.path.join(args.build, "stages-*"))) for line in open(path)]
    if all_["rows"]:
        if all_["source"] != source_hash():
            print("   the sources have changed since these rows were made")
        m, f = all_["machine"], all_["rows"].get("floor", {})
        print("   the stand-in: no GPU, so no times" if all_["standin"] else
              "   " + ", ".join(f"{k} {v}" for k, v in m.items()) + f"; commit {all_['commit']}, {all_['fraction']:g} of the size")
        for case, unit in [] if all_["standin"] else (("copy", "GB/s"), ("link_in", "GB/s"), ("link_out", "GB/s"), ("gemm_f32", "TFLOP/s"),
                                                      ("gemm_f64", "TFLOP/s"), ("gemm_bf16", "TFLOP/s"), ("context", "ms")):
            speed = figure(unit, f.get(case), case, 1)
            print(f"   {case:18} {'the GPU itself':42} " + (f"{speed:10.4g} {unit}" if speed is not None else "not measured"))
        for row in ROWS:
            print(report_row(row, all_))
        for name, why in ABSENT.items():
            print(f"   {name:18} {'':42} not measured: {why}")
    with open(os.path.join(args.build, "results.json"), "w") as out:
        json.dump(all_, out, indent=1)
    if args.save and all_["rows"] and not all_["standin"]:
        name = re.sub(r"[^a-z0-9]+", "-", f"{all_['date'][:10]} {all_['machine']['gpu']}{' quick' if all_['quick'] else ''}".lower())
        print("   saved: " + shutil.copy(os.path.join(args.build, "results.json"), os.path.join(HERE, "results", name + ".json")))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=["probe", "bench", "report"])
    parser.add_argument("--build", default="build/gpu")
    parser.add_argument("--programs", default=None, help="where gpu and gpu_peer are; DIR/bench unless said")
    parser.add_argument("--again", action="store_true", help="measure rows that are there already")
    parser.add_argument("--devices", default=os.environ.get("WEFT_DEVICES", "cuda"))
    parser.add_argument("--fraction", type=float, default=0, help="of the full sizes")
    parser.add_argument("--minutes", type=float, default=7.5, help="no new row after this long")
    parser.add_argument("--quick", action="store_true", help="a 64th of the sizes, without CuPy, PyTorch and JAX")
    parser.add_argument("--standin", action="store_true", help="on tests/cudasim, at tiny sizes: no time is shown or kept")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("cases", nargs="*")
    args = parser.parse_intermixed_args()
    if args.verb == "probe":
        machine = describe_machine()
        print("   " + ", ".join(f"{k} {v}" for k, v in machine.items()))
        return 0
    return {"bench": bench, "report": report}[args.verb](args)


sys.exit(main())
