// SPDX-License-Identifier: Apache-2.0
// strided - copies of boxes between differently ordered memories, in tiles so that a transpose
// stays in cache.
#include "io/strided.h"

#include <string.h>

#define TILE 32  // 32 x 32 elements of 16 bytes are 16 KiB on each side

void wf_strides_fill(int ndim, const int64_t *count, size_t item, bool fortran, int64_t *out)
{
    int64_t stride = (int64_t)item;
    for (int k = 0; k < ndim; k++) {
        int i = fortran ? k : ndim - 1 - k;
        out[i] = stride;
        stride *= count[i] > 0 ? count[i] : 1;
    }
}

bool wf_counts_contiguous(int ndim, const int64_t *part, const int64_t *whole)
{
    int first = 0;
    while (first < ndim && part[first] == 1) first++;
    for (int i = first + 1; i < ndim; i++)
        if (part[i] != whole[i]) return false;
    return true;
}

int64_t wf_strided_offset(int ndim, const int64_t *part, const int64_t *origin,
                          const int64_t *stride)
{
    int64_t offset = 0;
    for (int i = 0; i < ndim; i++) offset += (part[i] - origin[i]) * stride[i];
    return offset;
}

// A copy brought to its simplest form: no axes of one element, neighbours merged where both sides
// allow, the last axis the one along which OUT is densest, the one before it the one along which IN
// is.
typedef struct copy_plan {
    int ndim;
    int64_t count[WEFT_MAX_NDIM], out[WEFT_MAX_NDIM], in[WEFT_MAX_NDIM];
} copy_plan;

static void move_axis(copy_plan *p, int from, int to)
{
    int64_t count = p->count[from], out = p->out[from], in = p->in[from];
    int step = from < to ? 1 : -1;
    for (int i = from; i != to; i += step) {
        p->count[i] = p->count[i + step];
        p->out[i] = p->out[i + step];
        p->in[i] = p->in[i + step];
    }
    p->count[to] = count;
    p->out[to] = out;
    p->in[to] = in;
}

static void sort_by_out(copy_plan *p)
{
    for (int i = 1; i < p->ndim; i++)
        for (int k = i; k > 0 && p->out[k] > p->out[k - 1]; k--) move_axis(p, k, k - 1);
}

static void merge_axes(copy_plan *p)
{
    int last = 0;
    for (int i = 1; i < p->ndim; i++) {
        bool fits =
            p->out[last] == p->out[i] * p->count[i] && p->in[last] == p->in[i] * p->count[i];
        int64_t count = fits ? p->count[last] * p->count[i] : p->count[i];
        if (!fits) last++;
        p->count[last] = count;
        p->out[last] = p->out[i];
        p->in[last] = p->in[i];
    }
    if (p->ndim > 0) p->ndim = last + 1;
}

static bool make_plan(copy_plan *p, int ndim, const int64_t *count, const int64_t *out,
                      const int64_t *in)
{
    p->ndim = 0;
    for (int i = 0; i < ndim; i++) {
        if (count[i] == 0) return false;
        if (count[i] == 1) continue;
        p->count[p->ndim] = count[i];
        p->out[p->ndim] = out[i];
        p->in[p->ndim++] = in[i];
    }
    sort_by_out(p);
    merge_axes(p);
    int dense = p->ndim - 1;
    for (int i = p->ndim - 2; i >= 0; i--)
        if (p->in[i] < p->in[dense]) dense = i;
    if (dense >= 0 && dense < p->ndim - 2) move_axis(p, dense, p->ndim - 2);
    return true;
}

