// SPDX-License-Identifier: Apache-2.0
// lower - groups of nodes to symbolic layers: one function per kind of layer.
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"

weft_status wf_plan_add_value(wf_build *b, weft_dtype dtype, const wf_grid *grid, int layer,
                              int *out)
{
    wf_plan *p = b->plan;
    if (p->nvalue == b->value_capacity)
        WF_TRY(wf_grow(&p->value, &b->value_capacity, p->nvalue + 1, sizeof *p->value));
    wf_value *v = &p->value[p->nvalue];
    memset(v, 0, sizeof *v);
    v->dtype = dtype;
    v->grid = wf_grid_share(grid);
    v->shape = wf_grid_shape(grid);
    v->layer = layer;
    v->leaf = -1;
    *out = p->nvalue++;
    return WEFT_OK;
}

weft_status wf_plan_add_layer(wf_build *b, wf_layer_kind kind, const wf_node *node, wf_layer **out,
                              int *number)
{
    wf_plan *p = b->plan;
    if (p->nlayer == b->layer_capacity)
        WF_TRY(wf_grow(&p->layer, &b->layer_capacity, p->nlayer + 1, sizeof *p->layer));
    wf_layer *l = &p->layer[p->nlayer];
    memset(l, 0, sizeof *l);
    l->kind = kind;
    l->step_axis = l->axis = l->carry = l->list = l->leaf = -1;
    l->name = wf_layer_kind_name(kind);
    l->site = node ? node->site : NULL;
    if (node && node->label && !(l->label = wf_strdup(node->label))) return WEFT_NO_MEMORY;
    *number = p->nlayer++;
    *out = l;
    return WEFT_OK;
}

weft_status wf_layer_add_read(wf_layer *layer, int value, const wf_map *map, const wf_box *box,
                              bool share, int *out)
{
    for (int r = 0; r < layer->nread && share; r++) {
        wf_read *have = &layer->read[r];
        if (have->value != value || have->bounded != (box != NULL) ||
            memcmp(&have->map, map, sizeof *map) != 0)
            continue;
        if (box && !wf_box_equal(&have->box, box)) continue;
        *out = r;
        return WEFT_OK;
    }
    if ((layer->nread & (layer->nread - 1)) == 0 || !layer->read) {  // grown in powers of two
        wf_read *grown =
            wf_realloc(layer->read, (size_t)(layer->nread ? 2 * layer->nread : 1) * sizeof *grown);
        if (!grown) return WEFT_NO_MEMORY;
        layer->read = grown;
    }
    layer->read[layer->nread] = (wf_read){ .value = value, .map = *map, .bounded = box != NULL };
    if (box) layer->read[layer->nread].box = *box;
    *out = layer->nread++;
    return WEFT_OK;
}

weft_status wf_layer_add_write(wf_layer *layer, int value)
{
    int *grown = wf_realloc(layer->write, (size_t)(layer->nwrite + 1) * sizeof *grown);
    if (!grown) return WEFT_NO_MEMORY;
    layer->write = grown;
    layer->write[layer->nwrite++] = value;
    return WEFT_OK;
}

static void set_tasks(wf_layer *layer, wf_grid *tasks)  // takes
{
    layer->tasks = *tasks;
    layer->shape = wf_grid_shape(tasks);
    layer->ntask = wf_grid_nblock(tasks);
    memset(tasks, 0, sizeof *tasks);
}

static int64_t item_size(const wf_build *b, int item)
{
    return (int64_t)wf_dtype_size((weft_dtype)b->item[item].node->dtype);
}

// A chunked leaf needs a layer that reads it. A large one read by layers that wait for each other is read once per layer: reading again is
// cheaper than spilling all of it between them.
static weft_status source_value(wf_build *b, int item, int *out)
{
    wf_item *it = &b->item[item];
    const wf_object *object = it->node->result ? it->node->result : it->node->object;
    const wf_leaf_header *h = wf_object_header(object);
    int value;
    WF_TRY(wf_plan_add_value(b, h->dtype, &h->grid, -1, &value));
    wf_value *v = &b->plan->value[value];
    v->leaf = it->leaf;
    v->direct = h->direct && b->opts->host_visible;
    *out = value;
    if (v->direct || h->blocks) {
        it->value[0] = value;
        return WEFT_OK;
    }
    v->leaf = -1;
    wf_layer *layer;
    int number;
    WF_TRY(wf_plan_add_layer(b, WF_LAYER_SOURCE, it->node, &layer, &number));
    wf_grid tasks = wf_grid_share(&h->grid);
    set_tasks(layer, &tasks);
    layer->leaf = it->leaf;
    layer->cost = 0;
    b->plan->value[value].layer = number;
    int64_t bytes = wf_shape_size(&h->shape) * (int64_t)wf_dtype_size(h->dtype);
    if (bytes <= b->opts->budget_all / 4) it->value[0] = value;
    return wf_layer_add_write(layer, value);
}

