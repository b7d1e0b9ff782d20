// SPDX-License-Identifier: Apache-2.0
// walk - gathering and scattering strips. A box is walked row by row of its innermost axis; rows
// that are short (that is why a box is there at all) are moved many at a time by loops typed by
// element size.
#include "device/cpu/walk.h"

#include <string.h>

void wf_walk_init(wf_walk *walk, const wf_nest *nest, int first, int end, int op, int64_t unit)
{
    int n = 0;  // axes so far, innermost first

    for (int a = end - 1; a >= first; a--) {
        int64_t count = nest->count[a], stride = nest->stride[a][op];
        if (count == 1) continue;
        if (n > 0 && stride == walk->count[n - 1] * walk->stride[n - 1]) {
            walk->count[n - 1] *= count;
            continue;
        }
        walk->count[n] = count;
        walk->stride[n++] = stride;
    }
    for (int i = 0; i < n / 2; i++) {
        int64_t count = walk->count[i], stride = walk->stride[i];
        walk->count[i] = walk->count[n - 1 - i];
        walk->stride[i] = walk->stride[n - 1 - i];
        walk->count[n - 1 - i] = count;
        walk->stride[n - 1 - i] = stride;
    }
    walk->ndim = n;
    walk->period = 1;
    for (int i = 1; i < n && walk->period <= WF_WALK_PERIOD; i++) walk->period *= walk->count[i];
    walk->step = n == 0 ? unit : walk->stride[0];
    walk->kind = WF_WALK_BOX;
    if (n <= 1) walk->kind = WF_WALK_LINEAR;
    else if (walk->stride[0] == 0 && walk->period <= WF_WALK_PERIOD) walk->kind = WF_WALK_PERIODIC;
}

// A position inside a box: offset in bytes (or units), coordinates of all axes.
typedef struct spot {
    int64_t offset, coord[WF_NEST_AXES];
} spot;

static void spot_init(spot *s, const wf_walk *walk, int64_t start)
{
    s->offset = 0;
    for (int a = walk->ndim - 1; a >= 0; a--) {
        s->coord[a] = a > 0 ? start % walk->count[a] : start;
        s->offset += s->coord[a] * walk->stride[a];
        start /= walk->count[a];
    }
}

// Moves STEPS on along AXIS, carrying outward.
static void spot_advance(spot *s, const wf_walk *walk, int axis, int64_t steps)
{
    s->coord[axis] += steps;
    s->offset += steps * walk->stride[axis];
    for (int a = axis; a > 0 && s->coord[a] >= walk->count[a]; a--) {
        s->coord[a] -= walk->count[a];
        s->offset += walk->stride[a - 1] - walk->count[a] * walk->stride[a];
        s->coord[a - 1]++;
    }
}

// How many whole rows begin at S, at most N elements and not past the end of the axis outside.
// Needs two axes.
static int64_t whole_rows(const spot *s, const wf_walk *walk, int64_t n)
{
    int last = walk->ndim - 1;

    if (s->coord[last] != 0) return 0;
    int64_t rows = n / walk->count[last], left = walk->count[last - 1] - s->coord[last - 1];
    return rows < left ? rows : left;
}

typedef struct pair128 {
    uint64_t half[2];
} pair128;

// ROWS x COLS elements between strided memory and a strip.
#define STAMP_ROWS(type)                                                                    \
    static void gather_rows_##type(int64_t rows, int64_t cols, const char *in, int64_t row, \
                                   int64_t col, char *out)                                  \
    {                                                                                       \
        type *to = (type *)out;                                                             \
        for (int64_t r = 0; r < rows; r++, in += row)                                       \
            for (int64_t c = 0; c < cols; c++) *to++ = *(const type *)(in + c * col);       \
    }                                                                                       \
    static void scatter_rows_##type(int64_t rows, int64_t cols, char *out, int64_t row,     \
                                    int64_t col, const char *in)                            \
    {                                                                                       \
        const type *from = (const type *)in;                                                \
        for (int64_t r = 0; r < rows; r++, out += row)                                      \
            for (int64_t c = 0; c < cols; c++) *(type *)(out + c * col) = *from++;          \
    }
STAMP_ROWS(uint8_t)
STAMP_ROWS(uint16_t)
STAMP_ROWS(uint32_t)
STAMP_ROWS(uint64_t)
STAMP_ROWS(pair128)

