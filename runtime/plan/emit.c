// SPDX-License-Identifier: Apache-2.0
// emit - from inlined nodes to programs. Emission runs from a layer's outputs toward its sources, carrying the affine map from the layer's
// iteration space to the node at hand. Where an array is made of parts (concat, pad, setitem, roll) and the box at hand straddles an edge, the box
// is cut there and both halves are emitted on their own: so a stencil inside an array's border is one program and the border another.
#include <string.h>

#include "plan/build.h"

enum { MEMO = 256, SPLIT = -2, HINTS = 3 };

typedef struct memo {
    int item, value;
    wf_map map;
} memo;

// Parts of ITEM before FIRST, seen through MAP, lie outside the box at hand: they were outside the
// box that it was cut from. Without this, concatenating n arrays would take n*n steps.
typedef struct hint {
    int item, first;
    wf_map map;
} hint;

// A box still to be emitted.
typedef struct task {
    wf_box box;
    int nhint;  // ever given; the latest HINTS are kept
    hint hint[HINTS];
} task;

typedef struct emitter {
    wf_build *b;
    wf_layer *layer;
    wf_program_builder *builder;
    wf_box box;  // of the iteration space being emitted
    task *task;
    int nmemo;
    memo *memo;
    int ninput;
    wf_part_input input[WF_PROGRAM_MAX_INPUTS];
    int nparam;
    int param[WF_PROGRAM_MAX_INSTRS];
    int split_axis;  // where to cut when emission answers SPLIT
    int64_t split_at;
    const int *out;  // items being made: expanded even though they are stored
    int nout;
} emitter;

static int emit(emitter *e, int item, const wf_map *map);

static bool is_output(const emitter *e, int item)
{
    if (e->layer->kind != WF_LAYER_MAP)
        return false;  // what a reduction consumes may well be stored
    for (int k = 0; k < e->nout; k++)
        if (e->out[k] == item) return true;
    return false;
}

static int add_input(emitter *e, bool counter, weft_dtype dtype, const wf_part_input *input)
{
    for (int i = 0; i < e->ninput; i++)
        if (memcmp(&e->input[i], input, sizeof *input) == 0) return wf_program_load(e->builder, i);
    if (e->ninput == WF_PROGRAM_MAX_INPUTS) {
        wf_fail(WEFT_UNSUPPORTED, "plan: one program may read at most %d operands",
                WF_PROGRAM_MAX_INPUTS);
        return -1;
    }
    int operand = wf_program_add_input(e->builder, counter, dtype);
    if (operand < 0) return -1;
    e->input[e->ninput++] = *input;
    return wf_program_load(e->builder, operand);
}

static int emit_load(emitter *e, int item, const wf_map *map)
{
    wf_item *it = &e->b->item[item];
    wf_part_input input = { 0 };
    int value, field = it->node->kind == WF_NODE_FIELD && !it->is_leaf ? it->node->field : 0;
    if (wf_item_value(e->b, item, field, &value) != WEFT_OK) return -1;
    wf_box all = wf_box_whole(&e->layer->shape);
    bool bounded = !wf_box_equal(&e->box, &all);
    if (wf_layer_add_read(e->layer, value, map, bounded ? &e->box : NULL, true, &input.read) !=
        WEFT_OK)
        return -1;
    return add_input(e, false, (weft_dtype)it->node->dtype, &input);
}

// A parameter of the plan as parameter of this program. COUNT consecutive ones; returns the first.
static int bind_params(emitter *e, int first, int count)
{
    for (int i = 0; i + count <= e->nparam; i++)
        if (e->param[i] == first && (count == 1 || e->param[i + count - 1] == first + count - 1))
            return i;
    if (e->nparam + count > WF_PROGRAM_MAX_INSTRS) return -1;
    int at = e->nparam;
    for (int k = 0; k < count; k++) {
        if (wf_program_add_param(e->builder) < 0) return -1;
        e->param[e->nparam++] = first + k;
    }
    return at;
}

static int emit_scalar(emitter *e, int item)
{
    const wf_item *it = &e->b->item[item];
    weft_dtype dtype = (weft_dtype)it->node->dtype;
    int p = bind_params(e, it->param, 1);
    return p < 0 ? -1 : wf_program_param(e->builder, p, wf_dtype_compute(dtype));
}

// The affine function origin + sum stride*coordinate of a node's own coordinates, seen through MAP from the iteration space.
static int emit_counter(emitter *e, int64_t origin, const int64_t *stride, const wf_map *map)
{
    wf_part_input input = { .read = -1, .origin = origin };
    for (int i = 0; i < map->ndim; i++) {
        input.origin += stride[i] * map->start[i];
        if (map->axis[i] >= 0) input.stride[map->axis[i]] += stride[i] * map->step[i];
    }
    return add_input(e, true, WEFT_INT64, &input);
}