weft_status wf_item_value(wf_build *b, int item, int field, int *out)
{
    wf_item *it = &b->item[item];
    if (it->value[0] >= 0 && (it->is_leaf || it->node->kind != WF_NODE_FIELD)) {
        *out = it->value[0];
        return WEFT_OK;
    }
    if (!it->is_leaf && it->node->kind == WF_NODE_FIELD) {
        const wf_item *reduce = &b->item[it->in[0]];
        *out = reduce->value[field];
        return *out >= 0 ? WEFT_OK
                         : wf_fail(WEFT_INTERNAL,
                                   "plan: a field is read before its reduction is lowered");
    }
    if (it->is_leaf) return source_value(b, item, out);
    return wf_fail(WEFT_INTERNAL, "plan: a %s is read before it is lowered",
                   wf_node_kind_name((wf_node_kind)it->node->kind));
}

static weft_status read_operand(wf_build *b, wf_layer *layer, int item, const wf_map *before,
                                int *out)
{
    wf_map map;
    int stored = wf_resolve_read(b, item, &map), value, read;
    if (stored < 0)
        return wf_fail(WEFT_INTERNAL, "plan: an operand of %s has no blocks", layer->name);
    const wf_node *n = b->item[stored].node;
    // Making a source layer may move the array of layers, so the caller passes a layer that is not in it yet.
    WF_TRY(wf_item_value(
        b, stored, n->kind == WF_NODE_FIELD && !b->item[stored].is_leaf ? n->field : 0, &value));
    if (before) map = wf_map_compose(before, &map);
    WF_TRY(wf_layer_add_read(layer, value, &map, NULL, false, &read));
    if (out) *out = read;
    return WEFT_OK;
}

// A layer is put together aside and moved into the plan when it is complete, because its operands may add source layers first.
static weft_status commit(wf_build *b, wf_layer *draft, const wf_node *node, int *number)
{
    wf_layer *layer;
    WF_TRY(wf_plan_add_layer(b, draft->kind, node, &layer, number));
    char *label = layer->label;
    *layer = *draft;
    layer->label = label;
    layer->site = node->site;
    memset(draft, 0, sizeof *draft);
    return WEFT_OK;
}

static weft_status add_output(wf_build *b, wf_layer *layer, weft_dtype dtype, const wf_grid *grid,
                              int *value)
{
    WF_TRY(wf_plan_add_value(b, dtype, grid, -1, value));
    return wf_layer_add_write(layer, *value);
}

static void own_outputs(wf_build *b, int number)
{
    wf_layer *l = &b->plan->layer[number];
    for (int k = 0; k < l->nwrite; k++) b->plan->value[l->write[k]].layer = number;
}

static wf_layer draft_layer(wf_layer_kind kind, const char *name)
{
    return (wf_layer){
        .kind = kind, .name = name, .step_axis = -1, .axis = -1, .carry = -1, .list = -1, .leaf = -1
    };
}

static int64_t widest(const wf_build *b, const wf_layer *layer, int64_t bytes)
{
    for (int r = 0; r < layer->nread; r++) {
        int64_t w = (int64_t)wf_dtype_size(b->plan->value[layer->read[r].value].dtype);
        if (w > bytes) bytes = w;
    }
    return bytes;
}

static const char *map_name(const wf_node *n)
{
    return n->kind == WF_NODE_MAP ? wf_op_name((wf_op)n->op)
                                  : wf_node_kind_name((wf_node_kind)n->kind);
}

// Two large operands of which one is walked across the rows (x + x.T) want square tiles; so do readers of chunked data.
static bool is_crossed(const wf_layer *layer)
{
    int last = layer->shape.ndim - 1;
    bool along = false, across = false;
    for (int r = 0; r < layer->nread; r++) {
        const wf_map *m = &layer->read[r].map;
        if (m->ndim < 2 || m->axis[m->ndim - 1] < 0) continue;
        if (m->axis[m->ndim - 1] == last) along = true;
        else across = true;
    }
    return across && (along || layer->nread == 1);
}

static void square(wf_grid *grid, const int64_t *cell)
{
    int nd = grid->ndim;
    if (nd < 2 || (cell && (cell[nd - 1] > 1 || cell[nd - 2] > 1024))) return;
    wf_grid_axis *row = &grid->axis[nd - 2], *col = &grid->axis[nd - 1];
    if (col->cuts || row->cuts || col->extent <= 1024 || row->dim < 512) return;
    int64_t area = col->extent * row->extent, side = 512;
    while (side * side * 4 <= area) side *= 2;
    int64_t unit = cell ? cell[nd - 2] : 1;
    row->extent = (side + unit - 1) / unit * unit;
    if (row->extent > row->dim) row->extent = row->dim;
    col->extent = side < col->dim ? side : col->dim;
    row->nblock = (row->dim - 1) / row->extent + 1;
    col->nblock = (col->dim - 1) / col->extent + 1;
}