static void gather_rows(int item, int64_t rows, int64_t cols, const char *in, int64_t row,
                        int64_t col, char *out)
{
    switch (item) {
    case 1: gather_rows_uint8_t(rows, cols, in, row, col, out); break;
    case 2: gather_rows_uint16_t(rows, cols, in, row, col, out); break;
    case 4: gather_rows_uint32_t(rows, cols, in, row, col, out); break;
    case 8: gather_rows_uint64_t(rows, cols, in, row, col, out); break;
    default: gather_rows_pair128(rows, cols, in, row, col, out);
    }
}

static void scatter_rows(int item, int64_t rows, int64_t cols, char *out, int64_t row, int64_t col,
                         const char *in)
{
    switch (item) {
    case 1: scatter_rows_uint8_t(rows, cols, out, row, col, in); break;
    case 2: scatter_rows_uint16_t(rows, cols, out, row, col, in); break;
    case 4: scatter_rows_uint32_t(rows, cols, out, row, col, in); break;
    case 8: scatter_rows_uint64_t(rows, cols, out, row, col, in); break;
    default: scatter_rows_pair128(rows, cols, out, row, col, in);
    }
}

void wf_walk_gather(const wf_walk *walk, const wf_kernel_table *table, int item, const char *base,
                    int64_t start, int64_t n, char *out)
{
    int last = walk->ndim - 1;
    spot s;

    if (last <= 0) {
        table->gather[item](n, out, base + start * walk->step, walk->step);
        return;
    }
    for (spot_init(&s, walk, start); n > 0;) {
        int64_t rows = whole_rows(&s, walk, n), count = walk->count[last] - s.coord[last];
        if (rows > 1) {
            count = rows * walk->count[last];
            if (walk->stride[last - 1] == item && walk->stride[last] != item)
                table->transpose[item](rows, walk->count[last], out, walk->count[last] * item,
                                       base + s.offset, walk->stride[last]);
            else
                gather_rows(item, rows, walk->count[last], base + s.offset, walk->stride[last - 1],
                            walk->stride[last], out);
            spot_advance(&s, walk, last - 1, rows);
        } else {
            if (count > n) count = n;
            table->gather[item](count, out, base + s.offset, walk->stride[last]);
            spot_advance(&s, walk, last, count);
        }
        out += count * item;
        n -= count;
    }
}

void wf_walk_scatter(const wf_walk *walk, const wf_kernel_table *table, int item, char *base,
                     int64_t start, int64_t n, const char *in)
{
    int last = walk->ndim - 1;
    spot s;

    if (last <= 0) {
        table->scatter[item](n, base + start * walk->step, walk->step, in);
        return;
    }
    for (spot_init(&s, walk, start); n > 0;) {
        int64_t rows = whole_rows(&s, walk, n), count = walk->count[last] - s.coord[last];
        if (rows > 1) {
            count = rows * walk->count[last];
            scatter_rows(item, rows, walk->count[last], base + s.offset, walk->stride[last - 1],
                         walk->stride[last], in);
            spot_advance(&s, walk, last - 1, rows);
        } else {
            if (count > n) count = n;
            table->scatter[item](count, base + s.offset, walk->stride[last], in);
            spot_advance(&s, walk, last, count);
        }
        in += count * item;
        n -= count;
    }
}

int64_t wf_walk_run(const wf_walk *walk, int64_t i, int64_t n, int64_t *offset, int64_t *step)
{
    int last = walk->ndim - 1;
    spot s;

    if (last <= 0) {
        *offset = i * walk->step;
        *step = walk->step;
        return n;
    }
    spot_init(&s, walk, i);
    *offset = s.offset;
    *step = walk->stride[last];
    int64_t left = walk->count[last] - s.coord[last];
    return left < n ? left : n;
}

void wf_walk_count(const wf_walk *walk, int64_t origin, int64_t start, int64_t n, int64_t *out)
{
    int last = walk->ndim - 1;
    spot s;

    if (last <= 0) {
        for (int64_t i = 0; i < n; i++) out[i] = origin + (start + i) * walk->step;
        return;
    }
    for (spot_init(&s, walk, start); n > 0;) {
        int64_t count = walk->count[last] - s.coord[last], first = origin + s.offset;
        if (count > n) count = n;
        for (int64_t i = 0; i < count; i++) out[i] = first + i * walk->stride[last];
        spot_advance(&s, walk, last, count);
        out += count;
        n -= count;
    }
}
