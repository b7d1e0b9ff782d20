# SPDX-License-Identifier: Apache-2.0
# numpy_test - every operation of op.def, for every dtype, on odd shapes cut into tiny blocks over two virtual devices, compared
# with NumPy. Calls the built library through ctypes; needs Python with numpy 2.
# usage: numpy_test.py [TEST...]     $WEFT_BINARY_DIR holds libweft.so, $WEFT_SOURCE_DIR the sources; $WEFT_SEED picks the data,
# $WEFT_DEV_DEVICES where it is computed
import ctypes as C
import math
import os
import re
import sys
import unittest
import warnings

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
source = os.environ.get("WEFT_SOURCE_DIR") or os.path.join(here, "..", "..")
binary = os.environ.get("WEFT_BINARY_DIR") or os.path.join(source, "build")
seed = int(os.environ.get("WEFT_SEED", "1"))
warnings.simplefilter("ignore")
np.seterr(all="ignore")

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
          "complex64", "complex128"]
NUMBER = {"bool": 1, "int8": 2, "int16": 3, "int32": 4, "int64": 5, "uint8": 6, "uint16": 7, "uint32": 8, "uint64": 9,
          "float16": 10, "float32": 12, "float64": 13, "complex64": 14, "complex128": 15}
NAME = {v: k for k, v in NUMBER.items()}
AXIS_NONE = -2147483648


# --- the library ---

class Options(C.Structure):
    _fields_ = [("scheduler", C.c_char_p), ("scheduler_file", C.c_char_p), ("devices", C.c_char_p), ("memory_limit", C.c_int64),
                ("workers", C.c_int), ("threads", C.c_int), ("nblocks", C.c_int), ("blocks", C.POINTER(C.c_int64)),
                ("settings", C.c_char_p), ("reserved", C.c_uint64 * 8)]


class ReduceOptions(C.Structure):
    _fields_ = [("dtype", C.c_int), ("keepdims", C.c_bool), ("correction", C.c_double), ("reserved", C.c_uint64 * 8)]


class ScanOptions(C.Structure):
    _fields_ = [("dtype", C.c_int), ("include_initial", C.c_bool), ("reserved", C.c_uint64 * 8)]


class PadOptions(C.Structure):
    _fields_ = [("mode", C.c_int), ("value", C.c_double), ("reserved", C.c_uint64 * 8)]


class IscloseOptions(C.Structure):
    _fields_ = [("rtol", C.c_double), ("atol", C.c_double), ("equal_nan", C.c_bool), ("zero_rtol", C.c_bool),
                ("zero_atol", C.c_bool), ("reserved", C.c_uint64 * 8)]


class RandomOptions(C.Structure):
    _fields_ = [("seed", C.c_uint64), ("stream", C.c_uint64), ("dtype", C.c_int), ("zero_seed", C.c_bool),
                ("reserved", C.c_uint64 * 8)]


lib = C.CDLL(os.path.join(binary, "libweft.so"))
lib.weft_last_error.restype = C.c_char_p
lib.weft_array_dim.restype = C.c_int64


class WeftError(Exception):
    pass


def fail():
    lib.weft_error_take()
    raise WeftError(lib.weft_last_error().decode())


def call(name, *args):
    f = getattr(lib, "weft_" + name)
    f.restype = C.c_void_p
    made = f(*[C.c_void_p(a.handle) if isinstance(a, Array) else a for a in args])
    return Array(made) if made else fail()


def ints(values, kind=C.c_int64):
    values = list(values)
    return (kind * max(1, len(values)))(*values)


def axes_of(axes):
    """The two arguments naxes, axes of a reduction."""
    if axes is None:
        return 0, None
    axes = (axes,) if isinstance(axes, int) else axes
    return len(axes), ints(axes, C.c_int)


