# SPDX-License-Identifier: Apache-2.0
"""What `weft eval` prints is what NumPy prints, to the character: kinds of numbers, widths, exponents, rows, corners.

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

if tuple(map(int, np.__version__.split(".")[:2])) < (2, 3):
    print(f"skipped: NumPy 2.3 prints other digits before, this is {np.__version__}")
    sys.exit(77)

WEFT = os.environ["WEFT_COMMAND"]
failures = 0
folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)


def weft(*args):
    done = subprocess.run([WEFT, "eval", *args], capture_output=True, text=True, timeout=60)
    return done.stdout if done.returncode == 0 else f"exit {done.returncode}: {done.stderr}"


def check(name, array, expression="x", **inputs):
    """The text of ARRAY against what weft prints for EXPRESSION over x, which is ARRAY saved."""
    global failures
    if expression == "x":
        np.save("x.npy", array)
        inputs = {"x": "x.npy"}
    got = weft(expression, *(f"{k}={v}" for k, v in inputs.items()))
    want = str(array) + "\n"
    if got != want:
        failures += 1
        print(f"{name}: expected\n{want}got\n{got}")


def floats():
    rng = np.random.default_rng(3)
    for dtype in ("float16", "float32", "float64"):
        x = rng.normal(size=(4, 5)).astype(dtype)
        check(f"{dtype} normal", x)
        check(f"{dtype} integers", np.arange(12).astype(dtype))
        check(f"{dtype} wide range", np.array([1e-3, 1, 999], dtype))
        check(f"{dtype} exponent", np.array([1e-4, 1, 2500], dtype))
        check(f"{dtype} zero", np.zeros((2, 3), dtype))
        check(f"{dtype} negative zero", np.array([-0.0, 1.5, -2.25], dtype))
        check(f"{dtype} special", np.array([np.nan, np.inf, -np.inf, 1.5], dtype))
        check(f"{dtype} only special", np.array([np.nan, np.inf], dtype))
        check(f"{dtype} nan and exponent", np.array([np.nan, 1e-4, 30000.0], dtype))
        check(f"{dtype} tiny", np.array([np.finfo(dtype).tiny, 1], dtype))
        check(f"{dtype} max", np.array([np.finfo(dtype).max, 1], dtype))
        check(f"{dtype} third", np.array([1 / 3, 2 / 3, 100 / 3], dtype))
        check(f"{dtype} powers", (2.0 ** np.arange(-10, 10)).astype(dtype))
    check("float64 big", np.array([1e100, 1.5e-200]))
    check("float64 1e8", np.array([123456789.0, 99999999.0]))
    check("float64 below 1e8", np.array([99999999.0, 12345678.5]))
    check("float32 millions", np.array([1234567.0, 99999.0], np.float32))
    check("many exponents", rng.normal(size=40) * 10.0 ** rng.integers(-30, 30, 40))
    check("many", rng.normal(size=900).reshape(30, 30) * 50)


def other_kinds():
    rng = np.random.default_rng(4)
    for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        info = np.iinfo(dtype)
        check(dtype, np.array([info.min, 0, 7, info.max], dtype))
        check(f"{dtype} square", rng.integers(0, 100, (7, 9)).astype(dtype))
    check("bool", rng.integers(0, 2, (3, 4)).astype(bool))
    check("complex128", rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))
    check("complex64", (rng.normal(size=5) - 2j * rng.normal(size=5)).astype(np.complex64))
    check("complex special", np.array([complex(np.nan, 1), complex(2.5, -np.inf), 3]))


def shapes():
    check("rows wrap", np.arange(100))
    check("rows wrap, floats", np.linspace(0, 1, 50))
    check("three axes", np.arange(24).reshape(2, 3, 4))
    check("four axes", np.arange(48).reshape(2, 2, 3, 4) / 4)
    check("one column", np.arange(5).reshape(5, 1))
    check("one element", np.array([3.5]))
    check("one element, five axes", np.ones((1, 1, 1, 1, 1)))
    check("empty", np.zeros((0,)))
    check("empty of two axes", np.zeros((3, 0)))
    check("1000 elements", np.arange(1000))
    check("1001 elements", np.arange(1001))
    check("corners", np.arange(10000).reshape(100, 100))
    check("corners of one long axis", np.arange(3000).reshape(3, 1000) * 0.5)
    check("corners of three axes", np.arange(8000).reshape(20, 20, 20))
    check("corners of a short axis in front", np.arange(6000).reshape(6, 1000))


def scalars():
    for value in (0.0, 1.0, -2.5, 1 / 3, 1e16, 1e15, 123456789012345680.0, 1e-4, 9.9e-5, 1e30, np.nan, np.inf, -np.inf):
        check(f"scalar {value}", np.array(value))
        check(f"scalar float32 {value}", np.array(value, np.float32))
    for value in (5, -7, True, False):
        check(f"scalar {value}", np.array(value))
    for value in (1 + 2j, -1.5j, 2.5 - 0.25j, complex(np.nan, np.inf)):
        check(f"scalar {value}", np.array(value))
    check("number", 1 + 1, "1+1")
    check("quotient", 1 / 3, "1/3")
    check("pi", 2 * np.pi, "2*pi")


for group in (floats, other_kinds, shapes, scalars):
    group()
sys.exit(failures > 0)
