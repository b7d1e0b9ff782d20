// SPDX-License-Identifier: Apache-2.0
// numpy_cases - what NumPy 2.4 answers: dtypes beside Python scalars, and where the elements of rearranged arrays come from.
#ifndef WF_TESTS_GRAPH_NUMPY_CASES_H
#define WF_TESTS_GRAPH_NUMPY_CASES_H

#include <cstdint>
#include <vector>

#include "weft/types.h"

using Ints = std::vector<int64_t>;

// (array of a dtype) op (Python scalar of each kind) -> dtype; 0: NumPy refuses.
struct WeakCase {
    weft_dtype array;
    weft_dtype add[3], divide[3], hypot[3], pow[3];  // beside 1, 1.0 and 1j
};
const WeakCase numpy_weak[] = {
    { WEFT_BOOL,
      { WEFT_INT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_INT64, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_INT8,
      { WEFT_INT8, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT16, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_INT8, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_INT16,
      { WEFT_INT16, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT32, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_INT16, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_INT32,
      { WEFT_INT32, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_INT32, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_INT64,
      { WEFT_INT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_INT64, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_UINT8,
      { WEFT_UINT8, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT16, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_UINT8, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_UINT16,
      { WEFT_UINT16, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT32, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_UINT16, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_UINT32,
      { WEFT_UINT32, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_UINT32, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_UINT64,
      { WEFT_UINT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_UINT64, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_FLOAT16,
      { WEFT_FLOAT16, WEFT_FLOAT16, WEFT_COMPLEX64 },
      { WEFT_FLOAT16, WEFT_FLOAT16, WEFT_COMPLEX64 },
      { WEFT_FLOAT16, WEFT_FLOAT16, WEFT_DTYPE_DEFAULT },
      { WEFT_FLOAT16, WEFT_FLOAT16, WEFT_COMPLEX64 } },
    { WEFT_FLOAT32,
      { WEFT_FLOAT32, WEFT_FLOAT32, WEFT_COMPLEX64 },
      { WEFT_FLOAT32, WEFT_FLOAT32, WEFT_COMPLEX64 },
      { WEFT_FLOAT32, WEFT_FLOAT32, WEFT_DTYPE_DEFAULT },
      { WEFT_FLOAT32, WEFT_FLOAT32, WEFT_COMPLEX64 } },
    { WEFT_FLOAT64,
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_DTYPE_DEFAULT },
      { WEFT_FLOAT64, WEFT_FLOAT64, WEFT_COMPLEX128 } },
    { WEFT_COMPLEX64,
      { WEFT_COMPLEX64, WEFT_COMPLEX64, WEFT_COMPLEX64 },
      { WEFT_COMPLEX64, WEFT_COMPLEX64, WEFT_COMPLEX64 },
      { WEFT_DTYPE_DEFAULT, WEFT_DTYPE_DEFAULT, WEFT_DTYPE_DEFAULT },
      { WEFT_COMPLEX64, WEFT_COMPLEX64, WEFT_COMPLEX64 } },
    { WEFT_COMPLEX128,
      { WEFT_COMPLEX128, WEFT_COMPLEX128, WEFT_COMPLEX128 },
      { WEFT_COMPLEX128, WEFT_COMPLEX128, WEFT_COMPLEX128 },
      { WEFT_DTYPE_DEFAULT, WEFT_DTYPE_DEFAULT, WEFT_DTYPE_DEFAULT },
      { WEFT_COMPLEX128, WEFT_COMPLEX128, WEFT_COMPLEX128 } },
};

struct PadCase {
    Ints shape, before, after;
    int mode;
    Ints out_shape, elements;  // of arange(1, size + 1); 0 in a constant border
};
const PadCase numpy_pad[] = {
    { { 3 }, { 2 }, { 1 }, 0, { 6 }, { 0, 0, 1, 2, 3, 0 } },
    { { 3 }, { 2 }, { 1 }, 1, { 6 }, { 1, 1, 1, 2, 3, 3 } },
    { { 3 }, { 2 }, { 1 }, 2, { 6 }, { 3, 2, 1, 2, 3, 2 } },
    { { 3 }, { 2 }, { 1 }, 3, { 6 }, { 2, 1, 1, 2, 3, 3 } },
    { { 3 }, { 2 }, { 1 }, 4, { 6 }, { 2, 3, 1, 2, 3, 1 } },
    { { 3 }, { 7 }, { 8 }, 0, { 18 }, { 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0 } },
    { { 3 }, { 7 }, { 8 }, 1, { 18 }, { 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3 } },
    { { 3 }, { 7 }, { 8 }, 2, { 18 }, { 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3 } },
    { { 3 }, { 7 }, { 8 }, 3, { 18 }, { 1, 1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2 } },
    { { 3 }, { 7 }, { 8 }, 4, { 18 }, { 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2 } },
    { { 1 }, { 3 }, { 2 }, 0, { 6 }, { 0, 0, 0, 1, 0, 0 } },
    { { 1 }, { 3 }, { 2 }, 1, { 6 }, { 1, 1, 1, 1, 1, 1 } },
    { { 1 }, { 3 }, { 2 }, 2, { 6 }, { 1, 1, 1, 1, 1, 1 } },
    { { 1 }, { 3 }, { 2 }, 3, { 6 }, { 1, 1, 1, 1, 1, 1 } },
    { { 1 }, { 3 }, { 2 }, 4, { 6 }, { 1, 1, 1, 1, 1, 1 } },
    { { 2 }, { 5 }, { 4 }, 0, { 11 }, { 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0 } },
    { { 2 }, { 5 }, { 4 }, 1, { 11 }, { 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2 } },
    { { 2 }, { 5 }, { 4 }, 2, { 11 }, { 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2 } },
    { { 2 }, { 5 }, { 4 }, 3, { 11 }, { 1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2 } },
    { { 2 }, { 5 }, { 4 }, 4, { 11 }, { 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2 } },
    { { 2, 3 }, { 1, 2 }, { 0, 4 }, 0, { 3, 9 }, { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3,
                                                   0, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 0 } },
    { { 2, 3 }, { 1, 2 }, { 0, 4 }, 1, { 3, 9 }, { 1, 1, 1, 2, 3, 3, 3, 3, 3, 1, 1, 1, 2, 3,
                                                   3, 3, 3, 3, 4, 4, 4, 5, 6, 6, 6, 6, 6 } },
    { { 2, 3 }, { 1, 2 }, { 0, 4 }, 2, { 3, 9 }, { 6, 5, 4, 5, 6, 5, 4, 5, 6, 3, 2, 1, 2, 3,
                                                   2, 1, 2, 3, 6, 5, 4, 5, 6, 5, 4, 5, 6 } },
    { { 2, 3 }, { 1, 2 }, { 0, 4 }, 3, { 3, 9 }, { 2, 1, 1, 2, 3, 3, 2, 1, 1, 2, 1, 1, 2, 3,
                                                   3, 2, 1, 1, 5, 4, 4, 5, 6, 6, 5, 4, 4 } },
    { { 2, 3 }, { 1, 2 }, { 0, 4 }, 4, { 3, 9 }, { 5, 6, 4, 5, 6, 4, 5, 6, 4, 2, 3, 1, 2, 3,
                                                   1, 2, 3, 1, 5, 6, 4, 5, 6, 4, 5, 6, 4 } },
    { { 4, 2 }, { 0, 3 }, { 5, 0 }, 0, { 9, 5 }, { 0, 0, 0, 1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 5, 6,
                                                   0, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
    { { 4, 2 }, { 0, 3 }, { 5, 0 }, 1, { 9, 5 }, { 1, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 5, 6,
                                                   7, 7, 7, 7, 8, 7, 7, 7, 7, 8, 7, 7, 7, 7, 8,
                                                   7, 7, 7, 7, 8, 7, 7, 7, 7, 8, 7, 7, 7, 7, 8 } },
    { { 4, 2 }, { 0, 3 }, { 5, 0 }, 2, { 9, 5 }, { 2, 1, 2, 1, 2, 4, 3, 4, 3, 4, 6, 5, 6, 5, 6,
                                                   8, 7, 8, 7, 8, 6, 5, 6, 5, 6, 4, 3, 4, 3, 4,
                                                   2, 1, 2, 1, 2, 4, 3, 4, 3, 4, 6, 5, 6, 5, 6 } },
    { { 4, 2 }, { 0, 3 }, { 5, 0 }, 3, { 9, 5 }, { 2, 2, 1, 1, 2, 4, 4, 3, 3, 4, 6, 6, 5, 5, 6,
                                                   8, 8, 7, 7, 8, 8, 8, 7, 7, 8, 6, 6, 5, 5, 6,
                                                   4, 4, 3, 3, 4, 2, 2, 1, 1, 2, 2, 2, 1, 1, 2 } },
    { { 4, 2 }, { 0, 3 }, { 5, 0 }, 4, { 9, 5 }, { 2, 1, 2, 1, 2, 4, 3, 4, 3, 4, 6, 5, 6, 5, 6,
                                                   8, 7, 8, 7, 8, 2, 1, 2, 1, 2, 4, 3, 4, 3, 4,
                                                   6, 5, 6, 5, 6, 8, 7, 8, 7, 8, 2, 1, 2, 1, 2 } },
    { { 5 }, { 0 }, { 9 }, 0, { 14 }, { 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
    { { 5 }, { 0 }, { 9 }, 1, { 14 }, { 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5 } },
    { { 5 }, { 0 }, { 9 }, 2, { 14 }, { 1, 2, 3, 4, 5, 4, 3, 2, 1, 2, 3, 4, 5, 4 } },
    { { 5 }, { 0 }, { 9 }, 3, { 14 }, { 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 1, 2, 3, 4 } },
    { { 5 }, { 0 }, { 9 }, 4, { 14 }, { 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4 } },
};

struct SetCase {
    Ints shape;
    const char *cuts;
    Ints value_shape, elements;  // of arange(1, ...), the value -1, -2, ...
};
const SetCase numpy_setitem[] = {
    { { 5 }, "1:3", {}, { 1, -1, -1, 4, 5 } },
    { { 5 }, "1:3", { 2 }, { 1, -1, -2, 4, 5 } },
    { { 5 }, "::-1", { 5 }, { -5, -4, -3, -2, -1 } },
    { { 5 }, "3:0:-1", { 3 }, { 1, -3, -2, -1, 5 } },
    { { 7 }, "::2", { 4 }, { -1, 2, -2, 4, -3, 6, -4 } },
    { { 7 }, "::2", {}, { -1, 2, -1, 4, -1, 6, -1 } },
    { { 7 }, "::2", { 1 }, { -1, 2, -1, 4, -1, 6, -1 } },
    { { 7 }, "5::-2", { 3 }, { 1, -3, 3, -2, 5, -1, 7 } },
    { { 7 }, "1::3", { 2 }, { 1, -1, 3, 4, -2, 6, 7 } },
    { { 3, 4 }, "1", { 4 }, { 1, 2, 3, 4, -1, -2, -3, -4, 9, 10, 11, 12 } },
    { { 3, 4 }, ":, 1", { 3 }, { 1, -1, 3, 4, 5, -2, 7, 8, 9, -3, 11, 12 } },
    { { 3, 4 }, ":, 1", {}, { 1, -1, 3, 4, 5, -1, 7, 8, 9, -1, 11, 12 } },
    { { 3, 4 }, "::2, ::3", { 2, 2 }, { -1, 2, 3, -2, 5, 6, 7, 8, -3, 10, 11, -4 } },
    { { 3, 4 }, "::2, ::3", { 2, 1 }, { -1, 2, 3, -1, 5, 6, 7, 8, -2, 10, 11, -2 } },
    { { 3, 4 }, "::-2, ::-1", { 2, 4 }, { -8, -7, -6, -5, 5, 6, 7, 8, -4, -3, -2, -1 } },
    { { 3, 4 }, "1:, None, 2:", { 2, 1, 2 }, { 1, 2, 3, 4, 5, 6, -1, -2, 9, 10, -3, -4 } },
    { { 3, 4 }, "1:, None, 2:", { 2 }, { 1, 2, 3, 4, 5, 6, -1, -2, 9, 10, -1, -2 } },
    { { 3, 4 }, "..., ::2", { 1, 1, 3, 2 }, { -1, 2, -2, 4, -3, 6, -4, 8, -5, 10, -6, 12 } },
    { { 3, 4 }, "2, 3", {}, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -1 } },
    { { 3, 4 }, "...", { 3, 4 }, { -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12 } },
    { { 3, 4 }, "...", { 4 }, { -1, -2, -3, -4, -1, -2, -3, -4, -1, -2, -3, -4 } },
    { { 5 }, "3:3", { 1 }, { 1, 2, 3, 4, 5 } },
    { { 2, 3, 4 }, "1, ::2, 1::2", { 2, 2 }, { 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                               13, -1, 15, -2, 17, 18, 19, 20, 21, -3, 23, -4 } },
    { { 2, 3, 4 }, ":, ::-2, 3", { 2, 1 }, { 1,  2,  3,  -1, 5,  6,  7,  8,  9,  10, 11, -1,
                                             13, 14, 15, -2, 17, 18, 19, 20, 21, 22, 23, -2 } },
    { { 6 }, "4:5:3", { 1 }, { 1, 2, 3, 4, -1, 6 } },
    { { 10 }, "8:1:-3", { 3 }, { 1, 2, -3, 4, 5, -2, 7, 8, -1, 10 } },
};

struct RollCase {
    Ints shape, shifts, axes;  // no axes: flattened
    Ints elements;
};
const RollCase numpy_roll[] = {
    { { 5 }, { 2 }, { 0 }, { 4, 5, 1, 2, 3 } },
    { { 5 }, { -1 }, { 0 }, { 2, 3, 4, 5, 1 } },
    { { 5 }, { 12 }, { -1 }, { 4, 5, 1, 2, 3 } },
    { { 2, 3 }, { 1 }, {}, { 6, 1, 2, 3, 4, 5 } },
    { { 2, 3 }, { 1, 2 }, { 0, 1 }, { 5, 6, 4, 2, 3, 1 } },
    { { 2, 3 }, { 1, 1 }, { 1, 1 }, { 2, 3, 1, 5, 6, 4 } },
    { { 2, 3 }, { 5 }, { 0 }, { 4, 5, 6, 1, 2, 3 } },
    { { 2, 3 }, { 0 }, { 0 }, { 1, 2, 3, 4, 5, 6 } },
    { { 3, 2, 2 }, { 1, 1, 1 }, { 0, 1, 2 }, { 12, 11, 10, 9, 4, 3, 2, 1, 8, 7, 6, 5 } },
};

struct TileCase {
    Ints shape, reps, out_shape, elements;
};
const TileCase numpy_tile[] = {
    { { 3 }, { 2 }, { 6 }, { 1, 2, 3, 1, 2, 3 } },
    { { 3 }, { 2, 2 }, { 2, 6 }, { 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3 } },
    { { 2, 3 }, { 2 }, { 2, 6 }, { 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6 } },
    { { 2, 3 }, { 2, 1 }, { 4, 3 }, { 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6 } },
    { { 2, 1 }, { 1, 3 }, { 2, 3 }, { 1, 1, 1, 2, 2, 2 } },
    { { 2 }, { 20 }, { 40 }, { 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2,
                               1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2 } },
    { { 2, 2 }, { 17, 2 }, { 34, 4 }, { 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2,
                                        3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4,
                                        1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2,
                                        3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4,
                                        1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2,
                                        3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4,
                                        1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4 } },
    { { 2, 3 }, {}, { 2, 3 }, { 1, 2, 3, 4, 5, 6 } },
    { { 2 }, { 0 }, { 0 }, {} },
    { {}, { 3 }, { 3 }, { 1, 1, 1 } },
    { { 1, 2 }, { 2, 1, 2 }, { 2, 1, 4 }, { 1, 2, 1, 2, 1, 2, 1, 2 } },
};

#endif
