// SPDX-License-Identifier: Apache-2.0
// bound - the most memory that any task will need at once, known before anything runs.
#include "plan/build.h"

// The most blocks of one axis that a tile touches, times their extent. Looks at the first and last few tiles: a regular cut repeats itself.
static int64_t axis_window(const wf_layer *layer, const wf_read *read, const wf_value *value, int i)
{
    const wf_grid_axis *source = &value->grid.axis[i];
    int t = read->map.axis[i];
    int64_t most = 0;
    if (t < 0 || source->nblock <= 1)
        return wf_axis_start(source, 1 < source->nblock ? 1 : source->nblock);
    const wf_grid_axis *tiles = t == layer->step_axis ? &layer->step : &layer->tasks.axis[t];
    for (int64_t k = 0; k < tiles->nblock && k < 16; k++) {
        int64_t tile = k < 8 || tiles->nblock <= 16 ? k : tiles->nblock - 16 + k;
        wf_box box = { .ndim = layer->shape.ndim }, image;
        for (int a = 0; a < box.ndim; a++) box.count[a] = 1;
        box.start[t] = wf_axis_start(tiles, tile);
        box.count[t] = wf_axis_start(tiles, tile + 1) - box.start[t];
        wf_map_image(&read->map, &box, &image);
        int64_t lo = image.start[i], hi = lo + image.count[i] - 1;
        if (lo < 0) lo = 0;
        if (hi >= source->dim) hi = source->dim - 1;
        if (hi < lo) continue;
        int64_t first = wf_axis_find(source, lo), last = wf_axis_find(source, hi);
        int64_t span = wf_axis_start(source, last + 1) - wf_axis_start(source, first);
        if (span > most) most = span;
    }
    return most;
}

int64_t wf_read_window(const wf_layer *layer, const wf_read *read, const wf_value *value)
{
    int64_t n = (int64_t)wf_dtype_size(value->dtype);
    if (value->direct) return 0;
    for (int i = 0; i < value->shape.ndim; i++) n *= axis_window(layer, read, value, i);
    return n;
}

// Of one value, by one task.
static int64_t write_bytes(const wf_layer *layer, const wf_value *v)
{
    return wf_grid_max_block(v->cut ? &layer->tasks : &v->grid) * (int64_t)wf_dtype_size(v->dtype);
}

// Results of a group's program that are evaluated before they are added up: a few strips at least, at most what stays in a cache.
static int64_t group_scratch(const wf_build *b)
{
    int64_t n = b->opts->budget / (16 * b->opts->slots);
    return n < 16 << 10 ? 16 << 10 : n > 2 << 20 ? 2 << 20 : n;
}

// Elements that a mask is applied to together: few stay in the cache, but a device that the host
// waits for wants many.
static int64_t compact_chunk(const wf_build *b)
{
    int64_t most = b->target / (2 * WF_COMPACT_BYTES);
    return b->opts->host_visible || most < 8192 ? 8192 : most;
}

// Memory beside inputs and outputs: boxes that straddle blocks are evaluated into scratch before they are reduced; sinks assemble chunks.
static int64_t scratch_bytes(const wf_build *b, const wf_layer *layer)
{
    int64_t tile = wf_grid_max_block(&layer->tasks), n = 0;
    if (layer->kind == WF_LAYER_COMBINE) n = tile * 16 * layer->nread + 64 * layer->nread;
    if (layer->kind == WF_LAYER_BINCOUNT) n = tile * 24 + 128;
    if (layer->kind == WF_LAYER_COMPACT) n = compact_chunk(b) * WF_COMPACT_BYTES;
    if (layer->kind == WF_LAYER_GROUP && !wf_layer_is_plain_load(layer)) n = group_scratch(b);
    if (layer->kind == WF_LAYER_REDUCE) n = tile * 16 < (4 << 20) ? tile * 16 : 4 << 20;
    if (layer->kind == WF_LAYER_SOURCE) {
        const wf_leaf_header *h = wf_object_header(b->outline->bind.leaf[layer->leaf]);
        if (!h->direct) n = h->scratch;
        if (b->plan->value[layer->write[0]].cut &&
            !h->direct)  // a chunk is read whole before it is cut
            n += wf_grid_max_block(&h->grid) * (int64_t)wf_dtype_size(h->dtype) + 64;
    }
    if (layer->kind == WF_LAYER_CONTRACT) {  // operands that straddle blocks are gathered
        int nb = layer->shape.ndim - 3;
        int64_t deep = layer->step.extent < layer->step.dim ? layer->step.extent : layer->step.dim;
        n = (layer->tasks.axis[nb].extent + layer->tasks.axis[nb + 1].extent) * deep *
            (int64_t)wf_dtype_size(layer->dtype);
    }
    if (layer->kind == WF_LAYER_SINK) {
        const wf_sink_header *h = b->outline->bind.leaf[layer->leaf]->data;
        const wf_value *v = &b->plan->value[layer->read[0].value];
        n = (layer->aside ? 2 : 1) * tile * (int64_t)wf_dtype_size(v->dtype) + h->scratch + 192;
    }
    return n;
}

static void bound_layer(wf_build *b, wf_layer *layer)
{
    layer->scratch_bytes = scratch_bytes(b, layer);
    layer->task_bytes = layer->scratch_bytes;
    for (int r = 0; r < layer->nread; r++) {
        const wf_value *v = &b->plan->value[layer->read[r].value];
        bool again = false;  // the same blocks through another view count once
        for (int q = 0; q < r && layer->kind != WF_LAYER_CONTRACT; q++)
            again |= layer->read[q].value == layer->read[r].value;
        if (!again) layer->task_bytes += wf_read_window(layer, &layer->read[r], v);
    }
    if (layer->step_axis >= 0) layer->window_bytes = layer->task_bytes - layer->scratch_bytes;
    for (int k = 0; k < layer->nwrite; k++)
        layer->task_bytes += write_bytes(layer, &b->plan->value[layer->write[k]]);
}

weft_status wf_plan_bound(wf_build *b)
{
    wf_plan *p = b->plan;
    for (int i = 0; i < p->nlayer; i++) {
        const wf_layer *l = &p->layer[i];
        bool host = wf_layer_is_for_host(l) && !b->opts->host_visible;
        bound_layer(b, &p->layer[i]);
        p->ntask += l->ntask;
        if (l->task_bytes <= (host ? p->host_bytes : p->task_bytes)) continue;
        *(host ? &p->host_bytes : &p->task_bytes) = l->task_bytes;
        *(host ? &p->host_bound_by : &p->bound_by) = l->name;
    }
    return WEFT_OK;
}
