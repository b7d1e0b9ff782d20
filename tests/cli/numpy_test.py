# SPDX-License-Identifier: Apache-2.0
"""`weft eval` against NumPy: the same text over the same arrays gives the same shape, dtype and values; and the main job on real data.

Exit code 77 means skipped, with the reason printed.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

WEFT = os.environ["WEFT_COMMAND"]
failures = 0
folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)

rng = np.random.default_rng(7)
ARRAYS = {
    "u": rng.normal(size=(6, 8)).astype(np.float32),
    "v": rng.normal(size=(6, 8)).astype(np.float32),
    "d": rng.normal(size=(5, 6, 8)),
    "i": rng.integers(-9, 9, (6, 8)),
    "k": rng.integers(0, 5, 20).astype(np.int32),
    "w": rng.normal(size=20),
    "b": rng.integers(0, 2, (6, 8)).astype(bool),
    "z": rng.normal(size=(4, 3)) + 1j * rng.normal(size=(4, 3)),
    "p": rng.uniform(0.5, 3, (6, 8)),
    "q": np.array([1.0, np.nan, np.inf, -np.inf, 3.0]),
}

# What both understand, word for word.
SAME = r"""
u + v
2.0 * u - v / 3
u**2 + v**2
sqrt(u**2 + v**2)
mean(sqrt(u**2 + v**2), axis=0)
2 * pi * u
(1/3) * u
u * 2**3
-u + +v
i // 3
i % 4
i / 2
i << 2
i & 3 | 1
~b
~i
b ^ (i > 0)
(i > 0) & (i < 5)
u > v
where(u > 0, u, 0)
where((u > 0) & isfinite(u), u, -inf)
maximum(u, v)
minimum(u, 0)
clip(u, -1, 1)
clip(u, 0, None)
u.clip(-0.5, 0.5)
abs(u)
absolute(i)
exp(u)
log(p)
power(p, 1.5)
arctan2(u, v)
hypot(u, v)
sin(u) * cos(v) + tan(u)
arcsin(clip(u, -1, 1))
floor(u) + ceil(v) + trunc(u) + rint(v)
round(p, 2)
round(u)
sign(i)
square(i)
reciprocal(p)
isnan(q)
isinf(q)
nan_to_num(q, nan=7.0, posinf=1.0, neginf=-1.0)
isclose(u, u + 1e-9)
z * 2j + 1
abs(z)
z.real + z.imag
conj(z)
z.T
sum(u)
u.sum()
u.sum(axis=0)
sum(i, axis=(0, 1))
sum(d, axis=-1, keepdims=True)
sum(b)
sum(u, dtype=float64)
sum(i, axis=0, dtype='float32')
prod(p, axis=1)
mean(i)
mean(d, axis=(0, 2))
std(u)
var(d, axis=1, ddof=1)
d.std(axis=0)
min(u, axis=1)
amax(d)
any(b, axis=0)
all(b)
count_nonzero(b, axis=1)
argmin(u)
argmax(d, axis=1)
nansum(q)
nanmean(where(isinf(q), 0, q))
cumsum(i, axis=1)
cumsum(w)
cumprod(p, axis=0)
u[1:-1, ::2]
u[::-1]
u[2]
u[2, 3]
u[-1, 1:3]
u[..., 0]
d[1, ..., ::-3]
u[None, :, newaxis, :]
u[i[:, 0] > 0]
u[b]
u[[0, 2, -1]]
d[:, [1, 1, 4]]
u[1:3][0]
0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
u.T @ v
u @ v.T
matmul(d, v.T)
outer(w, w[:3])
tensordot(d, u, axes=2)
tensordot(d, u, axes=([1, 2], [0, 1]))
dot(u, v.T)
vecdot(u, v)
reshape(u, (3, 16))
u.reshape(4, -1)
u.reshape((-1,))
ravel(u)
transpose(d)
transpose(d, (1, 0, 2))
d.transpose(2, 0, 1)
swapaxes(d, 0, -1)
moveaxis(d, 0, 2)
squeeze(u[:, :1])
expand_dims(u, 1)
broadcast_to(w, (2, 20))
flip(u)
flip(u, axis=1)
roll(u, 2)
roll(u, (1, -2), axis=(0, 1))
concatenate((u, v))
concatenate([u, i], axis=1)
stack([u, v], axis=-1)
tile(w[:3], 2)
tile(w[:3], (2, 2))
repeat(u, 2, axis=1)
pad(u, 1)
pad(u, ((1, 2), (0, 3)), mode='edge')
pad(w, 3, mode='reflect')
pad(w, (2, 1), mode='wrap')
pad(u, 2, constant_values=1.5)
take(w, k)
take(u, [0, 2], axis=1)
bincount(k)
bincount(k, weights=w)
bincount(k, minlength=9)
zeros((2, 3))
ones(4, dtype=int32)
full((2, 2), 7)
full((2, 2), 2.5, dtype=float32)
full_like(u, 3)
zeros_like(i)
arange(5)
arange(2, 9, 3)
arange(0, 1, 0.1)
arange(4, dtype=float32)
linspace(0, 1, 5)
linspace(0, 1, 4, endpoint=False)
eye(3)
eye(3, 4, k=1)
array([1, 2, 3])
array([[1.5, 2], [3, 4]])
array([True, False])
u.astype(float64)
astype(u, 'int32')
u.astype('f8') + 1
float64(u)
u.shape[0] * u
sum(u) / u.size
u.ndim + u
m = mean(u); s = std(u); (u - m) / s
m = u.mean(axis=0)\nr = u - m\nsum(r**2)
np.sqrt(p)
# a comment\nu
i**2
2**i[0, 0:1]**2
p**-1
i * 1.5
b + 1
b * 2.5
u * 1j
1 < 2
7 // 2 * 1.5
-7 % 3
2**-1
True + True
1 + 2j
3 > 2 > u if 0 else u
"""
# One that Python's grammar has and ours has not: it is expected to fail.
REFUSED = {"3 > 2 > u if 0 else u"}


def run(*args, **more):
    return subprocess.run([WEFT, "eval", *args], capture_output=True, text=True, timeout=100, **more)


def fail(name, text):
    global failures
    failures += 1
    print(f"{name}: {text}")


def names():
    known = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    known.update(np=np, abs=np.abs, sum=np.sum, min=np.min, max=np.max, round=np.round, any=np.any, all=np.all, pow=np.power,
                 int=np.int64, float=np.float64)
    known.update(ARRAYS)
    return known


def by_numpy(text):
    """The value of the last statement."""
    scope, value = names(), None
    lines = [line for part in text.split("\n") for line in part.split("#")[0].split(";") if line.strip()]
    for line in lines:
        name, equals, rest = line.partition("=")
        if equals and name.strip().isidentifier() and not rest.startswith("="):
            value = scope[name.strip()] = eval(rest.strip(), scope)
        else:
            value = eval(line.strip(), scope)
    return np.asarray(value)


def tolerance(dtype):
    if dtype.kind in "biu":
        return 0
    return {2: 2e-3, 4: 4e-6, 8: 1e-13}[dtype.itemsize // (2 if dtype.kind == "c" else 1)]


def compare(name, got, want):
    if got.dtype != want.dtype or got.shape != want.shape:
        return fail(name, f"expected {want.dtype} {want.shape}, got {got.dtype} {got.shape}")
    tol = tolerance(want.dtype)
    scale = np.nanmax(np.abs(np.where(np.isfinite(want), want, 0)), initial=1) if want.dtype.kind in "fc" else 1
    if not np.allclose(got, want, rtol=tol, atol=tol * scale, equal_nan=True):
        fail(name, f"expected\n{want}\ngot\n{got}")


def same_as_numpy():
    inputs = []
    for name, array in ARRAYS.items():
        np.save(f"{name}.npy", array)
        inputs.append(f"{name}={name}.npy")
    for text in SAME.strip().split("\n"):
        text = text.replace("\\n", "\n")
        done = run(text, *inputs, "-o", "out.npy", "--overwrite")
        if text in REFUSED:
            if done.returncode != 1:
                fail(text, f"expected exit 1, got {done.returncode}")
            continue
        if done.returncode != 0:
            fail(text, f"exit {done.returncode}: {done.stderr}")
            continue
        with np.errstate(all="ignore"):
            compare(text, np.load("out.npy"), by_numpy(text))


def main_job():
    data = os.environ.get("WEFT_SHARED_DATA") or os.path.join(os.environ.get("WEFT_SOURCE_DIR", "."), "..", "shared", "data")
    store = os.path.join(data, "eraint.zarr")
    if not os.path.isdir(store):
        print(f"the main job is skipped: no {store}")
        return
    if not any(line.split()[:2] == ["BLOSC", "yes:"] for line in subprocess.run([WEFT, "doctor"], capture_output=True, text=True).stdout.splitlines()):
        print("the main job is skipped: this build lacks Blosc")
        return
    wind = {}
    for name in "uv":
        done = run("x", f"x={store}/{name}", "-o", f"wind_{name}.npy", "--overwrite")
        if done.returncode != 0:
            return fail("main job", done.stderr)
        wind[name] = np.load(f"wind_{name}.npy")
    text = "mean(sqrt(u**2 + v**2), axis=0)"
    done = run(text, f"u={store}/u", f"v={store}", "-o", "speed.npy", "--overwrite", "--memory-limit", "64MiB")
    if done.returncode != 0:
        return fail("main job", done.stderr)
    got, want = np.load("speed.npy"), np.mean(np.sqrt(wind["u"] ** 2 + wind["v"] ** 2), axis=0)
    compare("main job", got, want)
    ulp = np.max(np.abs(got - want) / np.spacing(want))
    if ulp > 1:
        fail("main job", f"expected the last digit of float32, got {ulp} units beside it")


same_as_numpy()
main_job()
sys.exit(failures > 0)