static weft_status lower_map(wf_build *b, const wf_group *g, int *number)
{
    const wf_item *first = &b->item[g->member[0]];
    weft_dtype storage[16];
    wf_layer l = draft_layer(WF_LAYER_MAP, map_name(first->node));
    const wf_grid *natural;
    int value[16];
    l.shape = first->node->shape;
    int64_t bytes = 1;
    for (int k = 0; k < g->nmember; k++) {
        storage[k] = (weft_dtype)b->item[g->member[k]].node->dtype;
        if (item_size(b, g->member[k]) > bytes) bytes = item_size(b, g->member[k]);
    }
    weft_status st = wf_emit_parts(b, &l, g->nmember, g->member, storage);
    wf_grid tasks = { 0 };
    if (st == WEFT_OK) st = wf_item_grid(b, g->member[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, widest(b, &l, bytes), NULL);
        if (st == WEFT_OK && (first->square || is_crossed(&l))) square(&tasks, NULL);
    }
    if (st == WEFT_OK) set_tasks(&l, &tasks);
    for (int k = 0; k < g->nmember && st == WEFT_OK; k++)
        st = add_output(b, &l, storage[k], &l.tasks, &value[k]);
    if (st == WEFT_OK) st = commit(b, &l, first->node, number);
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    if (st != WEFT_OK) return st;
    for (int k = 0; k < g->nmember; k++) b->item[g->member[k]].value[0] = value[k];
    return WEFT_OK;
}

// Tiles of whole cells to blocks of partial results, where the tiles are irregular.
static weft_status cell_cuts(const wf_grid_axis *tiles, int64_t cell, wf_grid *grid, int axis)
{
    int64_t *extent = wf_calloc((size_t)tiles->nblock, sizeof *extent);
    if (!extent) return WEFT_NO_MEMORY;
    for (int64_t k = 0; k < tiles->nblock; k++)
        extent[k] = (tiles->cuts->edge[k + 1] + cell - 1) / cell - tiles->cuts->edge[k] / cell;
    weft_status st = wf_grid_set_axis(grid, axis, tiles->nblock, extent);
    wf_free(extent);
    return st;
}

// The grid of partial results: one element per cell, one block per tile.
static weft_status cell_grid(const wf_grid *tasks, const int64_t *cell, wf_grid *out)
{
    wf_grid g = wf_grid_share(tasks);
    weft_status st = WEFT_OK;
    for (int i = 0; i < g.ndim && st == WEFT_OK; i++) {
        wf_grid_axis *a = &g.axis[i];
        if (cell[i] <= 1) continue;
        a->dim = (a->dim + cell[i] - 1) / cell[i];
        a->extent = (a->extent + cell[i] - 1) / cell[i];
        if (a->cuts) st = cell_cuts(&tasks->axis[i], cell[i], &g, i);
    }
    if (st == WEFT_OK) *out = g;
    else wf_grid_fini(&g);
    return st;
}

static const char *const reduce_names[] = { "sum",     "prod",      "min",       "max",
                                            "fmin",    "fmax",      "any",       "all",
                                            "argmin",  "argmax",    "nanargmin", "nanargmax",
                                            "moments", "nanmoments" };

static weft_dtype field_dtype(const wf_node *n, int f)
{
    weft_dtype d = (weft_dtype)n->dtype;
    if (n->op >= WF_REDUCE_ARGMIN && n->op <= WF_REDUCE_NANARGMAX && f == 1) return WEFT_INT64;
    if ((n->op == WF_REDUCE_MOMENTS || n->op == WF_REDUCE_NANMOMENTS) && f != 1)
        return wf_dtype_real(d);
    return d;
}

