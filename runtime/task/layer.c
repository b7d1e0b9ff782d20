// SPDX-License-Identifier: Apache-2.0
// layer - the arithmetic of symbolic task spaces.
#include "task/layer.h"

#include <string.h>

void wf_layer_fini(wf_layer *layer)
{
    for (int p = 0; p < layer->npart; p++) {
        wf_program_destroy(layer->part[p].program);
        wf_free(layer->part[p].input);
        wf_free(layer->part[p].param);
    }
    wf_free(layer->part);
    wf_free(layer->read);
    wf_free(layer->write);
    wf_free(layer->reducer);
    wf_free(layer->table);
    wf_free(layer->blocks);
    wf_free(layer->label);
    wf_grid step = { .ndim = 1, .axis = { layer->step } };
    if (layer->kind == WF_LAYER_GROUP) wf_grid_fini(&step);
    wf_grid_fini(&layer->tasks);
    memset(layer, 0, sizeof *layer);
}

const char *wf_layer_kind_name(wf_layer_kind kind)
{
    static const char *const names[] = { "map",     "reduce", "combine", "scan",  "contract",
                                         "reshape", "take",   "compact", "group", "bincount",
                                         "call",    "source", "sink" };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

// The sampled coordinates of source axis I when the target runs over BOX: an interval of target coordinates per block. A block counts
// when its preimage meets the box.
static bool axis_touches(const wf_read *read, const wf_grid_axis *axis, int i, int64_t block,
                         const wf_box *box)
{
    int64_t lo = wf_axis_start(axis, block), hi = wf_axis_start(axis, block + 1), a, b;
    int t = read->map.axis[i];
    if (t < 0) return read->map.start[i] >= lo && read->map.start[i] < hi;
    int64_t end = box->start[t] + box->count[t];
    wf_map_preimage(&read->map, i, lo, hi, end, &a, &b);
    if (a < box->start[t]) a = box->start[t];
    return a < b;
}

bool wf_read_range(const wf_layer *layer, const wf_read *read, const wf_value *value,
                   const wf_box *box, int64_t *first, int64_t *count)
{
    (void)layer;
    wf_box inside = *box, image;
    if (read->bounded && !wf_box_intersect(box, &read->box, &inside)) return false;
    wf_map_image(&read->map, &inside, &image);
    for (int i = 0; i < value->shape.ndim; i++) {
        if (image.count[i] <= 0) return false;
        first[i] = wf_axis_find(&value->grid.axis[i], image.start[i]);
        count[i] =
            wf_axis_find(&value->grid.axis[i], image.start[i] + image.count[i] - 1) - first[i] + 1;
    }
    return true;
}

static weft_status push(wf_block_refs *refs, int read, int value, int64_t block)
{
    if (refs->count == refs->capacity)
        WF_TRY(wf_grow(&refs->item, &refs->capacity, refs->count + 1, sizeof *refs->item));
    refs->item[refs->count++] = (wf_block_ref){ .read = read, .value = value, .block = block };
    return WEFT_OK;
}

// Every block of a box of block coordinates that passes the per-axis test.
static weft_status push_range(const wf_read *read, int number, const wf_value *value,
                              const wf_box *box, const int64_t *first, const int64_t *count,
                              wf_block_refs *out)
{
    int nd = value->shape.ndim;
    int64_t coord[WEFT_MAX_NDIM] = { 0 }, at[WEFT_MAX_NDIM];
    wf_box inside = *box;
    if (read->bounded) (void)wf_box_intersect(box, &read->box, &inside);
    for (;;) {
        bool touched = true;
        for (int i = 0; i < nd && touched; i++) {
            at[i] = first[i] + coord[i];
            touched = axis_touches(read, &value->grid.axis[i], i, at[i], &inside);
        }
        if (touched) WF_TRY(push(out, number, read->value, wf_grid_index(&value->grid, at)));
        int i = nd - 1;
        while (i >= 0 && ++coord[i] == count[i]) coord[i--] = 0;
        if (i < 0) return WEFT_OK;
    }
}

weft_status wf_layer_reads_box(const wf_layer *layer, const wf_value *values, const wf_box *box,
                               wf_block_refs *out)
{
    for (int r = 0; r < layer->nread; r++) {
        const wf_value *v = &values[layer->read[r].value];
        int64_t first[WEFT_MAX_NDIM], count[WEFT_MAX_NDIM];
        if (v->direct) continue;
        if (wf_read_range(layer, &layer->read[r], v, box, first, count))
            WF_TRY(push_range(&layer->read[r], r, v, box, first, count, out));
    }
    return WEFT_OK;
}

// A task of a RESHAPE is the linear range [begin, end) of elements; the source blocks are those of the smallest box that holds it.
static weft_status reads_reshape(const wf_layer *layer, const wf_value *values, const wf_box *box,
                                 wf_block_refs *out)
{
    const wf_value *v = &values[layer->read[0].value];
    if (v->direct) return WEFT_OK;
    int64_t begin = 0, n = wf_box_size(box);
    for (int i = 0; i < box->ndim; i++) begin = begin * layer->shape.dim[i] + box->start[i];
    if (n == 0) return WEFT_OK;

    int nd = v->shape.ndim;
    int64_t lo[WEFT_MAX_NDIM], hi[WEFT_MAX_NDIM], a = begin, b = begin + n - 1;
    for (int i = nd - 1; i >= 0; i--) {
        lo[i] = a % v->shape.dim[i];
        hi[i] = b % v->shape.dim[i];
        a /= v->shape.dim[i];
        b /= v->shape.dim[i];
    }
    wf_read whole = { .map = wf_map_identity(nd) };
    whole.value = layer->read[0].value;
    wf_box span = { .ndim = nd };
    bool split = false;
    for (int i = 0; i < nd; i++) {
        span.start[i] = split ? 0 : lo[i];
        span.count[i] = split ? v->shape.dim[i] : hi[i] - lo[i] + 1;
        split |= !split && hi[i] != lo[i];
    }
    int64_t first[WEFT_MAX_NDIM], count[WEFT_MAX_NDIM];
    if (!wf_read_range(layer, &whole, v, &span, first, count)) return WEFT_OK;
    return push_range(&whole, 0, v, &span, first, count, out);
}

// The blocks that the list names along the axis, and those that the box meets along the others, in ascending order: they are searched.
static weft_status reads_take(const wf_layer *layer, const wf_value *values, int64_t task,
                              const wf_box *box, wf_block_refs *out)
{
    const wf_value *v = &values[layer->read[0].value];
    int64_t coord[WEFT_MAX_NDIM], first[WEFT_MAX_NDIM], count[WEFT_MAX_NDIM], at[WEFT_MAX_NDIM];
    int nd = v->shape.ndim, axis = layer->axis;
    if (v->direct) return WEFT_OK;
    wf_grid_coord(&layer->tasks, task, coord);
    const int64_t *listed = layer->blocks + layer->table[coord[axis]];
    int64_t nlisted = layer->table[coord[axis] + 1] - layer->table[coord[axis]];

    wf_read whole = { .value = layer->read[0].value, .map = wf_map_identity(nd) };
    wf_box inside = *box;
    inside.start[axis] = 0;
    inside.count[axis] = v->shape.dim[axis];
    if (nlisted == 0 || !wf_read_range(layer, &whole, v, &inside, first, count)) return WEFT_OK;
    count[axis] = nlisted;
    memset(coord, 0, sizeof coord);
    for (int i = nd; i >= 0;) {
        for (i = 0; i < nd; i++) at[i] = i == axis ? listed[coord[i]] : first[i] + coord[i];
        WF_TRY(push(out, 0, layer->read[0].value, wf_grid_index(&v->grid, at)));
        for (i = nd - 1; i >= 0 && ++coord[i] == count[i];) coord[i--] = 0;
    }
    return WEFT_OK;
}

static weft_status reads_compact(const wf_layer *layer, const wf_value *values, int64_t task,
                                 wf_block_refs *out)
{
    wf_box box = { .ndim = 1,
                   .start = { layer->table[2 * task] },
                   .count = { layer->table[2 * task + 1] - layer->table[2 * task] } };
    return wf_layer_reads_box(layer, values, &box, out);
}

static weft_status reads_scan(const wf_layer *layer, const wf_value *values, int64_t task,
                              const wf_box *box, wf_block_refs *out)
{
    WF_TRY(wf_layer_reads_box(layer, values, box, out));
    int64_t coord[WEFT_MAX_NDIM];
    wf_grid_coord(&layer->tasks, task, coord);
    if (coord[layer->axis] == 0) return WEFT_OK;
    coord[layer->axis]--;
    return push(out, -1, layer->carry, wf_grid_index(&layer->tasks, coord));
}

weft_status wf_layer_reads(const wf_layer *layer, const wf_value *values, int64_t task,
                           wf_block_refs *out)
{
    wf_box box;
    wf_layer_box(layer, task, &box);
    switch (layer->kind) {
    case WF_LAYER_RESHAPE: return reads_reshape(layer, values, &box, out);
    case WF_LAYER_TAKE: return reads_take(layer, values, task, &box, out);
    case WF_LAYER_COMPACT: return reads_compact(layer, values, task, out);
    case WF_LAYER_SCAN: return reads_scan(layer, values, task, &box, out);
    default: return wf_layer_reads_box(layer, values, &box, out);
    }
}

bool wf_layer_is_separable(const wf_layer *layer)
{
    return layer->kind != WF_LAYER_RESHAPE && layer->kind != WF_LAYER_TAKE &&
           layer->kind != WF_LAYER_COMPACT;
}

// Tiles of iteration axis T that meet the interval [lo, hi).
static int64_t tiles_meeting(const wf_layer *layer, int t, int64_t lo, int64_t hi)
{
    if (lo >= hi) return 0;
    return wf_axis_find(&layer->tasks.axis[t], hi - 1) - wf_axis_find(&layer->tasks.axis[t], lo) +
           1;
}

static int64_t read_count(const wf_layer *layer, const wf_read *read, const wf_value *value,
                          const int64_t *coord)
{
    int64_t n = 1;
    bool used[WEFT_MAX_NDIM] = { false };
    for (int i = 0; i < value->shape.ndim; i++) {
        const wf_grid_axis *axis = &value->grid.axis[i];
        int64_t lo = wf_axis_start(axis, coord[i]), hi = wf_axis_start(axis, coord[i] + 1), a, b;
        int t = read->map.axis[i];
        if (t < 0) {
            if (read->map.start[i] < lo || read->map.start[i] >= hi) return 0;
            continue;
        }
        used[t] = true;
        wf_map_preimage(&read->map, i, lo, hi, layer->shape.dim[t], &a, &b);
        if (read->bounded) {
            if (a < read->box.start[t]) a = read->box.start[t];
            if (b > read->box.start[t] + read->box.count[t])
                b = read->box.start[t] + read->box.count[t];
        }
        n *= tiles_meeting(layer, t, a, b);
    }
    for (int t = 0; t < layer->shape.ndim; t++) {
        if (used[t]) continue;
        int64_t lo = read->bounded ? read->box.start[t] : 0;
        int64_t hi = read->bounded ? lo + read->box.count[t] : layer->shape.dim[t];
        n *= tiles_meeting(layer, t, lo, hi);
    }
    return n;
}

int64_t wf_layer_reader_count(const wf_layer *layer, const wf_value *values, int value,
                              int64_t block)
{
    const wf_value *v = &values[value];
    int64_t coord[WEFT_MAX_NDIM], n = 0;
    wf_grid_coord(&v->grid, block, coord);
    if (layer->kind == WF_LAYER_SCAN && value == layer->carry)
        return coord[layer->axis] + 1 < layer->tasks.axis[layer->axis].nblock ? 1 : 0;
    for (int r = 0; r < layer->nread; r++)
        if (layer->read[r].value == value) n += read_count(layer, &layer->read[r], v, coord);
    return n;
}

// Per axis the first block of VALUE in the box of TASK, and how many.
static void write_range(const wf_layer *layer, const wf_value *value, int64_t task, int64_t *first,
                        int64_t *count)
{
    wf_box box;
    wf_layer_box(layer, task, &box);
    for (int a = 0; a < box.ndim; a++) {
        const wf_grid_axis *axis = &value->grid.axis[a];
        first[a] = wf_axis_find(axis, box.start[a]);
        count[a] = wf_axis_find(axis, box.start[a] + box.count[a] - 1) - first[a] + 1;
    }
}

int64_t wf_layer_write_count(const wf_layer *layer, const wf_value *value, int64_t task)
{
    int64_t first[WEFT_MAX_NDIM], count[WEFT_MAX_NDIM], n = 1;
    if (!value->cut) return 1;
    write_range(layer, value, task, first, count);
    for (int a = 0; a < layer->shape.ndim; a++) n *= count[a];
    return n;
}

int64_t wf_layer_write_block(const wf_layer *layer, const wf_value *value, int64_t task, int64_t k)
{
    int64_t first[WEFT_MAX_NDIM], count[WEFT_MAX_NDIM];
    if (!value->cut) return task;
    write_range(layer, value, task, first, count);
    for (int a = layer->shape.ndim - 1; a >= 0; a--) {
        first[a] += k % count[a];
        k /= count[a];
    }
    return wf_grid_index(&value->grid, first);
}

int64_t wf_layer_writer(const wf_layer *layer, const wf_value *value, int64_t block)
{
    wf_box box;
    if (!value->cut) return block;
    wf_grid_box(&value->grid, block, &box);
    for (int a = 0; a < box.ndim; a++)
        box.start[a] = wf_axis_find(&layer->tasks.axis[a], box.start[a]);
    return wf_grid_index(&layer->tasks, box.start);
}

bool wf_layer_is_plain_load(const wf_layer *layer)
{
    if (layer->npart != 1) return false;
    const wf_layer_part *part = &layer->part[0];
    const wf_program *p = part->program;
    return p->ninstr == 1 && p->noutput == 1 && p->instr[0].kind == WF_INSTR_LOAD &&
           part->input[0].read >= 0 && p->input[0].dtype == p->output[0].dtype;
}
