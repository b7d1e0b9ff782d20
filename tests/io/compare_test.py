# SPDX-License-Identifier: Apache-2.0
"""Holds Weft's array files against NumPy and zarr-python 2, in both directions.

Writes arrays with them and has the C++ half (compare_test.cc, in the test program of the io room)
read them; then reads what it wrote.
Exit code 77 means skipped, with the reason printed.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import numcodecs
    import zarr
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
if int(zarr.__version__.split(".")[0]) != 2:
    print(f"skipped: zarr-python 2 is needed, this is {zarr.__version__}")
    sys.exit(77)

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64", "complex64", "complex128"]


def pattern(dtype, shape, rng):
    """An array of random values; floats with NaN, infinities and -0 among them."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape)
    a = rng.normal(size=shape).astype(dtype)
    if a.size > 4:
        a.flat[:4] = [np.nan, np.inf, -np.inf, -0.0]
    return a


class Folder:
    """Arrays in a folder with the list of them and the bytes that each must give."""

    def __init__(self, path):
        self.path, self.lines = path, []

    def join(self, name):
        return os.path.join(self.path, name)

    def expect(self, name, array):
        native = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="))
        native = native.reshape(array.shape)
        with open(self.join(name) + ".expect", "wb") as out:
            out.write(native.tobytes())
        self.lines.append(f"{name} {native.dtype.name} {','.join(map(str, array.shape))}")

    def finish(self):
        with open(self.join("theirs.txt"), "w") as out:
            out.write("\n".join(self.lines) + "\n")


def write_npy(folder, rng):
    for dtype in DTYPES:
        a = pattern(dtype, (6, 11, 5), rng)
        big = a.astype(a.dtype.newbyteorder(">"))
        for tag, array in (("c", a), ("f", np.asfortranarray(a)), ("swap", big),
                           ("fswap", np.asfortranarray(big))):
            name = f"np_{dtype}_{tag}.npy"
            np.save(folder.join(name), array)
            folder.expect(name, a)
    for shape in ((), (0,), (3, 0, 2), (1,), (1, 1, 1)):
        name = f"np_shape_{'_'.join(map(str, shape)) or 'scalar'}.npy"
        a = pattern("float32", shape, rng)
        np.save(folder.join(name), a)
        folder.expect(name, a)
    for version in ((1, 0), (2, 0), (3, 0)):
        name = f"np_version{version[0]}.npy"
        a = pattern("int16", (4, 3), rng)
        with open(folder.join(name), "wb") as out:
            np.lib.format.write_array(out, a, version)
        folder.expect(name, a)


def write_zarr(folder, rng):
    def make(name, a, **options):
        options.setdefault("dtype", a.dtype)
        z = zarr.open(folder.join(name), mode="w", shape=a.shape, **options)
        if a.size:
            z[...] = a
        folder.expect(name, a)

    for dtype in DTYPES:
        a = pattern(dtype, (6, 11, 5), rng)
        make(f"z_{dtype}.zarr", a, chunks=(4, 4, 4))
        make(f"z_{dtype}_f.zarr", a, chunks=(4, 5, 2), order="F", dimension_separator="/")
        make(f"z_{dtype}_swap.zarr", a, chunks=(6, 11, 5), dtype=a.dtype.newbyteorder(">"))
    a = pattern("float32", (40, 33), rng)
    codecs = [None, numcodecs.Zlib(5), numcodecs.GZip(2), numcodecs.Zstd(4), numcodecs.LZ4()]
    for cname in numcodecs.blosc.list_compressors():
        if cname != "snappy":
            codecs += [numcodecs.Blosc(cname, 5, shuffle) for shuffle in (-1, 0, 1, 2)]
    for i, codec in enumerate(codecs):
        make(f"z_codec{i}.zarr", a, chunks=(16, 16), compressor=codec)
    make("z_default.zarr", pattern("float64", (300, 200), rng))
    make("z_scalar.zarr", pattern("int32", (), rng))
    make("z_empty.zarr", np.zeros((0, 3), "f4"))
    fills = [("f4", np.nan), ("f8", np.inf), ("f8", -np.inf), ("f2", 1.1), ("f4", 0.1), ("f8", 1e300),
             ("i8", -2**63), ("u8", 2**64 - 1), ("b1", True), ("c16", complex(1.5, -2)), ("c8", 2 - 1j)]
    for i, (dtype, fill) in enumerate(fills):
        path = f"z_fill{i}.zarr"
        z = zarr.open(folder.join(path), mode="w", shape=(9, 9), chunks=(4, 4), dtype=dtype,
                      fill_value=fill)
        z[2:5, 6:9] = 1
        folder.expect(path, z[...])
    group = zarr.open_group(folder.join("theirs.zarr"), mode="w")
    group.create_group("deep").create_dataset("u", data=a, chunks=(7, 40))
    zarr.consolidate_metadata(folder.join("theirs.zarr"))
    folder.expect("theirs.zarr/deep/u", a)


def read_ours(folder):
    count = 0
    for line in open(folder.join("ours.txt")):
        name, dtype, *dims = line.rstrip("\n").split(" ")
        shape = tuple(int(d) for d in dims[0].split(",") if d)
        want = np.fromfile(folder.join(name) + ".expect", dtype).reshape(shape)
        path = folder.join(name)
        got = np.load(path) if name.endswith(".npy") else zarr.open(path, mode="r")[...]
        assert got.dtype == want.dtype and got.shape == shape, (name, got.dtype, got.shape)
        assert got.tobytes() == want.tobytes(), name
        count += 1
    assert count > 20, count
    group = zarr.open_group(folder.join("group.zarr"), mode="r")
    assert group["codec0"].attrs["_ARRAY_DIMENSIONS"] == ["row", "column"]
    if "codec5" in group:  # a build with Blosc
        z = zarr.open(folder.join("ours_float32.zarr"), mode="r")
        assert z.compressor == numcodecs.Blosc("lz4", 5, 1)
    z = zarr.open(folder.join("ours_float32.zarr"), mode="r+")  # and zarr-python writes into it
    z[1:3, 2:9] = 7
    assert (z[1:3, 2:9] == 7).all()
    return count


def main():
    build = os.environ.get("WEFT_BINARY_DIR", "build")
    program = os.environ.get("WEFT_TEST_IO") or os.path.join(build, "tests", "test_io")
    if not os.access(program, os.X_OK):
        print(f"skipped: no test program '{program}' (it needs a C++ compiler and GoogleTest)")
        return 77
    doctor = subprocess.run([os.environ.get("WEFT_COMMAND", os.path.join(build, "weft")), "doctor"], capture_output=True, text=True)
    lacking = [name for name in ("BLOSC", "ZSTD", "ZLIB", "LZ4") if not any(line.split()[:2] == [name, "yes:"] for line in doctor.stdout.splitlines())]
    if lacking:
        print(f"skipped: this build lacks {', '.join(lacking)}, which zarr-python's arrays need")
        return 77
    with tempfile.TemporaryDirectory(prefix="weft_compare_") as path:
        folder, rng = Folder(path), np.random.default_rng(7)
        write_npy(folder, rng)
        write_zarr(folder, rng)
        folder.finish()
        subprocess.run([program, "--gtest_filter=Compare.*"], check=True,
                       env={**os.environ, "WEFT_COMPARE_DIR": path})
        ours = read_ours(folder)
    print(f"{len(folder.lines)} arrays of NumPy's and zarr-python's read by Weft, {ours} of Weft's by them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
