// SPDX-License-Identifier: Apache-2.0
// kernel - the contract between the engine and the compute kernels of the CPU: plain functions over
// contiguous strips, found in one table per instruction set. A complete plain table exists for
// every entry; faster tables override it. Kernels never allocate, never fail, never touch global
// state; any thread may call.
#ifndef WF_KERNEL_H
#define WF_KERNEL_H

#include "weft/program.h"

// OUT[i] = op(IN[0][i], ...): contiguous, naturally aligned, N elements. OUT may be the same
// pointer as an operand of the same element size, never overlap one otherwise. bool is one byte, 0
// or 1. An element's result depends on its operands alone, never on its place in the strip or its
// neighbours. + - * / sqrt, rounding, comparisons, integers and complex products have the same bits
// in every table; transcendentals in the two vector tables of one build. Corners: integers wrap; x
// / 0, x % 0 and fmod(x, 0) give 0; the smallest integer over -1 is itself; a negative integer
// power gives 0, but for bases 1 and -1; shifts by the width or more (negative counts too) give 0,
// or -1 for a negative number shifted right. Floats: NumPy's floor_divide and remainder. Of equal
// numbers (-0 and 0) maximum and minimum take the first.
typedef void wf_map_fn(int64_t n, void *out, const void *const *in);

// OUT[i] = convert(IN[i]). C semantics with NumPy's choices: float -> integer truncates (out of
// range: through int32 for targets up to int32, else through int64, which give their smallest; then
// cut to the target, as NumPy does on x86); anything -> bool is x != 0 (NaN is true); complex ->
// real drops the imaginary part; to 16-bit floats rounds once, to nearest even.
typedef void wf_cast_fn(int64_t n, void *out, const void *in);

// Reduces ROWS x COLS elements at IN (row r begins at IN + r*ROW_BYTES, elements of a row
// contiguous) to one partial result per row (wf_reduce_rows_fn: OUT[f][r] for r < ROWS) or one per
// column (wf_reduce_cols_fn: OUT[f][c] for c < COLS). ROWS and COLS may be any positive numbers
// (not only <= WF_STRIP). IN stays untouched and is read from memory once.
//
// The canonical order, the same in every table and on every device, so that results have the same
// bits:
//   rows: the row is cut into pieces of WF_STRIP elements from its start. In a piece, element i
//     goes to lane i % WF_LANES, in order; a lane starts with its first element and a lane without
//     elements takes no part; lanes are combined as a balanced tree ((0+16), (1+17).. then +8, +4,
//     +2, +1). Partial results of pieces are combined as a balanced tree: the piece's index bits
//     from low to high (a carry stack; at the end the stack is folded from the most recent entry to
//     the oldest as old + new). So wf_reduce_rows_fn of a long row is exactly wf_combine_fn, in
//     that order, over its pieces' results.
//   cols: rows one after another, the first initialises. So it is exactly wf_combine_fn of one row
//     after another.
//   MOMENTS, rows: a piece's mean is its canonical sum / count, its squares are the canonical sum
//     of (x - mean)**2 over the same lanes and tree; pieces are combined by wf_combine_fn in the
//     tree above. cols: rows are cut into groups of WF_MOMENT_ROWS from the first; in a group sums
//     and squares are taken row after row from 0, the mean between; groups are combined in order.
//   For integers any order gives the same bits. A NaN in a result is always the positive quiet NaN
//     without payload.
//   The arg forms: the first position among equals whatever the order of combination.
//
// POSITION0 and ROW_POSITION_STEP give positions for the arg forms: in wf_reduce_rows_fn the
// elements of row r have positions position0 + r*row_position_step + 0, 1, 2, ..; in
// wf_reduce_cols_fn row r has position0 + r*row_position_step in each column.
typedef void wf_reduce_rows_fn(int64_t rows, int64_t cols, const void *in, int64_t row_bytes,
                               int64_t position0, int64_t row_position_step, void *const *out);
typedef void wf_reduce_cols_fn(int64_t rows, int64_t cols, const void *in, int64_t row_bytes,
                               int64_t position0, int64_t row_position_step, void *const *out);

