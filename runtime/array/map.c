// SPDX-License-Identifier: Apache-2.0
// map - affine maps between index spaces.
#include "array/map.h"

wf_map wf_map_identity(int ndim)
{
    wf_map m = { .ndim = ndim };
    for (int i = 0; i < ndim; i++) {
        m.axis[i] = (int8_t)i;
        m.step[i] = 1;
    }
    return m;
}

wf_map wf_map_broadcast(const wf_shape *from, const wf_shape *to)
{
    wf_map m = { .ndim = from->ndim };
    int lead = to->ndim - from->ndim;
    for (int i = 0; i < from->ndim; i++) {
        bool repeated = from->dim[i] == 1 && to->dim[i + lead] != 1;
        m.axis[i] = (int8_t)(repeated ? -1 : i + lead);
        m.step[i] = repeated ? 0 : 1;
    }
    return m;
}

wf_map wf_map_compose(const wf_map *outer, const wf_map *inner)
{
    wf_map m = { .ndim = inner->ndim };
    for (int i = 0; i < inner->ndim; i++) {
        int mid = inner->axis[i];
        m.axis[i] = -1;
        m.start[i] = inner->start[i];
        if (mid < 0) continue;
        m.axis[i] = outer->axis[mid];
        m.start[i] += inner->step[i] * outer->start[mid];
        m.step[i] = outer->axis[mid] < 0 ? 0 : inner->step[i] * outer->step[mid];
    }
    return m;
}

bool wf_map_is_identity(const wf_map *map, int target_ndim)
{
    if (map->ndim != target_ndim) return false;
    for (int i = 0; i < map->ndim; i++)
        if (map->axis[i] != i || map->start[i] != 0 || map->step[i] != 1) return false;
    return true;
}

void wf_map_image(const wf_map *map, const wf_box *target, wf_box *out)
{
    wf_box box = { .ndim = map->ndim };
    for (int i = 0; i < map->ndim; i++) {
        int a = map->axis[i];
        box.start[i] = map->start[i];
        box.count[i] = 1;
        if (a < 0) continue;
        int64_t first = map->start[i] + map->step[i] * target->start[a];
        int64_t span = map->step[i] * (target->count[a] - 1);
        box.start[i] = span < 0 ? first + span : first;
        box.count[i] = target->count[a] == 0 ? 0 : (span < 0 ? -span : span) + 1;
    }
    *out = box;
}

static int64_t divide_up(int64_t a, int64_t b)  // b > 0, rounds toward +inf
{
    int64_t q = a / b;
    return q + (a % b > 0);
}

void wf_map_preimage(const wf_map *map, int source_axis, int64_t lo, int64_t hi, int64_t dim,
                     int64_t *out_lo, int64_t *out_hi)
{
    int64_t start = map->start[source_axis], step = map->step[source_axis], a, b;
    if (step == 0) {
        bool inside = start >= lo && start < hi;
        *out_lo = 0;
        *out_hi = inside ? dim : 0;
        return;
    }
    if (step > 0) {  // lo <= start + step*c < hi
        a = divide_up(lo - start, step);
        b = divide_up(hi - start, step);
    } else {  // start - |step|*c < hi  and  >= lo
        a = divide_up(start - hi + 1, -step);
        b = divide_up(start - lo + 1, -step);
    }
    if (a < 0) a = 0;
    if (b > dim) b = dim;
    *out_lo = a;
    *out_hi = b > a ? b : a;
}
