# SPDX-License-Identifier: Apache-2.0
"""peers_gpu - the cases of gpu.c in CuPy, PyTorch and JAX, as their users would write them, on arrays that lie on the GPU.

usage: peers_gpu.py PEER SECONDS NAME=FRACTION...    one line per case, "NAME median SECONDS ..." or "NAME failed TEXT"; a case that the
peer has not is left out; exit 77: the peer is not installed, or sees no GPU
"""
import gc
import math
import os
import sys
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
LONG, MOST = 8, 50


class Cupy:
    def __init__(self):
        import cupy
        import cupyx.scipy.special
        self.xp, self.erf, self.jit = cupy, cupyx.scipy.special.erf, lambda f: f
        self.dtypes = {"f32": cupy.float32, "f64": cupy.float64}
        self.rng = cupy.random.default_rng(1)
        if cupy.cuda.runtime.getDeviceCount() < 1:
            raise ImportError("no GPU")

    def wait(self, result):
        self.xp.cuda.Device().synchronize()

    def uniform(self, shape, dtype, low=0, high=1):
        return self.rng.random(shape, dtype=dtype) * dtype(high - low) + dtype(low)

    def normal(self, shape, dtype):
        return self.rng.standard_normal(shape, dtype=dtype)

    def integers(self, n, count):
        return self.rng.integers(0, n, count)

    def forget(self):
        self.xp.get_default_memory_pool().free_all_blocks()