static weft_status lower_reduce(wf_build *b, const wf_group *g, int *number)
{
    const wf_item *first = &b->item[g->member[0]];
    const wf_node *n = first->node;
    bool combine = n->nin > 1;
    wf_layer l = draft_layer(combine ? WF_LAYER_COMBINE : WF_LAYER_REDUCE, reduce_names[n->op]);
    l.shape = b->item[first->in[0]].node->shape;
    l.inner = n->inner;
    l.op = (uint8_t)n->op;
    l.dtype = (weft_dtype)n->dtype;
    wf_grid tasks = { 0 }, cells = { 0 };
    const wf_grid *natural;
    int out[16], nout = 0;
    weft_dtype storage[16];
    weft_status st = WEFT_OK;
    for (int i = 0; i < l.shape.ndim; i++) {
        l.cell[i] = n->cell[i];
        l.reduced[i] = n->cell[i] > 1;
    }
    l.reducer = wf_calloc((size_t)g->nmember, sizeof *l.reducer);
    if (!l.reducer) return WEFT_NO_MEMORY;
    l.nreducer = g->nmember;
    for (int k = 0; k < g->nmember; k++) {
        const wf_node *m = b->item[g->member[k]].node;
        int in = b->item[g->member[k]].in[0], o = 0;
        while (o < nout && out[o] != in) o++;
        if (o == nout) {
            out[nout] = in;
            storage[nout++] = wf_dtype_compute((weft_dtype)b->item[in].node->dtype);
        }
        l.reducer[k] = (wf_layer_reducer){
            .op = (uint8_t)m->op, .dtype = m->dtype, .output = (int16_t)o, .nfield = m->field
        };
    }
    if (combine)
        for (int k = 0; k < n->nin && st == WEFT_OK; k++)
            st = read_operand(b, &l, first->in[k], NULL, NULL);
    else st = wf_emit_parts(b, &l, nout, out, storage);

    if (st == WEFT_OK) st = wf_item_grid(b, first->in[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, widest(b, &l, (int64_t)wf_dtype_size(l.dtype)), l.cell);
        if (st == WEFT_OK && is_crossed(&l)) square(&tasks, l.cell);
    }
    if (st == WEFT_OK) st = cell_grid(&tasks, l.cell, &cells);
    if (st == WEFT_OK) set_tasks(&l, &tasks);
    for (int k = 0; k < g->nmember && st == WEFT_OK; k++)
        for (int f = 0; f < l.reducer[k].nfield && st == WEFT_OK; f++)
            st = add_output(b, &l, field_dtype(b->item[g->member[k]].node, f), &cells,
                            &l.reducer[k].value[f]);
    for (int k = 0; k < g->nmember && st == WEFT_OK; k++)
        for (int f = 0; f < l.reducer[k].nfield; f++)
            b->item[g->member[k]].value[f] = l.reducer[k].value[f];
    if (st == WEFT_OK) st = commit(b, &l, n, number);
    wf_grid_fini(&tasks);
    wf_grid_fini(&cells);
    wf_layer_fini(&l);
    return st;
}

