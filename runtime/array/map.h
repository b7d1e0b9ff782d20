// SPDX-License-Identifier: Apache-2.0
// map - an affine map between index spaces: which element of a source an element of a target reads. Slices, flips, transposes,
// broadcasts, inserted and dropped axes are all one of these, and they compose. Plain values.
#ifndef WF_ARRAY_MAP_H
#define WF_ARRAY_MAP_H

#include "array/shape.h"

// Source coordinate on axis i = start[i] + step[i] * target coordinate on axis[i]; axis[i] < 0: start[i] alone.
// No target axis feeds two source axes.
typedef struct wf_map {
    int ndim;  // source axes
    int8_t axis[WEFT_MAX_NDIM];
    int64_t start[WEFT_MAX_NDIM], step[WEFT_MAX_NDIM];
} wf_map;

wf_map wf_map_identity(int ndim);
// Broadcasts a source of shape FROM onto TO (which it broadcasts to).
wf_map wf_map_broadcast(const wf_shape *from, const wf_shape *to);
// First OUTER (target -> middle), then INNER (middle -> source): target -> source.
wf_map wf_map_compose(const wf_map *outer, const wf_map *inner);
bool wf_map_is_identity(const wf_map *map, int target_ndim);

// The box of source elements that a target box touches (with step > 1 it has gaps). Empty in, empty out.
void wf_map_image(const wf_map *map, const wf_box *target, wf_box *out);
// The half-open interval of target coordinates on axis[i] whose source coordinate on axis i lies in [lo, hi), clipped to [0, dim).
void wf_map_preimage(const wf_map *map, int source_axis, int64_t lo, int64_t hi, int64_t dim,
                     int64_t *out_lo, int64_t *out_hi);

#endif