// ACC[f][i] = combine(ACC[f][i], IN[f][i]) for N results, any N; ACC is the earlier in canonical
// order. MOMENTS by Chan, Golub and LeVeque (1979): n = na + nb, f = nb / n, d = mean_b - mean_a;
// mean_a + d*f; (squares_a + squares_b) + d*d*(na*f); a side with count 0 leaves the other
// unchanged.
typedef void wf_combine_fn(int64_t n, void *const *acc, const void *const *in);

// Sets OUT[f][i] to the identity for N results.
typedef void wf_identity_fn(int64_t n, void *const *out);

typedef struct wf_reduce_kernels {
    wf_reduce_rows_fn *rows;
    wf_reduce_cols_fn *cols;
    wf_combine_fn *combine;
    wf_identity_fn *identity;
} wf_reduce_kernels;

// Running sum or product: OUT[i] = OUT[i-1] op IN[i], sequentially; *CARRY holds the value before
// the first element and receives the last. cols form: COLS independent scans, one row after
// another, CARRY has COLS elements.
typedef void wf_scan_row_fn(int64_t n, const void *in, void *out, void *carry);
typedef void wf_scan_cols_fn(int64_t rows, int64_t cols, const void *in, int64_t in_row_bytes,
                             void *out, int64_t out_row_bytes, void *carry);
typedef struct wf_scan_kernels {
    wf_scan_row_fn *row;
    wf_scan_cols_fn *cols;
} wf_scan_kernels;

// Counter-based random numbers, Philox 4x32-10 (Salmon et al., SC'11), so a value depends on
// nothing but (seed, stream, index). The key is (low word of SEED, high word); block b of a stream
// is the four 32-bit words w0..w3 for the counter (low word of b, high word, low word of STREAM,
// high word). N elements from FIRST_INDEX >= 0 on, any N. Element INDEX:
//   bits64:          block index / 2; w0 + 2^32 w1 if index is even, w2 + 2^32 w3 if odd
//   uniform float64: bits64 >> 11, times 2^-53: 53 random bits in [0, 1)
//   uniform float32: block index / 4; word index % 4, >> 8, times 2^-24: 24 random bits in [0, 1)
//   normal float64:  block index / 2, Box and Muller: even elements radius * cosine, odd ones
//                    radius * sine; radius = sqrt(-2 ln u), u = 1 - 2^-52 (first bits64 >> 12);
//                    the angle from the second bits64 (|z| < 8.5)
//   normal float32:  block index / 4; words 0 and 1 make elements 0 and 1, words 2 and 3 elements
//                    2 and 3; u = (word + 1/2) / 2^32 (|z| < 6.8)
//   integers:        bits64 * span >> 64 unless the low half of the product is below 2^64 mod span;
//                    then bits64 is replaced by w0 + 2^32 w1 of counter (index, stream) and key
//                    (seed low ^ WF_RANDOM_REDRAW, seed high + k), k = 1, 2, ..
// Normals use only + - * / sqrt fma of IEEE 754 and integer steps, in the order that
// kernels/cpu/random.inc writes out, so every table and every device gives the same bits.
#define WF_RANDOM_REDRAW 0x52455452u
typedef void wf_random_fn(int64_t n, void *out, int64_t first_index, uint64_t seed,
                          uint64_t stream);

// Integers: uniform in [low, low + span), span 0 meaning 2**64; exact.
typedef void wf_random_integers_fn(int64_t n, int64_t *out, int64_t first_index, uint64_t seed,
                                   uint64_t stream, uint64_t low, uint64_t span);

// Gathers N elements: OUT[i] = IN[i * stride_bytes] and the reverse. Element sizes 1, 2, 4, 8, 16;
// stride may be 0 or negative.
typedef void wf_gather_fn(int64_t n, void *out, const void *in, int64_t stride_bytes);
// Copies BYTES past the caches: for results that nobody reads soon, whose lines need not be fetched
// before they are overwritten. Other threads see them only after a full fence.
typedef void wf_put_fn(int64_t bytes, void *out, const void *in);
typedef void wf_scatter_fn(int64_t n, void *out, int64_t stride_bytes, const void *in);

// Small 2-D transpose: OUT[r*out_row_bytes + c] = IN[c*in_row_bytes + r] for r < ROWS, c < COLS
// (elements), cache blocked; any ROWS and COLS.
typedef void wf_transpose_fn(int64_t rows, int64_t cols, void *out, int64_t out_row_bytes,
                             const void *in, int64_t in_row_bytes);

