// SPDX-License-Identifier: Apache-2.0
// exchange - wide reads: a layer whose tasks each read a little of very many blocks (rows turned to
// columns, small chunks to slabs). Kept whole, those blocks would be brought back from disk once
// per reader. So the value between is cut where its readers' tiles end, as it is made: a task
// writes several blocks, each block serves one tile or a few, and crosses the disk at most once.
#include "plan/build.h"

enum { PIECE = 1 << 20 };  // bytes from which a block travels to disk and back at full speed

static const wf_grid_axis *reader_tiles(const wf_layer *layer, const wf_read *read, int i)
{
    int t = read->map.axis[i];
    return t == layer->step_axis ? &layer->step : &layer->tasks.axis[t];
}

// Elements per tile that the reader's tiles span of the value's axis I.
static int64_t tile_span(const wf_layer *layer, const wf_read *read, int i)
{
    const wf_grid_axis *tiles = reader_tiles(layer, read, i);
    int64_t step = read->map.step[i] < 0 ? -read->map.step[i] : read->map.step[i];
    int64_t extent = tiles->nblock ? (tiles->dim + tiles->nblock - 1) / tiles->nblock : 1;
    if (tiles->extent > 0) extent = tiles->extent < tiles->dim ? tiles->extent : tiles->dim;
    return step * (extent - 1) + 1;
}

static int64_t largest(const wf_grid_axis *a)
{
    return a->cuts ? (a->dim + a->nblock - 1) / a->nblock : a->extent < a->dim ? a->extent : a->dim;
}

// An exchange in the making: the value's axes that will be cut, and every how many tiles of the
// reader.
typedef struct exchange {
    wf_layer *layer;  // the reader
    const wf_read *read;
    wf_value *value;
    bool cut[WEFT_MAX_NDIM];
    int64_t group[WEFT_MAX_NDIM];
} exchange;

static int64_t piece_extent(const exchange *x, int i)
{
    int64_t have = largest(&x->value->grid.axis[i]);
    int64_t want = x->cut[i] ? x->group[i] * tile_span(x->layer, x->read, i) : have;
    return want < have ? want : have;
}

static int64_t piece_bytes(const exchange *x)
{
    int64_t n = (int64_t)wf_dtype_size(x->value->dtype);
    for (int i = 0; i < x->value->shape.ndim; i++) n *= piece_extent(x, i);
    return n;
}

// What one task of the reader would have to hold: whole axes where blocks stay as they are and are
// crossed.
static int64_t window_after(const exchange *x, int64_t window)
{
    for (int i = 0; i < x->value->shape.ndim; i++)
        if (x->cut[i]) window = window / largest(&x->value->grid.axis[i]) * piece_extent(x, i);
    return window;
}

static bool choose_axes(exchange *x)
{
    bool any = false;
    for (int i = 0; i < x->value->shape.ndim; i++) {
        x->group[i] = 1;
        x->cut[i] = x->read->map.axis[i] >= 0 &&
                    4 * tile_span(x->layer, x->read, i) <= 3 * largest(&x->value->grid.axis[i]);
        any |= x->cut[i];
    }
    return any;
}

// Several tiles share a block while blocks are small and all that one task then pins is a fair part
// of memory.
static void choose_groups(exchange *x, int64_t window, int64_t share)
{
    for (bool grown = true; grown && piece_bytes(x) < PIECE;) {
        grown = false;
        for (int i = 0; i < x->value->shape.ndim && piece_bytes(x) < PIECE; i++) {
            if (!x->cut[i] || piece_extent(x, i) == largest(&x->value->grid.axis[i])) continue;
            x->group[i] *= 2;
            if (window_after(x, window) > share / 4) x->group[i] /= 2;
            else grown = true;
        }
    }
}

// A reader with steps may read a block once per step, so where blocks grow its steps grow with
// them; groups add in order whatever the steps.
static bool may_widen(const exchange *x, int i)
{
    return !x->cut[i] && (x->layer->step_axis < 0 || (x->layer->kind == WF_LAYER_GROUP &&
                                                      x->read->map.axis[i] == x->layer->step_axis));
}

static void follow_with_steps(const exchange *x, const wf_grid_axis *made, int i)
{
    wf_grid_axis *step = &x->layer->step;
    if (x->layer->step_axis < 0 || x->read->map.axis[i] != x->layer->step_axis || step->cuts)
        return;
    if (made->extent <= step->extent) return;
    step->extent = made->extent;
    step->nblock = (step->dim - 1) / step->extent + 1;
}

