// SPDX-License-Identifier: Apache-2.0
// reduce_stamp - the canonical orders of kernel.h as macros: lanes and tree of one piece, carry
// stack over pieces. The order is the same for every instruction set because it is written out
// here; the compiler only packs lanes into vectors.
#ifndef WF_CPU_REDUCE_STAMP_H
#define WF_CPU_REDUCE_STAMP_H

#include "kernel.h"
#include "vector.h"

// Bytes of a row that the column form of MOMENTS takes at once: WF_MOMENT_ROWS of them stay in L2.
#define WF_MOMENT_TILE 4096

#define WF_MIN(a, b) ((a) < (b) ? (a) : (b))

// The first distance in the tree over N < WF_LANES elements that has two of them: the power of two
// below N.
#define WF_HALF(n) ((n) > 16 ? 16 : (n) > 8 ? 8 : (n) > 4 ? 4 : (n) > 2 ? 2 : 1)

// One level of the tree: lanes at distance HALF are combined.
#define WF_FOLD(lane, HALF, ADD) \
    for (int l = 0; l < (HALF); l++) lane[l] = ADD(lane[l], lane[l + (HALF)]);

// Defines `static void FN(const E *x, int64_t n, M m, A *out)`: the lanes and the tree of 1 <= N <=
// WF_STRIP elements of PARTS numbers each. TERM(x, m) is what an element adds, ADD(a, b) combines
// (a the earlier). Lanes without elements take no part.
#define WF_STAMP_PIECE(FN, E, A, M, PARTS, TERM, ADD)                                        \
    static void FN(const E *x, int64_t n, M m, A *out)                                       \
    {                                                                                        \
        enum { WIDTH = WF_LANES * PARTS };                                                   \
        const int64_t all = n * PARTS;                                                       \
        A lane[WIDTH];                                                                       \
        (void)m;                                                                             \
        if (all < WIDTH) {                                                                   \
            for (int64_t l = 0; l < all; l++) lane[l] = TERM(x[l], m);                       \
            for (int64_t half = WF_HALF(n) * PARTS; half >= PARTS; half /= 2)                \
                for (int64_t l = 0; l < half && l + half < all; l++)                         \
                    lane[l] = ADD(lane[l], lane[l + half]);                                  \
        } else {                                                                             \
            int64_t i = WIDTH;                                                               \
            for (int l = 0; l < WIDTH; l++) lane[l] = TERM(x[l], m);                         \
            for (; i + WIDTH <= all; i += WIDTH)                                             \
                for (int l = 0; l < WIDTH; l++) lane[l] = ADD(lane[l], TERM(x[i + l], m));   \
            for (int64_t l = 0; i + l < all; l++) lane[l] = ADD(lane[l], TERM(x[i + l], m)); \
            WF_FOLD(lane, 16 * PARTS, ADD)                                                   \
            WF_FOLD(lane, 8 * PARTS, ADD)                                                    \
            WF_FOLD(lane, 4 * PARTS, ADD)                                                    \
            WF_FOLD(lane, 2 * PARTS, ADD)                                                    \
            WF_FOLD(lane, PARTS, ADD)                                                        \
        }                                                                                    \
        for (int p = 0; p < PARTS; p++) out[p] = lane[p];                                    \
    }

// Defines `static P FN(const E *x, int64_t n)`: a row of any positive length. `P PIECE(const E *x,
// int64_t n)` reduces a piece, COMBINE(a, b) two partial results, a the earlier.
#define WF_STAMP_ROW(FN, E, P, PIECE, COMBINE)               \
    static P FN(const E *x, int64_t n)                       \
    {                                                        \
        if (n <= WF_STRIP) return PIECE(x, n);               \
        P stack[64];                                         \
        int top = 0;                                         \
        for (int64_t i = 0; i < n; i += WF_STRIP) {          \
            P p = PIECE(x + i, WF_MIN(n - i, WF_STRIP));     \
            for (int64_t k = i / WF_STRIP; k & 1; k >>= 1) { \
                top--;                                       \
                p = COMBINE(stack[top], p);                  \
            }                                                \
            stack[top++] = p;                                \
        }                                                    \
        P result = stack[--top];                             \
        while (top > 0) {                                    \
            top--;                                           \
            result = COMBINE(stack[top], result);            \
        }                                                    \
        return result;                                       \
    }

// Rows shorter than WF_LANES are reduced WF_BATCH at a time: turned, so that a vector holds the
// same element of many rows.
#define WF_BATCH 32

// Defines `static void FN(const E *in, ...)`: element c of row r becomes turned[c][r].
#define WF_STAMP_TURN(FN, E)                                                      \
    static void FN(int64_t rows, int64_t cols, const void *in, int64_t row_bytes, \
                   E(*turned)[WF_BATCH])                                          \
    {                                                                             \
        for (int64_t r = 0; r < rows; r++) {                                      \
            const E *x = WF_ROW(in, row_bytes, r);                                \
            for (int64_t c = 0; c < cols; c++) turned[c][r] = x[c];               \
        }                                                                         \
    }

// Defines `static void FN(int64_t n, E (*lane)[WF_BATCH])`: the tree over N < WF_LANES lanes of a
// batch, into lane[0].
#define WF_STAMP_BATCH_TREE(FN, E, ADD)                                 \
    static void FN(int64_t n, E(*lane)[WF_BATCH])                       \
    {                                                                   \
        for (int64_t half = WF_HALF(n); half > 0; half /= 2)            \
            for (int64_t l = 0; l < half && l + half < n; l++)          \
                WF_LOOP for (int r = 0; r < WF_BATCH; r++) lane[l][r] = \
                    ADD(lane[l][r], lane[l + half][r]);                 \
    }

#define WF_ROW(in, row_bytes, r) ((const void *)((const char *)(in) + (r) * (row_bytes)))

#endif