class Torch:
    def __init__(self):
        import torch
        if not torch.cuda.is_available():
            raise ImportError("PyTorch sees no GPU")
        torch.set_grad_enabled(False)
        self.xp, self.erf, self.jit = torch, torch.erf, lambda f: f
        self.dtypes = {"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16}

    def wait(self, result):
        self.xp.cuda.synchronize()

    def uniform(self, shape, dtype, low=0, high=1):
        return self.xp.rand(shape, dtype=dtype, device="cuda") * (high - low) + low

    def normal(self, shape, dtype):
        return self.xp.randn(shape, dtype=dtype, device="cuda")

    def integers(self, n, count):
        return self.xp.randint(0, n, (count,), device="cuda")

    def forget(self):
        self.xp.cuda.empty_cache()


class Jax:
    def __init__(self):
        import jax
        import jax.numpy
        if jax.default_backend() != "gpu":
            raise ImportError("JAX sees no GPU")
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_default_matmul_precision", "highest")  # float32, not TF32
        self.jax, self.xp, self.erf, self.jit = jax, jax.numpy, jax.scipy.special.erf, jax.jit
        self.dtypes = {"f32": "float32", "f64": "float64", "bf16": "bfloat16"}
        self.seed = 0

    def key(self):
        self.seed += 1
        return self.jax.random.key(self.seed)

    def wait(self, result):
        self.jax.block_until_ready(result)

    def uniform(self, shape, dtype, low=0, high=1):
        return self.jax.random.uniform(self.key(), shape, dtype, low, high)

    def normal(self, shape, dtype):
        return self.jax.random.normal(self.key(), shape, dtype)

    def integers(self, n, count):
        return self.jax.random.randint(self.key(), (count,), 0, n)

    def forget(self):
        pass


def black_scholes(p):
    def price(a, b, c):
        v = 0.3 * p.xp.sqrt(c)
        d = (p.xp.log(a / b) + 0.065 * c) / v
        return a * (0.5 + 0.5 * p.erf(d * 0.70710678)) - b * p.xp.exp(-0.02 * c) * (0.5 + 0.5 * p.erf((d - v) * 0.70710678))
    return price


def mean_filter(p):
    def smooth(a):
        n, m = a.shape
        u = p.xp.nn.functional.pad(a[None, None], (1, 1, 1, 1), "replicate")[0, 0] if isinstance(p, Torch) else p.xp.pad(a, 1, "edge")
        return sum(u[i:i + n, j:j + m] for i in range(3) for j in range(3)) / 9
    return smooth


def reduction(p, name, axis):
    f = getattr(p.xp, name)
    correction = {"correction": 0} if name == "std" and isinstance(p, Torch) else {}
    return lambda a: f(a, **correction) if axis is None else f(a, axis, **correction)


# name: (axes, size, inputs, what is measured); inputs and what is measured as functions of the peer
def table(p):
    one = lambda n, t: [p.uniform((n,), t)]
    two = lambda n, t: [p.uniform((n,), t) for _ in range(2)]
    square = lambda n, t: [p.uniform((n, n), t)]
    squares = lambda n, t: [p.uniform((n, n), t) for _ in range(2)]
    cases = {
        "axpy": (1, 1e9, lambda n, t: [p.uniform((n,), t) for _ in range(3)], lambda a, b, c: a + b * c),
        "chain": (1, 1e9, one, lambda a: ((((a * 2 + 1) * a - 3) * a + 0.5) * a - a) * 0.25 + a),
        "black_scholes": (1, 1e9, lambda n, t: [p.uniform((n,), t, 10, 50), p.uniform((n,), t, 10, 50), p.uniform((n,), t, 1, 10)], black_scholes(p)),
        "cumsum_all": (1, 1e9, one, lambda a: p.xp.cumsum(a, 0)),
        "cumsum_0": (2, 31744, square, lambda a: p.xp.cumsum(a, 0)),
        "cumsum_1": (2, 31744, square, lambda a: p.xp.cumsum(a, 1)),
        "transpose_sum": (2, 10000, square, lambda a: (a + a.T).sum()),
        "dot": (2, 10000, squares, lambda a, b: a @ b),
        "block_sum": (2, 10000, square, lambda a: a.sum()),
        "block_mean": (2, 10000, square, lambda a: a.mean()),
        "slice": (2, 10000, square, lambda a: a[::3].clone() if isinstance(p, Torch) else a[::3].copy()),
        "col_sum": (1, 1e8, two, lambda a, b: a + b),
        "col_mask": (1, 1e8, lambda n, t: one(n, t) + [p.normal((n,), t) + 10], lambda a, b: a[b > 10]),
        "col_gather": (1, 1e8, lambda n, t: one(n, t) + [p.integers(n, 1000)], lambda a, b: a[b]),
        "mean_filter": (2, 10000, square, mean_filter(p)),
        "matmul": (2, 16384, squares, lambda a, b: a @ b),
        "normals": (1, 1e9, lambda n, t: [n, t], None),
    }
    for name in ("sum", "mean", "std", "argmax"):
        for axis, ending in ((None, "all"), (0, "0"), (1, "1")):
            cases[f"{name}_{ending}"] = (2, 31744, square, reduction(p, name, axis))
    return cases


def runs_of(p, case, fraction):
    """A function of no arguments that makes the case's result; None: the peer has no such case."""
    base, _, ending = case.rpartition("_")
    name, dtype = (base, p.dtypes.get(ending)) if ending in ("f32", "f64", "bf16") else (case, p.dtypes["f32"])
    if name not in (cases := table(p)) or dtype is None:
        return None
    axes, size, inputs, run = cases[name]
    n = max(int(size * (fraction if axes == 1 else math.sqrt(fraction)) + 0.5), 16)
    if run is None:
        return lambda: p.normal((n,), dtype)
    arrays = inputs(n, dtype)
    if name != "col_mask":  # whose result's shape depends on data
        run = p.jit(run)
    return lambda: run(*arrays)


def measure(p, run, seconds):
    times = []

    def once():
        begin = time.perf_counter()
        p.wait(run())
        return time.perf_counter() - begin

    first = once()
    if first > LONG:
        times.append(first)
    while len(times) < MOST and (not times or sum(times) < seconds) and first <= LONG:
        times.append(once())
    times.sort()
    return f"median {times[len(times) // 2]:.9f} least {times[0]:.9f} most {times[-1]:.9f} runs {len(times)} first {first:.9f}"


def main():
    try:
        p = {"cupy": Cupy, "torch": Torch, "jax": Jax}[sys.argv[1]]()
    except Exception as error:  # a library without its GPU fails in many ways
        print(str(error).strip().split("\n")[0], file=sys.stderr)
        sys.exit(77)
    for argument in sys.argv[3:]:
        case, fraction = argument.split("=")
        try:
            run = runs_of(p, case, float(fraction))
            if run:
                p.wait(None)
                print(case, measure(p, run, float(sys.argv[2])), flush=True)
        except Exception as error:
            print(case, "failed", (str(error).strip() or type(error).__name__).split("\n")[0], flush=True)
        run = None
        gc.collect()
        p.forget()


main()