// Tasks of the layer that makes the value take several chunks at once, along axes where the reader
// wants them all, while pieces are small.
static void widen_tasks(const exchange *x, wf_layer *from, int64_t share)
{
    int64_t task = wf_grid_max_block(&from->tasks) * (int64_t)wf_dtype_size(x->value->dtype);
    int64_t piece = piece_bytes(x);
    for (int i = x->value->shape.ndim - 1; i >= 0; i--) {
        wf_grid_axis *a = &from->tasks.axis[i];
        while (may_widen(x, i) && !a->cuts && a->nblock > 1 && piece < PIECE &&
               2 * task <= share / 4) {
            a->extent *= 2;
            a->nblock = (a->dim - 1) / a->extent + 1;
            task *= 2;
            piece *= 2;
        }
        follow_with_steps(x, a, i);
    }
    from->ntask = wf_grid_nblock(&from->tasks);
}

// Where the K-th group of the reader's tiles begins on the value's axis I, ascending.
static int64_t group_edge(const exchange *x, int i, int64_t k)
{
    const wf_grid_axis *tiles = reader_tiles(x->layer, x->read, i);
    int64_t step = x->read->map.step[i], start = x->read->map.start[i], group = x->group[i];
    if (step > 0) return start + step * wf_axis_start(tiles, k * group);
    int64_t end = ((tiles->nblock - 1) / group - k + 1) * group;  // walked backwards
    return start + step * (wf_axis_start(tiles, end < tiles->nblock ? end : tiles->nblock) - 1);
}

// The edges of axis I: those of the tasks that make it, and of every group of the reader's tiles.
static weft_status cut_axis(const exchange *x, const wf_grid_axis *tasks, int i, wf_grid *out)
{
    int64_t ngroup = (reader_tiles(x->layer, x->read, i)->nblock - 1) / x->group[i] + 1;
    int64_t *extent = wf_calloc((size_t)(tasks->nblock + ngroup + 1), sizeof *extent);
    int64_t n = 0, at = 0, task = 1, k = 0;
    if (!extent) return WEFT_NO_MEMORY;
    while (at < tasks->dim) {
        int64_t next = wf_axis_start(tasks, task);
        while (k < ngroup && group_edge(x, i, k) <= at) k++;
        if (k < ngroup && group_edge(x, i, k) < next) next = group_edge(x, i, k);
        else task++;
        extent[n++] = next - at;
        at = next;
    }
    weft_status st = wf_grid_set_axis(out, i, n, extent);
    wf_free(extent);
    return st;
}

static weft_status cut_value(const exchange *x, const wf_layer *from)
{
    wf_grid grid = wf_grid_share(&from->tasks);
    weft_status st = WEFT_OK;
    for (int i = 0; i < grid.ndim && st == WEFT_OK; i++)
        if (x->cut[i]) st = cut_axis(x, &from->tasks.axis[i], i, &grid);
    if (st != WEFT_OK) {
        wf_grid_fini(&grid);
        return st;
    }
    wf_grid_fini(&x->value->grid);
    x->value->grid = grid;
    x->value->cut = true;
    return WEFT_OK;
}

static bool can_cut(const wf_plan *p, const wf_value *v)
{
    if (v->layer < 0 || v->keep || v->cut || wf_shape_size(&v->shape) == 0) return false;
    const wf_layer *from = &p->layer[v->layer];
    return (from->kind == WF_LAYER_SOURCE || from->kind == WF_LAYER_MAP) && from->nwrite == 1;
}

// Whether READ is worth an exchange: a task's window is more than it may hold; or, of a reader with
// steps, several tasks each walk the same blocks of a value that memory does not hold.
static bool is_wide(const wf_build *b, const exchange *x, int64_t window, int64_t share)
{
    int64_t bytes = wf_shape_size(&x->value->shape) * (int64_t)wf_dtype_size(x->value->dtype);
    if (x->layer->step_axis < 0) return window > share / 2;
    return bytes > b->opts->budget_all / 2;
}

weft_status wf_plan_exchange(wf_build *b)
{
    wf_plan *p = b->plan;
    int64_t share = b->opts->budget / (b->opts->slots / b->opts->ndevice + 1);
    for (int l = 0; l < p->nlayer; l++) {
        wf_layer *layer = &p->layer[l];
        if (!wf_layer_is_separable(layer)) continue;
        for (int r = 0; r < layer->nread; r++) {
            exchange x = { .layer = layer, .read = &layer->read[r] };
            x.value = &p->value[x.read->value];
            int64_t window = wf_read_window(layer, x.read, x.value);
            if (!can_cut(p, x.value) || !is_wide(b, &x, window, share) || !choose_axes(&x))
                continue;
            if (layer->step_axis < 0) choose_groups(&x, window, share);
            widen_tasks(&x, &p->layer[x.value->layer], share);
            WF_TRY(cut_value(&x, &p->layer[x.value->layer]));
        }
    }
    return WEFT_OK;
}