// Two axes, tile by tile. ITEM is a constant at each call, so that the copy of an element is one
// load and one store.
static inline __attribute__((always_inline)) void copy_tiles(const int64_t *count, char *out,
                                                             const int64_t *os, const char *in,
                                                             const int64_t *is, size_t item)
{
    for (int64_t i0 = 0; i0 < count[0]; i0 += TILE)
        for (int64_t j0 = 0; j0 < count[1]; j0 += TILE) {
            int64_t i1 = i0 + TILE < count[0] ? i0 + TILE : count[0],
                    j1 = j0 + TILE < count[1] ? j0 + TILE : count[1];
            for (int64_t i = i0; i < i1; i++)
                for (int64_t j = j0; j < j1; j++)
                    memcpy(out + i * os[0] + j * os[1], in + i * is[0] + j * is[1], item);
        }
}

static void copy_plane(const int64_t *count, size_t item, char *out, const int64_t *os,
                       const char *in, const int64_t *is)
{
    if (os[1] == (int64_t)item && is[1] == (int64_t)item) {
        for (int64_t i = 0; i < count[0]; i++)
            memcpy(out + i * os[0], in + i * is[0], (size_t)count[1] * item);
        return;
    }
    switch (item) {
    case 1: copy_tiles(count, out, os, in, is, 1); break;
    case 2: copy_tiles(count, out, os, in, is, 2); break;
    case 4: copy_tiles(count, out, os, in, is, 4); break;
    case 8: copy_tiles(count, out, os, in, is, 8); break;
    default: copy_tiles(count, out, os, in, is, 16); break;
    }
}

// Steps the odometer AT over the first N axes; false after the last place.
static bool next_place(const copy_plan *p, int n, int64_t *at, char **out, const char **in)
{
    for (int i = n - 1; i >= 0; i--) {
        *out += p->out[i];
        *in += p->in[i];
        if (++at[i] < p->count[i]) return true;
        *out -= p->out[i] * p->count[i];
        *in -= p->in[i] * p->count[i];
        at[i] = 0;
    }
    return false;
}

void wf_strided_copy(int ndim, const int64_t *count, size_t item, void *out,
                     const int64_t *out_stride, const void *in, const int64_t *in_stride)
{
    copy_plan p;
    if (!make_plan(&p, ndim, count, out_stride, in_stride)) return;
    while (p.ndim < 2) {  // a plane needs two axes; one of a single element may have any stride
        memmove(p.count + 1, p.count, sizeof p.count - sizeof *p.count);
        memmove(p.out + 1, p.out, sizeof p.out - sizeof *p.out);
        memmove(p.in + 1, p.in, sizeof p.in - sizeof *p.in);
        p.count[0] = 1;
        p.out[0] = p.in[0] = (int64_t)item;
        p.ndim++;
    }
    int outer = p.ndim - 2;
    int64_t at[WEFT_MAX_NDIM] = { 0 };
    char *dst = out;
    const char *src = in;
    do copy_plane(p.count + outer, item, dst, p.out + outer, src, p.in + outer);
    while (next_place(&p, outer, at, &dst, &src));
}

void wf_strided_fill(int ndim, const int64_t *count, size_t item, void *out,
                     const int64_t *out_stride, const void *element)
{
    static const int64_t still[WEFT_MAX_NDIM];
    wf_strided_copy(ndim, count, item, out, out_stride, element, still);
}

void wf_bytes_swap(void *data, int64_t count, size_t width)
{
    char *p = data;
    for (int64_t i = 0; i < count && width == 2; i++) {
        uint16_t v;
        memcpy(&v, p + 2 * i, 2);
        v = __builtin_bswap16(v);
        memcpy(p + 2 * i, &v, 2);
    }
    for (int64_t i = 0; i < count && width == 4; i++) {
        uint32_t v;
        memcpy(&v, p + 4 * i, 4);
        v = __builtin_bswap32(v);
        memcpy(p + 4 * i, &v, 4);
    }
    for (int64_t i = 0; i < count && width == 8; i++) {
        uint64_t v;
        memcpy(&v, p + 8 * i, 8);
        v = __builtin_bswap64(v);
        memcpy(p + 8 * i, &v, 8);
    }
}