class Array:
    def __init__(self, handle):
        self.handle = handle

    @property
    def shape(self):
        h = C.c_void_p(self.handle)
        return tuple(lib.weft_array_dim(h, i) for i in range(lib.weft_array_ndim(h)))

    @property
    def dtype(self):
        return NAME[lib.weft_array_dtype(C.c_void_p(self.handle))]

    def get(self):
        out = np.empty(self.shape, self.dtype)
        st = lib.weft_get(C.c_void_p(self.handle), 0, out.ctypes.data_as(C.c_void_p), C.c_size_t(out.nbytes))
        if st:
            raise WeftError(lib.weft_last_error().decode())
        return out


class Session:
    def __init__(self, settings, devices=None, blocks=None):
        o = Options(settings=settings.encode(), devices=devices.encode() if devices else None)
        if blocks:
            o.nblocks, o.blocks = len(blocks), ints(blocks)
        lib.weft_open.restype = C.c_void_p
        self.handle = lib.weft_open(C.byref(o))
        if not self.handle:
            fail()

    def array(self, x, block=None):
        x = np.asarray(x)
        y = call("from_memory", C.c_void_p(self.handle), x.copy().ctypes.data_as(C.c_void_p), NUMBER[x.dtype.name], x.ndim,
                 ints(x.shape), None)
        return call("rechunk", y, x.ndim, ints([min(block, n) or 1 for n in x.shape])) if block and x.ndim else y

    def num(self, v):
        s = C.c_void_p(self.handle)
        if isinstance(v, complex):
            return call("num_c128", s, C.c_double(v.real), C.c_double(v.imag))
        return call("num", s, C.c_double(v)) if isinstance(v, float) else call("num_i64", s, C.c_int64(v))

    def close(self):
        assert lib.weft_close(C.c_void_p(self.handle)) == 0


def setUpModule():
    global S
    S = Session("test=true", os.environ.get("WEFT_DEV_DEVICES", "cpu:2@64MiB"))


def tearDownModule():
    S.close()


# --- data ---

