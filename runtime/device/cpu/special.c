// SPDX-License-Identifier: Apache-2.0
// special - the CPU device's operations that are not programs: combining partial results, running sums, selection, sums by label.
#include <string.h>

#include "base/error.h"
#include "device/cpu/special.h"

static const wf_reduce_kernels *reduce_kernels(const wf_kernel_table *table, int op,
                                               weft_dtype dtype)
{
    if (op < 0 || op >= WF_REDUCE_COUNT_ || dtype <= 0 || dtype >= WEFT_NDTYPES ||
        !table->reduce[op][dtype].combine)
        return NULL;
    return &table->reduce[op][dtype];
}

static size_t field_size(int op, weft_dtype dtype, int field)
{
    static const size_t size[WEFT_NDTYPES] = { 0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16 };
    size_t item = size[dtype];
    bool complex = dtype == WEFT_COMPLEX64 || dtype == WEFT_COMPLEX128;
    if (op >= WF_REDUCE_ARGMIN && op <= WF_REDUCE_NANARGMAX) return field == 1 ? 8 : item;
    if (op >= WF_REDUCE_MOMENTS) return complex && field != 1 ? item / 2 : item;
    return item;
}

// How many neighbours along the last axis are combined side by side: all of it where it is not a
// combined axis and lies contiguous on both sides.
static int64_t combine_width(const weft_combine *c)
{
    int last = c->ndim - 1;

    if (last < 0 || c->cell[last] != 1) return 1;
    for (int f = 0; f < c->nfield; f++) {
        int64_t size = (int64_t)field_size(c->op, c->dtype, f);
        if (c->in_stride[f][last] != size || c->out_stride[f][last] != size) return 1;
    }
    return c->count[last];
}

// WIDTH cells side by side: the partial results of each one after another in C order, each combined
// into the first.
static void combine_cells(const weft_combine *c, const wf_reduce_kernels *k, int64_t width,
                          const int64_t *start, char *const *out)
{
    int64_t count[WEFT_MAX_NDIM], coord[WEFT_MAX_NDIM] = { 0 };
    void *acc[3];
    const void *in[3];
    bool first = true;
    for (int a = 0; a < c->ndim; a++) {
        int64_t left = c->count[a] - start[a];
        count[a] = left < c->cell[a] ? left : c->cell[a];
    }
    for (;;) {
        for (int f = 0; f < c->nfield; f++) {
            const char *p = c->in[f];
            for (int a = 0; a < c->ndim; a++) p += (start[a] + coord[a]) * c->in_stride[f][a];
            in[f] = p;
            acc[f] = out[f];
            if (first) memcpy(out[f], p, (size_t)width * field_size(c->op, c->dtype, f));
        }
        if (!first) k->combine(width, acc, in);
        first = false;
        int a = c->ndim - 1;
        while (a >= 0 && ++coord[a] == count[a]) coord[a--] = 0;
        if (a < 0) return;
    }
}

weft_status wf_combine_run(const wf_kernel_table *table, const weft_combine *c)
{
    const wf_reduce_kernels *k = reduce_kernels(table, c->op, c->dtype);
    if (!k)
        return wf_fail(WEFT_UNSUPPORTED, "combine: no kernel for reduction %d of dtype %d", c->op,
                       (int)c->dtype);
    int64_t cell[WEFT_MAX_NDIM] = { 0 }, start[WEFT_MAX_NDIM], width = combine_width(c);
    for (int a = 0; a < c->ndim; a++)
        if (c->count[a] == 0) return WEFT_OK;
    for (;;) {
        char *out[3];
        for (int a = 0; a < c->ndim; a++) start[a] = cell[a] * c->cell[a];
        for (int f = 0; f < c->nfield; f++) {
            out[f] = c->out[f];
            for (int a = 0; a < c->ndim; a++) out[f] += cell[a] * c->out_stride[f][a];
        }
        combine_cells(c, k, width, start, out);
        int a = c->ndim - 1;
        if (width > 1) a--;  // all of the last axis is done
        while (a >= 0 && ++cell[a] * c->cell[a] >= c->count[a]) cell[a--] = 0;
        if (a < 0) return WEFT_OK;
    }
}