static int emit_random(emitter *e, int item, const wf_map *map)
{
    const wf_item *it = &e->b->item[item];
    const wf_node *n = it->node;
    int64_t stride[WEFT_MAX_NDIM], run = 1;
    for (int i = n->shape.ndim - 1; i >= 0; i--) {
        stride[i] = run;
        run *= n->shape.dim[i];
    }
    int counter = emit_counter(e, 0, stride, map);
    int first = counter < 0 ? -1 : bind_params(e, it->param, wf_node_param_count(n));
    return first < 0 ? -1
                     : wf_program_random(e->builder, (wf_instr_kind)n->op, (weft_dtype)n->dtype,
                                         counter, first);
}

static int emit_map(emitter *e, int item, const wf_map *map)
{
    const wf_item *it = &e->b->item[item];
    const wf_node *n = it->node;
    int args[3] = { 0 };
    weft_dtype computed = WEFT_BOOL;
    for (int k = 0; k < n->nin; k++) {
        const wf_node *in = e->b->item[it->in[k]].node;
        args[k] = emit(e, it->in[k], map);
        if (args[k] < 0) return args[k];
        if (n->op != WF_OP_WHERE || k > 0) computed = (weft_dtype)in->dtype;
    }
    return wf_program_map(e->builder, (wf_op)n->op, computed, args);
}

// Which side of a part the current box lies on, along the iteration axis that feeds node axis I: 1 inside, 0 outside, SPLIT across (then the
// cut is recorded).
static int side_of(emitter *e, const wf_map *map, const wf_box *part, int i)
{
    int t = map->axis[i];
    int64_t lo = part->start[i], hi = lo + part->count[i], a, b;
    if (t < 0) return map->start[i] >= lo && map->start[i] < hi;
    int64_t from = e->box.start[t], to = from + e->box.count[t];
    wf_map_preimage(map, i, lo, hi, to, &a, &b);
    if (a < from) a = from;
    if (a >= b) return 0;
    if (a == from && b == to) return 1;
    e->split_axis = t;
    e->split_at = a > from ? a : b;
    return SPLIT;
}

static hint *find_hint(emitter *e, int item, const wf_map *map)
{
    for (int i = 0; i < HINTS && i < e->task->nhint; i++) {
        hint *h = &e->task->hint[i];
        if (h->item == item && memcmp(&h->map, map, sizeof *map) == 0) return h;
    }
    return NULL;
}

static void give_hint(emitter *e, int item, const wf_map *map, int first)
{
    hint *h = find_hint(e, item, map);
    if (!h) h = &e->task->hint[e->task->nhint++ % HINTS];
    *h = (hint){ .item = item, .first = first, .map = *map };
}

static int emit_parts(emitter *e, int item, const wf_map *map)
{
    const wf_item *it = &e->b->item[item];
    const wf_node *n = it->node;
    const hint *known = n->npart > 8 ? find_hint(e, item, map) : NULL;
    for (int p = known ? known->first : 0; p < n->npart; p++) {
        int inside = 1, cut = 0;
        for (int i = 0; i < n->shape.ndim && inside; i++) {
            int side = side_of(e, map, &n->part[p].box, i);
            if (side == SPLIT) cut = SPLIT;
            else inside = side;
        }
        if (!inside) continue;
        if (cut && n->npart > 8) give_hint(e, item, map, p);
        if (cut) return SPLIT;
        if (n->part[p].operand < 0) return emit(e, it->in[n->nin - 1], map);
        wf_map through = wf_map_compose(map, &n->part[p].map);
        return emit(e, it->in[n->part[p].operand], &through);
    }
    wf_fail(WEFT_INTERNAL, "plan: the parts of %s do not cover it",
            n->label ? n->label : "an array");
    return -1;
}

static int emit_node(emitter *e, int item, const wf_map *map)
{
    const wf_item *it = &e->b->item[item];
    const wf_node *n = it->node;
    if (n->kind == WF_NODE_SCALAR && !it->is_leaf) return emit_scalar(e, item);
    if (it->is_leaf || (it->stored && !it->remade && !is_output(e, item)))
        return emit_load(e, item, map);
    switch (n->kind) {
    case WF_NODE_COUNTER: return emit_counter(e, n->scalar.i, n->stride, map);
    case WF_NODE_RANDOM: return emit_random(e, item, map);
    case WF_NODE_MAP: return emit_map(e, item, map);
    case WF_NODE_PARTS: return emit_parts(e, item, map);
    case WF_NODE_RECHUNK: return emit(e, it->in[0], map);
    case WF_NODE_CAST: {
        int value = emit(e, it->in[0], map);
        return value < 0 ? value : wf_program_cast(e->builder, value, (weft_dtype)n->dtype);
    }
    case WF_NODE_VIEW: {
        wf_map through = wf_map_compose(map, n->map);
        return emit(e, it->in[0], &through);
    }
    default:
        wf_fail(WEFT_INTERNAL, "plan: a %s node cannot be part of a program",
                wf_node_kind_name((wf_node_kind)n->kind));
        return -1;
    }
}