def data(dtype, shape, salt=0, small=False, special=True):
    """Repeatable elements: all of the dtype's range, or SMALL ones; floats with NaN, infinities and signed zeros among them."""
    rng = np.random.default_rng([seed, NUMBER[dtype], salt, *shape])
    d = np.dtype(dtype)
    n = int(np.prod(shape))
    if d.kind == "b":
        x = rng.integers(0, 2, n).astype(bool)
    elif d.kind in "iu":
        info = np.iinfo(d)
        lo, hi = (max(info.min, -5), 6) if small else (info.min, info.max)
        x = rng.integers(lo, hi, n, dtype=d, endpoint=True)
    elif d.kind == "f":
        x = (rng.standard_normal(n) * (2 if small else 30)).astype(d)
        if special and n > 12:
            x[:7] = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1, -1]
    else:
        x = (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(d)
    return rng.permutation(x).reshape(shape)


def compare(got, want, ulps=0, absolute=0.0):
    """"" or what is wrong. ULPS of the wanted value's dtype, and an ABSOLUTE error on top."""
    want = np.asarray(want)
    if got.dtype != want.dtype:
        return f"dtype {got.dtype}, expected {want.dtype}"
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    if want.dtype.kind not in "fc":
        bad = got != want
    elif ulps == 0 and absolute == 0:
        bad = ~((got == want) | (np.isnan(got) & np.isnan(want)))
    else:
        wide = np.complex128 if want.dtype.kind == "c" else np.float64
        g, w = got.astype(wide), want.astype(wide)
        size = np.abs(w).astype(want.real.dtype)
        room = ulps * np.spacing(np.where(np.isfinite(size), size, 0)).astype(np.float64) + absolute
        bad = ~((got == want) | (np.isnan(g) & np.isnan(w)) | (np.abs(g - w) <= room))
    if not bad.any():
        return ""
    i = tuple(int(k[0]) for k in np.nonzero(np.atleast_1d(bad))) if want.ndim else ()
    return f"{int(bad.sum())} of {want.size} differ, first at {i}: got {got[i]!r}, expected {want[i]!r}"


class Case(unittest.TestCase):
    def same(self, make, want, ulps=0, absolute=0.0, **where):
        """make() gives the weft array; WANT is NumPy's, or a function that makes it."""
        with self.subTest(**where):
            self.assertEqual(compare(make().get(), want() if callable(want) else want, ulps, absolute), "")


# --- elementwise ---

def read_ops():
    text = open(os.path.join(source, "include", "weft", "op.def")).read()
    return [(n, int(a), t) for n, a, t in re.findall(r"^WEFT_OP\(\w+, *(\w+), *(\d), *(\w+),", text, re.M)]


def vectorized(f, pole=lambda v: math.nan):
    def safe(v):
        try:
            return f(v)
        except OverflowError:
            return math.inf
        except ValueError:
            return pole(v)

    def g(x):
        d = np.result_type(np.sqrt(x.astype(x.dtype)).dtype)
        out = np.array([safe(float(v)) for v in x.astype(np.float64).ravel()], np.float64).reshape(x.shape)
        return out.astype(d)
    return g


REFERENCE = {"erf": vectorized(math.erf), "erfc": vectorized(math.erfc), "lgamma": vectorized(math.lgamma, lambda v: math.inf),
             "tgamma": vectorized(math.gamma, lambda v: math.copysign(math.inf, v) if v == 0 else math.nan), "abs": np.abs, "where": np.where}
EXACT = set("""add subtract multiply divide floor_divide remainder fmod maximum minimum fmax fmin copysign nextafter equal not_equal
less less_equal greater greater_equal logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor
bitwise_left_shift bitwise_right_shift bitwise_invert negative positive square sqrt floor ceil trunc round isnan isinf isfinite
signbit conj real imag where""".split())
# Units in the last place allowed beyond exact, per operation; complex numbers by the larger part.
ULPS = {"tgamma": 30, "lgamma": 30, "pow": 4, "erfc": 8}
REFUSED_COMPLEX = {"REAL", "REALFLOAT", "ORDER", "BITS", "SHIFT", "INTROUND"}
SHAPES = {1: [((37,),), ((5, 7),), ((),), ((3, 0),)],
          2: [((37,), (37,)), ((5, 7), (7,)), ((3, 1, 4), (6, 1)), ((), (4,)), ((2, 0), (1, 1))],
          3: [((5, 7), (7,), (5, 1))]}


def operands(name, types, dtypes, shapes):
    xs = [data(d, s, k, small=name in ("pow",) or name.startswith("bitwise_"), special=not np.dtype(d).kind == "c")
          for k, (d, s) in enumerate(zip(dtypes, shapes))]
    if name == "pow" and xs[1].dtype.kind in "iu":
        xs[1] = np.abs(xs[1])
    if types == "SHIFT" and xs[1].dtype.kind in "iu":
        xs[1] = (np.abs(xs[1].astype(np.int64)) % (xs[1].dtype.itemsize * 8 + 3)).astype(xs[1].dtype)
    return xs


def refused(name, types, dtypes):
    """Where Weft refuses what NumPy does or may do."""
    kinds = [np.dtype(d).kind for d in dtypes]
    if types == "NOBOOL" and all(k == "b" for k in kinds):
        return True
    return "c" in kinds and (types in REFUSED_COMPLEX and name != "round" or name == "signbit")


class Elementwise(Case):
    def check(self, name, types, xs, ulps=None):
        f = REFERENCE.get(name) or getattr(np, name)
        try:
            want = f(*xs)
        except (TypeError, ValueError):
            want = None
        if refused(name, types, [x.dtype for x in xs]):
            want = None
        where = dict(op=name, dtypes=[x.dtype.name for x in xs], shapes=[x.shape for x in xs])
        with self.subTest(**where):
            if want is None:
                with self.assertRaises(WeftError):
                    call(name, *[S.array(x) for x in xs])
                return
            want = np.asarray(want)
            if ulps is None:
                ulps = 0 if name in EXACT else ULPS.get(name, 2)
            complex_ = any(x.dtype.kind == "c" for x in xs)
            self.assertEqual(compare(call(name, *[S.array(x, 3) for x in xs]).get(), want, max(ulps, 16) if complex_ else ulps), "")

    def test_equals_numpy_for_every_dtype(self):
        for name, arity, types in read_ops():
            for d in DTYPES:
                if name == "round" and d == "bool":
                    continue  # float16 in NumPy; Weft follows the standard's "integers stay"
                for shapes in SHAPES[arity]:
                    ds = [d] * arity if name != "where" else ["bool", d, d]
                    self.check(name, types, operands(name, types, ds, shapes))

    def test_promotes_mixed_dtypes(self):
        for name, arity, types in read_ops():
            if arity != 2 or name not in ("add", "divide", "maximum", "equal", "bitwise_or", "hypot", "logical_and"):
                continue
            for a in DTYPES:
                for b in DTYPES:
                    kinds = {np.dtype(a).kind, np.dtype(b).kind}
                    if types == "COMPARE" and kinds == {"i", "u"}:
                        continue  # NumPy compares these exactly; Weft in float64 where they meet there
                    self.check(name, types, operands(name, types, [a, b], [(9, 5), (5,)]))

    def test_weak_scalars_take_the_arrays_dtype(self):
        for d in DTYPES:
            x = data(d, (11,), 3, small=True)
            for v in (2, 2.5, 1 + 2j):
                if np.dtype(d).kind == "u" and isinstance(v, int):
                    x = np.abs(x)
                for name in ("add", "multiply"):
                    want = getattr(np, name)(x, v)
                    self.same(lambda: call(name, S.array(x, 4), S.num(v)), want, 8 if want.dtype.kind == "c" else 0, op=name, dtype=d, scalar=v)

    def test_casts_equal_astype(self):
        for a in DTYPES:
            for b in DTYPES:
                x = data(a, (23,), 4, small=True, special=False)
                if np.dtype(b).kind == "u":
                    x = np.abs(x).astype(a)
                self.same(lambda: call("astype", S.array(x, 5), NUMBER[b]), x.astype(b), **{"from": a, "to": b})

    def test_chains_over_views_and_transposes(self):
        x = data("float64", (9, 14), 5, special=False)
        a = S.array(x, 4)
        half = call("index_text", a, b"::-1, 1::2")
        self.same(lambda: call("add", call("sqrt", call("abs", half)), call("square", half)),
                  np.sqrt(np.abs(x[::-1, 1::2])) + x[::-1, 1::2] ** 2, 2)
        self.same(lambda: call("add", call("matrix_transpose", a), call("moveaxis", a, 0, 1)), x.T + x.T)
        self.same(lambda: call("subtract", call("index_text", a, b"1:, 1:"), call("index_text", a, b":-1, :-1")), x[1:, 1:] - x[:-1, :-1])

    def test_clip_isclose_and_nan_to_num(self):
        for d in ("int32", "float16", "float32", "float64"):
            x = data(d, (40,), 6)
            lo, hi = x.dtype.type(-3), x.dtype.type(4)
            self.same(lambda: call("clip", S.array(x, 7), S.array(lo), S.array(hi)), np.clip(x, lo, hi), dtype=d)
            self.same(lambda: call("clip", S.array(x, 7), S.array(lo), None), np.clip(x, lo, None), dtype=d)
            y = x + x.dtype.type(0)
            y[::3] += x.dtype.type(1)
            o = IscloseOptions(equal_nan=True)
            self.same(lambda: call("isclose", S.array(x, 7), S.array(y, 7), C.byref(o)), np.isclose(x, y, equal_nan=True), dtype=d)
            self.same(lambda: call("isclose", S.array(x, 7), S.array(y, 7), None), np.isclose(x, y), dtype=d)
            self.same(lambda: call("nan_to_num", S.array(x, 7), None), np.nan_to_num(x), dtype=d)


# --- reductions and scans ---

SUMS = ["sum", "prod", "mean", "var", "std", "nansum", "nanprod", "nanmean", "nanvar", "nanstd"]
PICKS = ["min", "max", "any", "all", "count_nonzero", "nanmin", "nanmax"]
ARGS = ["argmin", "argmax", "nanargmin", "nanargmax"]
REDUCED = [((37,), None), ((5, 70, 3), None), ((5, 70, 3), 0), ((5, 70, 3), 1), ((5, 70, 3), (0, 2)), ((5, 70, 3), ()), ((1,), 0),
           ((), None), ((300, 41), 0), ((300, 41), 1), ((3, 1100), 1)]


def sum_tolerance(name, x, want):
    """Rounding of a sum of n terms in any order, generously."""
    if want.dtype.kind not in "fc":
        return 0, 0.0
    eps = np.finfo(np.float32 if want.dtype == np.float16 else want.dtype).eps
    finite = np.abs(x[np.isfinite(x)]) if x.dtype.kind in "fc" else np.abs(x.astype(np.float64))
    scale = float(finite.sum()) if finite.size else 0.0
    if "prod" in name:
        return 4 * max(1, x.size), 0.0
    if "mean" in name:
        scale = float(finite.max()) if finite.size else 0.0
    if "var" in name or "std" in name:
        scale = float((finite.astype(np.float64) ** 2).max()) if finite.size else 0.0
        scale = scale * 8
    half = 2 if want.dtype == np.float16 else 4
    return half, 4 * eps * scale


class Reduction(Case):
    def expected(self, name, x, axes, keepdims, correction=0.0):
        kw = {"correction": correction} if correction else {}
        wide = x
        if x.dtype == np.float16 and name in SUMS:
            wide = x.astype(np.float32)  # Weft accumulates 16-bit floats in float32, and rounds once
        want = np.asarray(getattr(np, name)(wide, axis=axes, keepdims=keepdims, **kw))
        return want.astype(np.float16) if wide is not x else want

    def check(self, name, x, axes, keepdims=False, correction=0.0):
        if axes == () and name in ("var", "std", "nanvar", "nanstd", "mean", "nanmean"):
            return  # NumPy and the standard differ on what no axes mean for moments
        want = self.expected(name, x, axes, keepdims, correction)
        ulps, absolute = sum_tolerance(name, x, want) if name in SUMS else (0, 0.0)
        o = ReduceOptions(keepdims=keepdims, correction=correction)
        self.same(lambda: call(name, S.array(x, 7), *axes_of(axes), C.byref(o)), want, ulps, absolute, op=name, dtype=x.dtype.name,
                  shape=x.shape, axes=axes, keepdims=keepdims)

    def test_sums_equal_numpy(self):
        for name in SUMS:
            for d in DTYPES:
                for shape, axes in REDUCED:
                    self.check(name, data(d, shape, 10, small=True, special=name.startswith("nan")), axes)

    def test_picks_equal_numpy(self):
        for name in PICKS:
            for d in DTYPES:
                if np.dtype(d).kind == "c" and name in ("min", "max", "nanmin", "nanmax"):
                    continue
                for shape, axes in REDUCED:
                    x = data(d, shape, 11, special=True)
                    if name.startswith("nan") and axes == ():
                        continue
                    self.check(name, x, axes)

    def test_arg_forms_equal_numpy(self):
        for name in ARGS:
            for d in DTYPES:
                if np.dtype(d).kind == "c":
                    continue
                for shape, axis in [((37,), 0), ((5, 70, 3), 1), ((5, 70, 3), 0), ((5, 70, 3), None), ((300, 41), 0)]:
                    x = data(d, shape, 12, small=True)
                    if name.startswith("nan") and x.dtype.kind == "f":
                        x = np.where(np.isnan(x).all(axis=axis, keepdims=True), 0, x).astype(x.dtype)
                    want = np.asarray(getattr(np, name)(x, axis=axis))
                    self.same(lambda: call(name, S.array(x, 7), AXIS_NONE if axis is None else axis, None), want, op=name, dtype=d,
                              shape=shape, axis=axis)

    def test_keepdims_and_correction(self):
        x = data("float64", (6, 50), 13, special=False)
        for name in ("sum", "mean", "max"):
            self.check(name, x, 1, True)
            self.check(name, x, None, True)
        for name in ("var", "std", "nanvar", "nanstd"):
            self.check(name, x, 1, False, 1.0)
            self.check(name, x, 0, True, 2.0)

    def test_of_nothing(self):
        x = np.zeros((2, 0, 3))
        for name in ("sum", "prod", "mean", "any", "all", "count_nonzero", "var", "nansum"):
            self.same(lambda: call(name, S.array(x), *axes_of(1), None), np.asarray(getattr(np, name)(x, axis=1)), op=name)
        for name in ("min", "max"):
            with self.subTest(op=name), self.assertRaisesRegex(WeftError, "^" + name):
                call(name, S.array(x), *axes_of(1), None)

    def test_scans_equal_numpy(self):
        for name, ref in (("cumulative_sum", np.cumsum), ("cumulative_prod", np.cumprod)):
            for d in DTYPES:
                for shape, axis in [((37,), 0), ((5, 70), 0), ((5, 70), 1), ((4, 9, 3), 1), ((6, 5), None), ((0, 3), 0)]:
                    x = data(d, shape, 14, small=True, special=False)
                    wide = x.astype(np.float32) if d == "float16" else x
                    want = ref(wide, axis=axis).astype(d) if d == "float16" else ref(x, axis=axis)
                    ulps, absolute = sum_tolerance(name, x, want)
                    if name == "cumulative_prod":
                        ulps = 300
                    self.same(lambda: call(name, S.array(x, 7), AXIS_NONE if axis is None else axis, None), want, ulps, absolute, op=name,
                              dtype=d, shape=shape, axis=axis)

    def test_scans_with_initial(self):
        x = data("int32", (5, 20), 15, small=True)
        o = ScanOptions(include_initial=True)
        self.same(lambda: call("cumulative_sum", S.array(x, 7), 1, C.byref(o)), np.cumulative_sum(x, axis=1, include_initial=True))


# --- structure ---

class Structure(Case):
    def test_shapes_equal_numpy_for_every_dtype(self):
        for d in DTYPES:
            x = data(d, (4, 6, 5), 20)
            a = S.array(x, 3)
            f = [("reshape", lambda: call("reshape", a, 2, ints((8, -1))), x.reshape(8, -1)),
                 ("reshape flat", lambda: call("reshape", a, 1, ints((-1,))), x.reshape(-1)),
                 ("permute_dims", lambda: call("permute_dims", a, 3, ints((2, 0, 1), C.c_int)), x.transpose(2, 0, 1)),
                 ("reverse", lambda: call("permute_dims", a, 0, None), x.T),
                 ("flip", lambda: call("flip", a, *axes_of((0, 2))), np.flip(x, (0, 2))),
                 ("roll", lambda: call("roll", a, 2, ints((2, -3)), ints((0, 2), C.c_int)), np.roll(x, (2, -3), (0, 2))),
                 ("roll flat", lambda: call("roll", a, 1, ints((7,)), None), np.roll(x, 7)),
                 ("broadcast_to", lambda: call("broadcast_to", a, 4, ints((2, 4, 6, 5))), np.broadcast_to(x, (2, 4, 6, 5))),
                 ("concat", lambda: call("concat", 2, handles(a, a), 1), np.concatenate([x, x], 1)),
                 ("concat flat", lambda: call("concat", 2, handles(a, a), AXIS_NONE), np.concatenate([x, x], None)),
                 ("stack", lambda: call("stack", 2, handles(a, a), 1), np.stack([x, x], 1)),
                 ("tile", lambda: call("tile", a, 2, ints((2, 3))), np.tile(x, (2, 3))),
                 ("repeat", lambda: call("repeat", a, C.c_int64(3), 1), np.repeat(x, 3, 1)),
                 ("rechunk", lambda: call("rechunk", a, 3, ints((4, 1, -1))), x),
                 ("expand", lambda: call("squeeze", call("expand_dims", a, 1), *axes_of(1)), x)]
            for name, make, want in f:
                self.same(make, want, op=name, dtype=d)

    def test_pads_in_every_mode(self):
        for d in ("int16", "float32", "complex64", "bool"):
            x = data(d, (5, 7), 21)
            for mode, name in enumerate(("constant", "edge", "reflect", "symmetric", "wrap")):
                o = PadOptions(mode=mode)
                for before, after in (((2, 3), (1, 0)), ((0, 4), (4, 6)), ((11, 1), (9, 15))):
                    self.same(lambda: call("pad", S.array(x, 3), 2, ints(before), ints(after), C.byref(o)),
                              np.pad(x, list(zip(before, after)), mode=name), mode=name, dtype=d, widths=(before, after))

    def test_cuts_equal_numpy(self):
        rng = np.random.default_rng(seed)
        x = data("int32", (7, 9, 4), 22)
        a = S.array(x, 3)

        def part(n):
            r = lambda: "" if rng.integers(3) == 0 else str(int(rng.integers(-n - 2, n + 3)))
            kind = rng.integers(5)
            return str(int(rng.integers(-n, n))) if kind == 0 else f"{r()}:{r()}" if kind < 3 else f"{r()}:{r()}:{int(rng.choice([-3, -2, -1, 1, 2, 4]))}"
        for _ in range(120):
            text = ", ".join(part(n) for n in x.shape[:int(rng.integers(1, 4))])
            text += str(rng.choice(["", ", ...", ", None"]))
            want = eval("x[" + text + "]", {"x": x})
            self.same(lambda: call("index_text", a, text.encode()), want, cuts=text)
            value = data("int32", want.shape, 23)
            y = x.copy()
            y[eval("np.s_[" + text + "]", {"np": np})] = value
            self.same(lambda: call("setitem_text", a, text.encode(), S.array(value, 2)), y, setitem=text)

    def test_take_mask_and_nonzero(self):
        for d in DTYPES:
            x = data(d, (6, 20, 3), 24)
            a = S.array(x, 5)
            i = np.random.default_rng(seed).integers(-20, 20, (4, 3))
            self.same(lambda: call("take", a, S.array(i), 1), np.take(x, i, 1), op="take", dtype=d)
            for m in (data("bool", x.shape, 25), np.zeros(x.shape, bool), np.ones(x.shape, bool)):
                self.same(lambda: call("mask", a, S.array(m, 4)), x[m], op="mask", dtype=d)
            m = data("bool", (6, 20), 26)
            self.same(lambda: call("mask", a, S.array(m, 4)), x[m], op="mask of rows", dtype=d)
            z = data(d, (7, 30), 27, small=True)
            self.same(lambda: call("nonzero", S.array(z, 4)), np.array(np.nonzero(z), np.int64), op="nonzero", dtype=d)

    def test_groups(self):
        labels = np.random.default_rng(seed).integers(0, 6, 50)
        for d in DTYPES:
            x = data(d, (50, 4), 28, small=True, special=False)
            acc = np.float32 if d == "float16" else x.sum().dtype
            want = np.zeros((6, 4), acc)
            np.add.at(want, labels, x.astype(acc))
            count = np.bincount(labels, minlength=6)[:, None]
            out = np.float16 if d == "float16" else acc
            ulps, absolute = sum_tolerance("sum", x, want.astype(out))
            self.same(lambda: call("group_sum", S.array(x, 9), S.array(labels), C.c_int64(6), 0), want.astype(out), ulps, absolute, op="group_sum", dtype=d)
            kind = np.dtype(d).kind
            mean = (want / count).astype(d if kind in "fc" else np.float64)
            self.same(lambda: call("group_mean", S.array(x, 9), S.array(labels), C.c_int64(6), 0), mean, 8, absolute, op="group_mean", dtype=d)
        for d in ("int8", "int64", "uint16", "uint64"):
            self.same(lambda: call("bincount", S.array(labels.astype(d), 9), None, C.c_int64(9)), np.bincount(labels, minlength=9), dtype=d)
        w = data("float32", (50,), 29, special=False)
        self.same(lambda: call("bincount", S.array(labels, 9), S.array(w, 7), C.c_int64(0)), np.bincount(labels, w), 4, 1e-12)

    def test_products(self):
        for d in DTYPES:
            for sa, sb in [((13, 17), (17, 9)), ((17,), (17,)), ((3, 8, 17), (17, 5)), ((2, 1, 4, 6), (3, 6, 5)), ((17,), (17, 4)), ((0, 3), (3, 2)), ((3, 0), (0, 2))]:
                a, b = (data(d, s, 30 + k, small=True, special=False) for k, s in enumerate((sa, sb)))
                wide = np.float32 if d == "float16" else d
                want = np.asarray(np.matmul(a.astype(wide), b.astype(wide))).astype(d)
                ulps, absolute = (1, 1e-3) if d == "float16" else (16, 64 * float(np.finfo(want.dtype).eps)) if want.dtype.kind in "fc" else (0, 0.0)
                self.same(lambda: call("matmul", S.array(a, 4), S.array(b, 5)), want, ulps, absolute, op="matmul", dtype=d, shapes=(sa, sb))
        a, b = data("float64", (4, 5, 6), 33, special=False), data("float64", (5, 6, 3), 34, special=False)
        self.same(lambda: call("tensordot", S.array(a, 3), S.array(b, 3), 2, None, None), np.tensordot(a, b, 2), 16, 1e-9)
        self.same(lambda: call("tensordot", S.array(a, 3), S.array(b, 3), 1, ints((1,), C.c_int), ints((0,), C.c_int)), np.tensordot(a, b, ([1], [0])), 16, 1e-9)
        c, e = data("complex128", (4, 9), 35), data("complex128", (9,), 36)
        self.same(lambda: call("vecdot", S.array(c, 3), S.array(e, 4)), np.vecdot(c, e), 16, 1e-12)
        self.same(lambda: call("outer", S.array(e, 4), S.array(c[0], 4)), np.outer(e, c[0]), 8)


def handles(*arrays):
    return (C.c_void_p * len(arrays))(*[a.handle for a in arrays])


# --- creation ---

class Creation(Case):
    def test_constants_and_sequences(self):
        s = C.c_void_p(S.handle)
        d = C.c_double
        for t in DTYPES:
            self.same(lambda: call("zeros", s, NUMBER[t], 2, ints((3, 5))), np.zeros((3, 5), t), op="zeros", dtype=t)
            self.same(lambda: call("ones", s, NUMBER[t], 0, None), np.ones((), t), op="ones", dtype=t)
            self.same(lambda: call("full", s, NUMBER[t], 1, ints((9,)), d(7)), np.full(9, 7, t), op="full", dtype=t)
            self.same(lambda: call("eye", s, C.c_int64(5), C.c_int64(7), C.c_int64(-2), NUMBER[t]), np.eye(5, 7, -2, t), op="eye", dtype=t)
            if t != "bool":
                self.same(lambda: call("arange", s, d(3), d(40), d(4), NUMBER[t]), np.arange(3, 40, 4).astype(t), op="arange", dtype=t)
        self.same(lambda: call("arange", s, d(1), d(-2), d(-0.25), 0), np.arange(1, -2, -0.25))
        for n in (0, 1, 2, 50):
            self.same(lambda: call("linspace", s, d(-1), d(3.7), C.c_int64(n), 0, None), np.linspace(-1, 3.7, n), 1, n=n)

    def test_random_numbers_do_not_depend_on_blocks_or_devices(self):
        o = RandomOptions(seed=7, stream=3)
        shape = (40, 33)
        for name, args in (("random_normal", ()), ("random_uniform", (C.c_double(-2), C.c_double(5))), ("random_integers", (C.c_int64(-5), C.c_int64(100)))):
            seen = []
            for settings, devices, blocks in (("", None, None), ("test=true", "cpu:3", (7, 5)), ("mode=sync", None, (1, 33))):
                t = Session(settings, devices, blocks)
                x = call(name, C.c_void_p(t.handle), *args, 2, ints(shape), C.byref(o))
                seen.append(x.get())
                seen.append(call("index_text", x, b"3:20:2, ::-1").get())
                t.close()
            for k in (2, 4):
                with self.subTest(op=name, way=k):
                    self.assertTrue(np.array_equal(seen[0], seen[k]))
                    self.assertTrue(np.array_equal(seen[0][3:20:2, ::-1], seen[k + 1]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