static weft_status lower_scan(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l =
        draft_layer(WF_LAYER_SCAN, n->op == WF_SCAN_SUM ? "cumulative_sum" : "cumulative_prod");
    wf_grid tasks = { 0 }, carries = { 0 };
    const wf_grid *natural;
    l.axis = n->axis;
    l.op = (uint8_t)n->op;
    l.dtype = (weft_dtype)n->dtype;
    weft_status st = read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, item_size(b, g->member[0]), NULL);
    }
    if (st == WEFT_OK) {
        carries = wf_grid_share(&tasks);
        wf_grid_axis *a = &carries.axis[l.axis];
        if (a->cuts && __atomic_sub_fetch(&a->cuts->refs, 1, __ATOMIC_ACQ_REL) == 0)
            wf_free(a->cuts);
        *a = (wf_grid_axis){ .dim = a->nblock, .nblock = a->nblock, .extent = 1 };
        set_tasks(&l, &tasks);
        st = add_output(b, &l, l.dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = add_output(b, &l, l.dtype, &carries, &l.carry);
    if (st == WEFT_OK) st = commit(b, &l, n, number);
    wf_grid_fini(&tasks);
    wf_grid_fini(&carries);
    wf_layer_fini(&l);
    return st;
}

// Extents of one axis of a product: follow the operand's blocks, or a size that keeps a panel in
// cache. No slivers: for small products BLAS libraries have kernels that sum in another order, and
// bits are not to depend on how memory made us cut.
static int64_t product_extent(const wf_grid_axis *from, int64_t want)
{
    enum { SLIVER = 32 };
    int64_t e = from->cuts ? (from->dim + from->nblock - 1) / from->nblock : from->extent;
    if (from->nblock <= 1 || e > want) {
        int64_t parts = (from->dim + want - 1) / want;
        e = parts > 1 ? (from->dim + parts - 1) / parts : from->dim;
        if (e > 64) e = (e + 7) / 8 * 8;
        while (e > 64 && from->dim % e > 0 && from->dim % e < SLIVER) e -= 8;
    }
    return e > 0 ? e : 1;
}

// Rows of a thin product (matrix times vector), which streams the matrix: about 4 MiB of it a step,
// whatever memory and slots there are, for the same reason.
static int64_t thin_rows(int64_t rows, int64_t deep, int64_t item)
{
    int64_t e = ((int64_t)4 << 20) / item / (deep > 0 ? deep : 1) / 64 * 64;
    if (e < 64) e = 64;
    while (e > 64 && rows % e > 0 && rows % e < 32) e -= 4;
    return e < rows ? e : rows > 0 ? rows : 1;
}

// Operands that memory does not hold are read once for each row or column of tiles: the larger the
// tiles, the less often. As large as a slot's share has room for, beside a step of both operands
// twice (where they lie, and gathered); the steps stay as they are, and with them the bits.
static int64_t streamed_tile(const wf_build *b, const wf_layer *l, const wf_shape *shape,
                             int64_t want, int64_t step, int64_t item)
{
    int nb = shape->ndim - 3;
    int64_t share = b->opts->budget / (b->opts->slots / b->opts->ndevice + 1), bytes = 0;
    for (int r = 0; r < l->nread; r++) {
        const wf_value *v = &b->plan->value[l->read[r].value];
        bytes += v->direct ? 0 : wf_shape_size(&v->shape) * item;
    }
    if (bytes <= b->opts->budget_all) return want;
    while (4 * want * want * item + 8 * want * step * item <= share &&
           shape->dim[nb] / (2 * want) * (shape->dim[nb + 1] / (2 * want)) >= b->opts->slots)
        want *= 2;
    return want;
}

// Whole blocks of an operand, as many as the tile has room for.
static int64_t joined_extent(int64_t extent, int64_t want, int64_t dim)
{
    int64_t joined = want / extent > 1 ? extent * (want / extent) : extent;
    return joined < dim ? joined : dim > 0 ? dim : 1;
}

static weft_status lower_contract(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    int nb = n->shape.ndim - 2, space = nb + 3;  // iteration: batch..., m, n, k
    wf_layer l = draft_layer(WF_LAYER_CONTRACT, "matmul");
    wf_grid tasks = { 0 }, cut = { 0 };
    const wf_grid *ga, *gb;
    int64_t block[WEFT_MAX_NDIM];
    if (space > WEFT_MAX_NDIM)
        return wf_fail(WEFT_UNSUPPORTED, "matmul: at most %d axes, got %d", WEFT_MAX_NDIM - 1,
                       n->shape.ndim);

    wf_map ma = wf_map_identity(nb + 2), mb = wf_map_identity(nb + 2);
    ma.axis[nb + 1] = (int8_t)(nb + 2);
    mb.axis[nb] = (int8_t)(nb + 2);
    mb.axis[nb + 1] = (int8_t)(nb + 1);
    weft_status st = read_operand(b, &l, it->in[0], &ma, NULL);
    int second = -1;
    // The second operand may be the same array through the same map only when k, m and n agree; keep it a read of its own.
    if (st == WEFT_OK) st = read_operand(b, &l, it->in[1], &mb, &second);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[0], &ga);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[1], &gb);
    if (st != WEFT_OK) goto done;

    wf_shape shape = { .ndim = space };
    memcpy(shape.dim, n->shape.dim, (size_t)(nb + 2) * sizeof shape.dim[0]);
    shape.dim[nb + 2] = b->item[it->in[0]].node->shape.dim[nb + 1];
    for (int i = 0; i < nb; i++) block[i] = 1;
    // Tiles of about 1,024 by 1,024 at the usual target; smaller when memory makes the plan try again.
    int64_t want = 16, item = item_size(b, g->member[0]);
    while (want < 1024 && want * want * item * 2 <= b->target) want *= 2;
    if (b->opts->test) want = 16;
    // Not from memory or slots: where the sum over k is cut shows in its bits.
    int64_t deep = product_extent(&ga->axis[nb + 1], b->opts->test ? 16 : 1024);
    int64_t large = b->opts->test ? want : streamed_tile(b, &l, &shape, want, deep, item);
    block[nb] = product_extent(&ga->axis[nb], large);
    block[nb + 1] = product_extent(&gb->axis[nb + 1], large);
    if (large > want) {
        block[nb] = joined_extent(block[nb], large, shape.dim[nb]);
        block[nb + 1] = joined_extent(block[nb + 1], large, shape.dim[nb + 1]);
    }
    block[nb + 2] = shape.dim[nb + 2] > 0 ? shape.dim[nb + 2] : 1;
    l.step_axis = nb + 2;
    if (shape.dim[nb + 1] < 16 && want >= 64) block[nb] = thin_rows(shape.dim[nb], deep, item);
    st = wf_grid_init(&tasks, &shape, block);
    if (st != WEFT_OK) goto done;
    l.dtype = (weft_dtype)n->dtype;
    l.step = tasks.axis[nb + 2];
    l.step.extent = deep;
    l.step.nblock = l.step.dim == 0 ? 0 : (l.step.dim - 1) / deep + 1;
    cut = wf_grid_share(&tasks);
    cut.ndim = nb + 2;
    set_tasks(&l, &tasks);
    st = add_output(b, &l, l.dtype, &cut, &it->value[0]);
    if (st == WEFT_OK) st = commit(b, &l, n, number);

done:
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    return st;
}

