# SPDX-License-Identifier: Apache-2.0
"""peers - the cases of cases.c in NumPy, numexpr, Dask and JAX, as their users would write them.

usage: peers.py PEER CASE FRACTION    the protocol of cases.c; exit 4: this peer has no such case
"""
import math
import os
import resource
import sys
import time

peer, case, fraction = sys.argv[1], sys.argv[2], float(sys.argv[3])
import numpy as np

rng = np.random.default_rng(1)
scaled = lambda n: max(int(n * fraction), 1)
side = lambda n: max(int(n * math.sqrt(fraction)), 8)


def numpy_cases():
    def expsum():
        x = rng.random(scaled(100_000_000))
        return lambda: np.sum(np.sqrt(x * x + 1) * np.exp(-x))

    def transpose_mean():
        x = rng.random((side(10000),) * 2)
        return lambda: (x + x.T).mean(axis=0)[3]

    def std_axis0():
        x = rng.random((side(10000),) * 2)
        return lambda: x.std(axis=0)[3]

    def chain():
        x = (np.arange(scaled(100_000_000)) % 1000).astype(np.float32) * np.float32(1e-3)
        return lambda: (((((x * 2 + 1) * x - 3) * x + 0.5) * x - x) * 0.25 + x)[7]

    def matmul():
        a, b = rng.random((side(4000),) * 2), rng.random((side(4000),) * 2)
        return lambda: (a @ b)[3, 5]

    def normals():
        return lambda: rng.standard_normal(scaled(100_000_000)).sum()

    def tiny():
        def run():
            n = scaled(100000)
            a, b = np.array(1.0), np.array(2.0)
            begin = time.perf_counter()
            for _ in range(n):
                float(a + b)
            return (time.perf_counter() - begin) / n * 1e6
        return run

    def cg():
        n = side(4000)
        a = rng.random((n, n))
        a = a + a.T + n * np.diag(np.linspace(0.1, 100, n))  # slow to converge: no turn divides 0 by 0

        def run():
            x, r = np.zeros(n), np.ones(n)
            p, rr = r.copy(), r @ r
            for _ in range(200):
                ap = a @ p
                alpha = rr / (p @ ap)
                x += alpha * p
                r -= alpha * ap
                old, rr = rr, r @ r
                p = r + (rr / old) * p
            return x[0]
        return run

    def sweep():
        x = rng.random(scaled(100_000_000))
        turns = max(20_000_000 // (x.size + 10_000), 1)

        def run():
            begin = time.perf_counter()
            for _ in range(turns):
                x * x + x
                float(x.sum())
            return (time.perf_counter() - begin) / turns * 1e6
        return run

    return locals()


def numexpr_cases():
    import numexpr as ne
    ne.set_num_threads(os.cpu_count())

    def expsum():
        x = rng.random(scaled(100_000_000))
        return lambda: float(ne.evaluate("sum(sqrt(x*x+1)*exp(-x))", local_dict={"x": x}))

    def chain():
        x = (np.arange(scaled(100_000_000)) % 1000).astype(np.float32) * np.float32(1e-3)
        return lambda: ne.evaluate("((((x*2+1)*x-3)*x+0.5)*x-x)*0.25+x", local_dict={"x": x})[7]

    return locals()


def dask_cases():
    import dask
    import dask.array as da
    dask.config.set(scheduler="threads")

    def expsum():
        x = da.from_array(rng.random(scaled(100_000_000)), chunks=4_000_000, name=False)
        return lambda: da.sum(da.sqrt(x * x + 1) * da.exp(-x)).compute()

    def square():
        return da.from_array(rng.random((side(10000),) * 2), chunks=1000, name=False)

    def transpose_mean():
        x = square()
        return lambda: (x + x.T).mean(axis=0).compute()[3]

    def std_axis0():
        x = square()
        return lambda: x.std(axis=0).compute()[3]

    def chain():
        x = da.from_array((np.arange(scaled(100_000_000)) % 1000).astype(np.float32) * np.float32(1e-3), chunks=4_000_000, name=False)
        return lambda: (((((x * 2 + 1) * x - 3) * x + 0.5) * x - x) * 0.25 + x).compute()[7]

    def matmul():
        n = side(4000)
        a, b = (da.from_array(rng.random((n, n)), chunks=1000, name=False) for _ in range(2))
        return lambda: (a @ b).compute()[3, 5]

    def normals():
        return lambda: da.random.default_rng(1).standard_normal(scaled(100_000_000), chunks=4_000_000).sum().compute()

    def blocks():  # at one hundredth: a full run takes minutes
        z = da.from_array(rng.random(scaled(10_000) * 20), chunks=20, name=False)
        return lambda: (z + 1).sum().compute()

    drop = type("Drop", (), {"__setitem__": lambda *_: None})()

    def basic_sum():
        return lambda: da.zeros((scaled(273542), 3925), chunks=(-1, 64)).sum(axis=1).sum().compute()

    def vorticity():
        def run():
            n, k = 1000, scaled(537)
            u, v = (da.random.default_rng(i).random((n, n, k), chunks=(n, n, 8)) for i in (1, 2))
            dx, dy = (da.random.default_rng(i).random((n + 1, n), chunks=-1) for i in (3, 4))
            up, vp = (da.pad(a, ((0, 1), (0, 0), (0, 0)), mode="wrap").rechunk({0: n + 1}) for a in (u, v))
            (dx[..., None] * up - dy[..., None] * vp).store(drop, lock=False)
            return 0
        return run

    def double_diff():
        def run():
            n = side(32768)
            a, b = (da.random.default_rng(i).random((n, n), chunks=1619) for i in (1, 2))
            (a[1:, 1:] - b[:-1, :-1]).store(drop, lock=False)
            return 0
        return run

    def dot_product():
        def run():
            n = side(32768)
            a = da.random.default_rng(1).random((n, n), chunks=2000)
            return (a @ a.T).sum().compute()
        return run

    def quadratic_mean():
        def run():
            u, v = (da.random.default_rng(i).random((scaled(283), 1, 987, 1920), chunks=(10, 1, -1, -1)) for i in (1, 2))
            return float(dask.compute((u ** 2).mean(axis=0), (v ** 2).mean(axis=0), (u * v).mean(axis=0))[2].sum())
        return run

    def anom_mean():
        def run():
            cols = scaled(273542)
            x = da.random.default_rng(1).random((3925, cols), chunks=(1, cols))
            day = np.arange(3925) % 39
            clim = da.stack([x[day == d].mean(axis=0) for d in range(39)])
            return float(abs((x - clim[day]).mean(axis=0)).sum().compute())
        return run

    def zmean():
        def run():
            z = da.random.default_rng(1).random((side(32768),) * 2, chunks=2048)
            return float((z - z.mean(axis=0)).sum().compute())
        return run

    return locals()


def jax_cases():
    import jax
    import jax.numpy as jnp
    jax.config.update("jax_enable_x64", True)

    def expsum():
        x = jnp.asarray(rng.random(scaled(100_000_000)))
        run = jax.jit(lambda x: jnp.sum(jnp.sqrt(x * x + 1) * jnp.exp(-x)))
        return lambda: float(run(x))

    def transpose_mean():
        x = jnp.asarray(rng.random((side(10000),) * 2))
        run = jax.jit(lambda x: (x + x.T).mean(axis=0))
        return lambda: float(run(x)[3])

    def chain():
        x = jnp.asarray((np.arange(scaled(100_000_000)) % 1000).astype(np.float32) * np.float32(1e-3))
        run = jax.jit(lambda x: ((((x * 2 + 1) * x - 3) * x + 0.5) * x - x) * 0.25 + x)
        return lambda: float(run(x).block_until_ready()[7])

    return locals()


try:
    table = {"numpy": numpy_cases, "numexpr": numexpr_cases, "dask": dask_cases, "jax": jax_cases}[peer]()
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(5)
if case not in table:
    sys.exit(4)
run = table[case]()
print("ready", flush=True)
for _ in sys.stdin:
    begin = time.perf_counter()
    value = run()
    print(f"{time.perf_counter() - begin:.9f} {float(value):.17g}", flush=True)
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