// Lines along the last axis, contiguous on both sides, are scanned one by one; otherwise rows of the last axis are scanned side by side.
weft_status wf_scan_run(const wf_kernel_table *table, const weft_scan *s)
{
    const wf_scan_kernels *k = s->op >= 0 && s->op < WF_SCAN_OPS && s->dtype < WEFT_NDTYPES
                                   ? &table->scan[s->op][s->dtype]
                                   : NULL;
    if (!k || !k->row)
        return wf_fail(WEFT_UNSUPPORTED, "scan: no kernel for dtype %d", (int)s->dtype);
    size_t item = field_size(WF_REDUCE_SUM, s->dtype, 0);
    int64_t stride[WEFT_MAX_NDIM], coord[WEFT_MAX_NDIM] = { 0 }, run = (int64_t)item, line = 0;
    for (int a = s->ndim - 1; a >= 0; a--) {
        if (s->count[a] == 0) return WEFT_OK;
        stride[a] = run;
        run *= s->count[a];
    }
    int last = s->ndim - 1;
    bool cols = s->axis != last && s->in_stride[last] == (int64_t)item;
    int64_t n = s->count[s->axis], width = cols ? s->count[last] : 1;
    for (;;) {
        const char *in = s->in;
        char *out = s->out, *carry = (char *)s->carry_out + line * (int64_t)item;
        for (int a = 0; a < s->ndim; a++) {
            in += coord[a] * s->in_stride[a];
            out += coord[a] * stride[a];
        }
        if (s->carry) {
            memcpy(carry, (const char *)s->carry + line * (int64_t)item, (size_t)width * item);
        } else {
            for (int64_t i = 0; i < width; i++)
                table->reduce[s->op == WF_SCAN_SUM ? WF_REDUCE_SUM : WF_REDUCE_PROD][s->dtype]
                    .identity(1, (void *const[]){ carry + i * (int64_t)item });
        }
        if (cols) {
            k->cols(n, width, in, s->in_stride[s->axis], out, stride[s->axis], carry);
        } else if (s->in_stride[s->axis] == (int64_t)item && stride[s->axis] == (int64_t)item) {
            k->row(n, in, out, carry);
        } else {
            for (int64_t i = 0; i < n; i++)
                k->row(1, in + i * s->in_stride[s->axis], out + i * stride[s->axis], carry);
        }
        line += width;
        int a = s->ndim - 1;
        while (a >= 0 && (a == s->axis || (cols && a == last) || ++coord[a] == s->count[a]))
            coord[a--] = 0;
        if (a < 0) return WEFT_OK;
    }
}

weft_status wf_select_run(const weft_select *s)
{
    char *out = s->out;
    const char *in = s->in;
    for (int64_t i = 0; i < s->n;) {
        if (!s->mask[i]) {
            i++;
            continue;
        }
        int64_t run = 1;
        while (i + run < s->n && s->mask[i + run]) run++;
        memcpy(out, in + i * s->item, (size_t)(run * s->item));
        out += run * s->item;
        i += run;
    }
    *s->count = (out - (char *)s->out) / s->item;
    return WEFT_OK;
}

static void count_labels_f64(const weft_group *g)
{
    for (int64_t i = 0; i < g->rows; i++)
        if (g->label[i] >= 0) *(double *)((char *)g->out + g->label[i] * g->out_row) += 1;
}

static void count_labels_i64(const weft_group *g)
{
    for (int64_t i = 0; i < g->rows; i++)
        if (g->label[i] >= 0) *(int64_t *)((char *)g->out + g->label[i] * g->out_row) += 1;
}

// Single elements: too short for the strip kernels to pay.
static void add_labelled_f64(const weft_group *g)
{
    const char *in = g->in;
    for (int64_t i = 0; i < g->rows; i++)
        if (g->label[i] >= 0)
            *(double *)((char *)g->out + g->label[i] * g->out_row) +=
                *(const double *)(in + i * g->in_row);
}

weft_status wf_group_run(const wf_kernel_table *table, const weft_group *g)
{
    if (!g->in && g->dtype == WEFT_INT64) return count_labels_i64(g), WEFT_OK;
    if (!g->in && g->dtype == WEFT_FLOAT64) return count_labels_f64(g), WEFT_OK;
    if (g->in && g->cols == 1 && g->dtype == WEFT_FLOAT64) return add_labelled_f64(g), WEFT_OK;
    wf_map_fn *add = g->dtype < WEFT_NDTYPES ? table->map[WF_OP_ADD][g->dtype] : NULL;
    if (!add || !g->in)
        return wf_fail(WEFT_UNSUPPORTED, "group: no kernel for dtype %d", (int)g->dtype);
    int64_t item = (int64_t)field_size(WF_REDUCE_SUM, g->dtype, 0);
    _Alignas(64) char gathered[WF_STRIP * 16];
    for (int64_t i = 0; i < g->rows; i++) {
        if (g->label[i] < 0) continue;
        const char *in = (const char *)g->in + i * g->in_row;
        char *out = (char *)g->out + g->label[i] * g->out_row;
        for (int64_t c = 0; c < g->cols; c += WF_STRIP) {
            int64_t n = g->cols - c < WF_STRIP ? g->cols - c : WF_STRIP;
            const void *row = in + c * g->in_col;
            if (g->in_col != item) {
                table->gather[item](n, gathered, row, g->in_col);
                row = gathered;
            }
            add(n, out + c * item, (const void *const[]){ out + c * item, row });
        }
    }
    return WEFT_OK;
}