static int emit(emitter *e, int item, const wf_map *map)
{
    for (int i = 0; i < e->nmemo; i++)
        if (e->memo[i].item == item && memcmp(&e->memo[i].map, map, sizeof *map) == 0)
            return e->memo[i].value;
    int value = emit_node(e, item, map);
    if (value >= 0 && e->nmemo < MEMO)
        e->memo[e->nmemo++] = (memo){ .item = item, .value = value, .map = *map };
    return value;
}

// The program of one box, or SPLIT.
static weft_status emit_box(emitter *e, const weft_dtype *storage, bool *split, wf_layer_part *part)
{
    *split = false;
    e->nmemo = e->ninput = e->nparam = 0;
    WF_TRY(wf_program_builder_create(&e->builder));
    weft_status st = WEFT_OK;
    wf_map whole = wf_map_identity(e->layer->shape.ndim);
    for (int k = 0; k < e->nout && st == WEFT_OK && !*split; k++) {
        int value = emit(e, e->out[k], &whole);
        if (value == SPLIT) *split = true;
        else if (value < 0) st = wf_last_status();
        else st = wf_program_store(e->builder, value, storage[k]);
    }
    if (st != WEFT_OK || *split) {
        wf_program_builder_destroy(e->builder);
        return st;
    }
    WF_TRY(wf_program_build(e->builder, &part->program));
    part->box = e->box;
    part->input = wf_calloc((size_t)e->ninput, sizeof *part->input);
    part->param = wf_calloc((size_t)e->nparam, sizeof *part->param);
    if (!part->input || !part->param) return WEFT_NO_MEMORY;
    memcpy(part->input, e->input, (size_t)e->ninput * sizeof *part->input);
    memcpy(part->param, e->param, (size_t)e->nparam * sizeof *part->param);
    return WEFT_OK;
}

// The two halves of a box that was split, each knowing what was learnt of the whole.
static weft_status push_halves(emitter *e, task **todo, int64_t *depth, int64_t *capacity)
{
    task whole = *e->task;
    if (*depth + 2 > *capacity) WF_TRY(wf_grow(todo, capacity, *depth + 2, sizeof **todo));
    task *high = &(*todo)[(*depth)++], *low = &(*todo)[(*depth)++];
    *high = *low = whole;
    low->box.count[e->split_axis] = e->split_at - low->box.start[e->split_axis];
    high->box.start[e->split_axis] = e->split_at;
    high->box.count[e->split_axis] -= low->box.count[e->split_axis];
    return WEFT_OK;
}

static weft_status emit_all(emitter *e, const weft_dtype *storage, task **todo, int64_t *capacity)
{
    wf_layer *layer = e->layer;
    int64_t depth = 1, parts = 0;
    while (depth > 0) {
        task at = (*todo)[--depth];
        bool split;
        e->task = &at;
        e->box = at.box;
        if (layer->npart == parts)
            WF_TRY(wf_grow(&layer->part, &parts, layer->npart + 1, sizeof *layer->part));
        wf_layer_part *part = &layer->part[layer->npart];
        memset(part, 0, sizeof *part);
        int reads = layer->nread;
        weft_status st = emit_box(e, storage, &split, part);
        if (part->program) layer->npart++;
        if (st != WEFT_OK) return st;
        if (!split) continue;
        layer->nread = reads;  // what the abandoned attempt asked for
        WF_TRY(push_halves(e, todo, &depth, capacity));
    }
    return WEFT_OK;
}

weft_status wf_emit_parts(wf_build *b, wf_layer *layer, int nout, const int *out,
                          const weft_dtype *storage)
{
    int64_t capacity = 0;
    task *todo = NULL;
    emitter *e = wf_alloc(sizeof *e);
    memo *notes = wf_calloc(MEMO, sizeof *notes);
    weft_status st = e && notes ? wf_grow(&todo, &capacity, 4, sizeof *todo) : WEFT_NO_MEMORY;
    if (st == WEFT_OK) {
        *e = (emitter){ .b = b, .layer = layer, .memo = notes, .nout = nout, .out = out };
        todo[0] = (task){ .box = wf_box_whole(&layer->shape) };
        st = emit_all(e, storage, &todo, &capacity);
    }
    wf_free(todo);
    wf_free(notes);
    wf_free(e);
    return st;
}