// Tiles that are contiguous ranges of the C order: whole trailing axes, a cut of one axis, single elements of the axes before it.
static weft_status linear_grid(const wf_build *b, const wf_shape *shape, int64_t bytes,
                               wf_grid *out)
{
    int64_t room = b->target / bytes, block[WEFT_MAX_NDIM], slots = 4 * b->opts->slots;
    int64_t fair = wf_shape_size(shape) / slots, least = (b->opts->test ? 64 : 128 << 10) / bytes;
    if (fair < least) fair = least;
    if (fair < room) room = fair;
    if (room < 1) room = 1;
    for (int i = shape->ndim - 1; i >= 0; i--) {
        int64_t dim = shape->dim[i] > 0 ? shape->dim[i] : 1;
        block[i] = dim <= room ? dim : room;
        room = dim <= room ? room / dim : 1;
    }
    // Once an axis is cut, those before it must be single: room is 1 from there on by construction unless the cut left some.
    bool cut = false;
    for (int i = shape->ndim - 1; i >= 0; i--) {
        if (cut) block[i] = 1;
        cut |= block[i] < shape->dim[i];
    }
    return wf_grid_init(out, shape, block);
}

static weft_status lower_reshape(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    wf_layer l = draft_layer(WF_LAYER_RESHAPE, "reshape");
    wf_grid tasks = { 0 };
    weft_status st = read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = linear_grid(b, &it->node->shape, item_size(b, g->member[0]), &tasks);
    if (st == WEFT_OK) {
        set_tasks(&l, &tasks);
        st = add_output(b, &l, (weft_dtype)it->node->dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = commit(b, &l, it->node, number);
    wf_layer_fini(&l);
    return st;
}

static int compare_int64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// Which blocks of the source each tile along the axis needs: looked up once, in the list that an earlier stage computed.
static weft_status take_table(const wf_layer *l, const wf_grid_axis *source, const wf_list *list,
                              int64_t **table, int64_t **blocks)
{
    const wf_grid_axis *tiles = &l->tasks.axis[l->axis];
    int64_t *start = wf_calloc((size_t)tiles->nblock + 1, sizeof *start),
            *all = wf_calloc((size_t)list->count, sizeof *all), n = 0;
    if (!start || !all) {
        wf_free(start);
        wf_free(all);
        return WEFT_NO_MEMORY;
    }
    for (int64_t t = 0; t < tiles->nblock; t++) {
        int64_t from = wf_axis_start(tiles, t), to = wf_axis_start(tiles, t + 1), first = n;
        int64_t *seen = all + first, count = 0;
        for (int64_t i = from; i < to; i++) {
            int64_t block = wf_axis_find(source, list->item[i]);
            if (count == 0 || seen[count - 1] != block) seen[count++] = block;
        }
        qsort(seen, (size_t)count, sizeof *seen, compare_int64);
        int64_t kept = 0;
        for (int64_t i = 0; i < count; i++)
            if (kept == 0 || seen[kept - 1] != seen[i]) seen[kept++] = seen[i];
        n = first + kept;
        start[t + 1] = n;
    }
    *table = start;
    *blocks = all;
    return WEFT_OK;
}

static weft_status lower_take(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = draft_layer(WF_LAYER_TAKE, "take");
    wf_grid tasks = { 0 };
    const wf_grid *natural;
    l.axis = n->axis;
    l.list = it->list;
    weft_status st = read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = wf_item_grid(b, g->member[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, item_size(b, g->member[0]), NULL);
    }
    if (st == WEFT_OK) {
        set_tasks(&l, &tasks);
        st = take_table(&l, &b->plan->value[l.read[0].value].grid.axis[l.axis], n->list, &l.table,
                        &l.blocks);
    }
    if (st == WEFT_OK) st = add_output(b, &l, (weft_dtype)n->dtype, &l.tasks, &it->value[0]);
    if (st == WEFT_OK) st = commit(b, &l, n, number);
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    return st;
}

// Output blocks are runs of cells whose counts an earlier stage found; cells without any true element join their neighbour.
static weft_status compact_cuts(const wf_build *b, const wf_node *n, wf_layer *l, wf_grid *tasks)
{
    const wf_list *counts = n->list;
    int64_t cell = n->cell[0], length = n->in[0]->shape.dim[0], total = n->shape.dim[0], nblock = 0;
    int64_t want = b->target / (int64_t)wf_dtype_size((weft_dtype)n->dtype),
            *extent = wf_calloc((size_t)counts->count + 1, sizeof *extent);
    l->table = wf_calloc((size_t)(2 * counts->count + 2), sizeof *l->table);
    if (!extent || !l->table) {
        wf_free(extent);
        return WEFT_NO_MEMORY;
    }
    int64_t have = 0, from = 0;
    for (int64_t c = 0; c < counts->count; c++) {
        have += counts->item[c];
        bool full = have > 0 && (have >= want || (c + 1 - from) * cell >= 4 * want);
        if (!full && c + 1 < counts->count) continue;
        if (have > 0) {
            extent[nblock] = have;
            l->table[2 * nblock] = from * cell;
            l->table[2 * nblock + 1] = (c + 1) * cell < length ? (c + 1) * cell : length;
            nblock++;
        }
        have = 0;
        from = c + 1;
    }
    weft_status st = wf_grid_init(tasks, &n->shape, (const int64_t[]){ total > 0 ? total : 1 });
    if (st == WEFT_OK && total > 0) st = wf_grid_set_axis(tasks, 0, nblock, extent);
    wf_free(extent);
    return st;
}

static weft_status lower_compact(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    wf_layer l = draft_layer(WF_LAYER_COMPACT, "mask");
    wf_grid tasks = { 0 };
    l.list = it->list;
    weft_status st = read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = read_operand(b, &l, it->in[1], NULL, NULL);
    if (st == WEFT_OK) st = compact_cuts(b, it->node, &l, &tasks);
    if (st == WEFT_OK) {
        set_tasks(&l, &tasks);
        st = add_output(b, &l, (weft_dtype)it->node->dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = commit(b, &l, it->node, number);
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    return st;
}

// Groups: the iteration space is the operand with a step along the grouped axis; the output has the number of groups there instead.
static weft_status lower_group(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = draft_layer(WF_LAYER_GROUP, "group_sum");
    wf_grid tasks = { 0 }, out = { 0 };
    const wf_grid *natural;
    int axis = n->axis;
    l.axis = l.step_axis = axis;
    l.list = it->list;
    l.dtype = (weft_dtype)n->dtype;
    weft_status st = read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[0], &natural);
    if (st != WEFT_OK) goto done;
    tasks = wf_grid_share(natural);
    l.step = tasks.axis[axis];
    if (l.step.cuts) __atomic_add_fetch(&l.step.cuts->refs, 1, __ATOMIC_RELAXED);
    int64_t dim = n->in[0]->shape.dim[axis];
    if (dim > 0) st = wf_grid_set_axis(&tasks, axis, 1, &dim);
    // One accumulator of ngroups rows per task: cut the kept axes so that all slots have one and it fits.
    int64_t rows = n->shape.dim[axis] > 0 ? n->shape.dim[axis] : 1,
            size = item_size(b, g->member[0]);
    int64_t kept = wf_shape_size(&n->shape) / rows,
            most = b->opts->budget / (4 * b->opts->slots) / (rows * size);
    int64_t fair = kept / (2 * b->opts->slots);
    if (most > fair && fair >= 4096) most = fair;
    if (most < 1) most = 1;
    for (int i = 0; i < tasks.ndim && st == WEFT_OK; i++) {
        if (i == axis || tasks.axis[i].dim == 0) continue;
        int64_t here =
            most < tasks.axis[i].extent || tasks.axis[i].extent == 0 ? most : tasks.axis[i].extent;
        if (i == tasks.ndim - 1 || (axis == tasks.ndim - 1 && i == axis - 1))
            here = most < tasks.axis[i].dim ? most : tasks.axis[i].dim;
        if (here < 1) here = 1;
        wf_grid_axis *a = &tasks.axis[i];
        if (a->cuts && __atomic_sub_fetch(&a->cuts->refs, 1, __ATOMIC_ACQ_REL) == 0)
            wf_free(a->cuts);
        *a = (wf_grid_axis){ .dim = a->dim, .extent = here, .nblock = (a->dim - 1) / here + 1 };
    }
    if (st != WEFT_OK) goto done;
    out = wf_grid_share(&tasks);
    out.axis[axis] = (wf_grid_axis){ .dim = n->shape.dim[axis],
                                     .extent = rows,
                                     .nblock = n->shape.dim[axis] > 0 };
    set_tasks(&l, &tasks);
    st = add_output(b, &l, l.dtype, &out, &it->value[0]);
    if (st == WEFT_OK) st = commit(b, &l, n, number);

done:
    wf_grid_fini(&tasks);
    wf_grid_fini(&out);
    wf_layer_fini(&l);
    return st;
}

static weft_status lower_bincount(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = draft_layer(WF_LAYER_BINCOUNT, "bincount");
    wf_grid tasks = { 0 }, out = { 0 };
    int64_t length = n->in[0]->shape.dim[0], cell = n->cell[0];
    l.dtype = (weft_dtype)n->dtype;
    l.cell[0] = cell;
    weft_status st = WEFT_OK;
    for (int k = 0; k < n->nin && st == WEFT_OK; k++)
        st = read_operand(b, &l, it->in[k], NULL, NULL);
    wf_shape shape = { .ndim = 1, .dim = { length } };
    if (st == WEFT_OK) st = wf_grid_init(&tasks, &shape, &cell);
    if (st == WEFT_OK) {
        set_tasks(&l, &tasks);
        st = wf_grid_init(&out, &n->shape,
                          (const int64_t[]){ 1, n->shape.dim[1] > 0 ? n->shape.dim[1] : 1 });
    }
    if (st == WEFT_OK) st = add_output(b, &l, l.dtype, &out, &it->value[0]);
    if (st == WEFT_OK) st = commit(b, &l, n, number);
    wf_layer_fini(&l);
    return st;
}

static weft_status lower_call(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = draft_layer(WF_LAYER_CALL, "kernel");
    wf_grid tasks = { 0 };
    const wf_grid *natural;
    weft_status st = WEFT_OK;
    l.leaf = it->leaf;
    for (int k = 0; k < n->nin && st == WEFT_OK; k++)
        st = read_operand(b, &l, it->in[k], NULL, NULL);
    if (st == WEFT_OK) st = wf_item_grid(b, g->member[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, widest(b, &l, item_size(b, g->member[0])), NULL);
    }
    if (st == WEFT_OK) {
        set_tasks(&l, &tasks);
        st = add_output(b, &l, (weft_dtype)n->dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = commit(b, &l, n, number);
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    return st;
}

// Rows of the file from columns of the operand: large tiles, so that runs are long on both sides;
// longer where they are read, since what is written is gathered by the system. Each task holds its
// tile twice, as it is read and as it is written.
static void crossed_tiles(const wf_build *b, const wf_shape *shape, weft_dtype dtype, wf_grid *out)
{
    int64_t share = b->opts->budget / (b->opts->slots / b->opts->ndevice + 1) / 3;
    int64_t bytes = 32 * b->target < share ? 32 * b->target : share, nd = shape->ndim;
    int64_t item = (int64_t)wf_dtype_size(dtype), rows = 1, block[WEFT_MAX_NDIM];
    while (rows * rows * item <= bytes)
        rows *= 2;  // the longest with at least a quarter as many columns
    int64_t columns = bytes / item / rows;
    if (columns > 64) columns = columns / 64 * 64;
    for (int i = 0; i < nd; i++) {
        int64_t want = i < nd - 2 ? 1 : i == nd - 2 ? rows : columns;
        block[i] = want < shape->dim[i] ? want : shape->dim[i] > 0 ? shape->dim[i] : 1;
    }
    if (wf_grid_init(out, shape, block) != WEFT_OK)
        wf_grid_auto(out, shape, wf_dtype_size(dtype), b->target);
}

static bool has_unit_steps(const wf_map *map)
{
    bool unit = true;
    for (int i = 0; i < map->ndim; i++)
        unit &= map->axis[i] >= 0 && (map->step[i] == 1 || map->step[i] == -1);
    return unit;
}

static weft_status lower_sink(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    const wf_sink_header *h = n->object->data;
    wf_layer l = draft_layer(WF_LAYER_SINK, "save");
    l.leaf = it->leaf;
    WF_TRY(read_operand(b, &l, it->in[0], NULL, NULL));
    const wf_value *v = &b->plan->value[l.read[0].value];
    bool same =
        wf_map_is_identity(&l.read[0].map, v->shape.ndim) && wf_shape_equal(&v->shape, &n->shape);
    wf_grid tasks = { 0 };
    weft_status st = WEFT_OK;
    l.shape = n->shape;
    if (!h->any_box) tasks = wf_grid_share(&h->grid);
    else if (same && !v->direct) tasks = wf_grid_share(&v->grid);
    else if (is_crossed(&l)) {
        crossed_tiles(b, &n->shape, (weft_dtype)n->dtype, &tasks);
        l.aside = v->direct && b->outline->bind.leaf[v->leaf]->type == WF_OBJECT_FILE &&
                  has_unit_steps(&l.read[0].map);
    } else {
        wf_grid_auto(&tasks, &n->shape, wf_dtype_size((weft_dtype)n->dtype), b->target);
    }
    set_tasks(&l, &tasks);
    if (st == WEFT_OK) st = commit(b, &l, n, number);
    wf_layer_fini(&l);
    return st;
}

weft_status wf_lower_group(wf_build *b, int group)
{
    const wf_group *g = &b->group[group];
    int number = -1;
    weft_status st;
    switch (b->item[g->member[0]].node->kind) {
    case WF_NODE_REDUCE: st = lower_reduce(b, g, &number); break;
    case WF_NODE_SCAN: st = lower_scan(b, g, &number); break;
    case WF_NODE_CONTRACT: st = lower_contract(b, g, &number); break;
    case WF_NODE_RESHAPE: st = lower_reshape(b, g, &number); break;
    case WF_NODE_TAKE: st = lower_take(b, g, &number); break;
    case WF_NODE_COMPACT: st = lower_compact(b, g, &number); break;
    case WF_NODE_GROUP: st = lower_group(b, g, &number); break;
    case WF_NODE_BINCOUNT: st = lower_bincount(b, g, &number); break;
    case WF_NODE_CALL: st = lower_call(b, g, &number); break;
    case WF_NODE_SINK: st = lower_sink(b, g, &number); break;
    default: st = lower_map(b, g, &number); break;
    }
    if (st != WEFT_OK) return st;
    own_outputs(b, number);
    b->group[group].layer = number;
    return WEFT_OK;
}