// A chain: several operations in a row as one pass over a strip. A value goes through the links;
// one may be set aside for a while, for what two short branches make. Only operations that give the
// bits of the single kernels are links.
#define WF_CHAIN_LINKS 16  // of one chain; a longer one is two

typedef enum wf_link_op {
    WF_LINK_ADD,            // value + operand
    WF_LINK_SUBTRACT,       // value - operand
    WF_LINK_SUBTRACT_FROM,  // operand - value
    WF_LINK_MULTIPLY,
    WF_LINK_DIVIDE,       // value / operand
    WF_LINK_DIVIDE_INTO,  // operand / value
    WF_LINK_SET_ASIDE,    // the value is set aside, the operand (in memory) is the new one
    WF_LINK_SQUARE,       // no operand, from here on
    WF_LINK_NEGATE,
    WF_LINK_ABS,
    WF_LINK_SQRT,
    WF_LINK_EXP,
    WF_LINK_NONE,
} wf_link_op;

typedef enum wf_link_from {
    WF_LINK_MEMORY,  // as many elements as the chain has
    WF_LINK_FIXED,   // one for all: the first at OPERAND
    WF_LINK_ASIDE,   // the value set aside
} wf_link_from;

typedef struct wf_link {
    wf_link_op op;
    wf_link_from from;
    const void *operand;  // NULL: there is none
} wf_link;

// OUT[i] = FIRST[i] through all links. OUT may be FIRST or an operand in memory.
typedef void wf_chain_fn(int64_t n, void *out, const void *first, int nlink, const wf_link *link);

// Copies ROWS x BYTES, a little of each row in turn: rows that lie far apart are then read as several
// streams at once, which memory serves about twice as fast as one row after another.
typedef void wf_band_fn(int64_t rows, int64_t bytes, void *out, int64_t out_row_bytes,
                        const void *in, int64_t in_row_bytes);

// OUT = A (m x k) times B (k x n), added to OUT; row major, leading dimensions in elements. The
// plain reference behind CBLAS and the only one for integers and bool (bool: or of ands).
typedef void wf_gemm_fn(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b,
                        int64_t ldb, void *out, int64_t ldo);

// One instruction set's kernels. A NULL entry in a faster table means "use the plain one";
// wf_kernels() has merged them.
typedef struct wf_kernel_table {
    const char *name;  // "baseline", "avx2", "avx512"; with "+sleef" when its transcendentals come
                       // from SLEEF
    wf_map_fn
        *map[WF_OP_COUNT]
            [WEFT_NDTYPES];  // by the dtype computed in; NULL where the operation is not defined.
                             // 16-bit floats are NULL: they are computed as float32
    wf_cast_fn *cast[WEFT_NDTYPES][WEFT_NDTYPES];  // [from][to], all pairs, 16-bit floats too
    wf_cast_fn
        *round16[WEFT_NDTYPES];  // FLOAT16, BFLOAT16: float32 -> float32 rounded to that format
    wf_reduce_kernels
        reduce[WF_REDUCE_COUNT_]
              [WEFT_NDTYPES];  // by the dtype accumulated in; entries NULL where undefined
    wf_scan_kernels scan[WF_SCAN_OPS][WEFT_NDTYPES];
    wf_random_fn *random_uniform[WEFT_NDTYPES];  // FLOAT32, FLOAT64
    wf_random_fn *random_normal[WEFT_NDTYPES];   // FLOAT32, FLOAT64
    wf_random_integers_fn *random_integers;
    wf_chain_fn *chain[WEFT_NDTYPES];  // FLOAT32, FLOAT64
    wf_put_fn *put;
    wf_band_fn *band;
    wf_gather_fn *gather[17];  // by element size 1, 2, 4, 8, 16
    wf_scatter_fn *scatter[17];
    wf_transpose_fn *transpose[17];
    wf_gemm_fn *gemm[WEFT_NDTYPES];  // accumulators in the same dtype; not for 16-bit floats
} wf_kernel_table;

// The best table for this machine, limited to what NAME says ("baseline", "avx2", "avx512"; NULL:
// no limit). Never NULL.
const wf_kernel_table *wf_kernels(const char *name);

#endif
