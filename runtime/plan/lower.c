// SPDX-License-Identifier: Apache-2.0
// lower - groups of nodes to symbolic layers: the choice among the kinds, maps, and what they share.
#include <string.h>

#include "plan/lower.h"

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

void wf_layer_set_tasks(wf_layer *layer, wf_grid *tasks)  // takes
{
    layer->tasks = *tasks;
    layer->shape = wf_grid_shape(tasks);
    layer->ntask = wf_grid_nblock(tasks);
    memset(tasks, 0, sizeof *tasks);
}

int64_t wf_item_size(const wf_build *b, int item)
{
    return (int64_t)wf_dtype_size((weft_dtype)b->item[item].node->dtype);
}

// How the layer that brings host memory to devices cuts it: as its readers are cut, roughly.
static weft_status lent_grid(wf_build *b, int item, wf_grid *out)
{
    const wf_grid *natural;
    WF_TRY(wf_item_grid(b, item, &natural));
    wf_grid grid = wf_grid_share(natural);
    weft_status st = wf_tile_fit(b, &grid, wf_item_size(b, item), NULL);
    if (st == WEFT_OK) *out = grid;
    else wf_grid_fini(&grid);
    return st;
}

static const wf_leaf_header *leaf_header(const wf_item *it)
{
    return wf_object_header(it->node->result ? it->node->result : it->node->object);
}

// A leaf of host memory is read in place by those that see it (HOST: all that will read it do),
// else by way of a layer.
static weft_status leaf_value(wf_build *b, int item, bool host, int *out)
{
    const wf_leaf_header *h = leaf_header(&b->item[item]);
    bool direct = h->direct && (host || b->opts->host_visible);
    wf_grid cut = { 0 };
    if (h->direct && !direct) WF_TRY(lent_grid(b, item, &cut));
    weft_status st =
        wf_plan_add_value(b, h->dtype, h->direct && !direct ? &cut : &h->grid, -1, out);
    wf_grid_fini(&cut);
    WF_TRY(st);
    b->plan->value[*out].leaf = direct || h->blocks ? b->item[item].leaf : -1;
    b->plan->value[*out].direct = direct;
    b->plan->value[*out].lent = h->direct;
    return WEFT_OK;
}

static bool is_dense(const wf_leaf_header *h)
{
    int64_t want = (int64_t)wf_dtype_size(h->dtype);
    bool dense = h->direct;
    for (int a = h->shape.ndim - 1; a >= 0; a--) {
        dense &= h->shape.dim[a] <= 1 || h->stride[a] == want;
        want *= h->shape.dim[a];
    }
    return dense;
}

// Whether the layer that reads the leaf gives its blocks only once, to all that read them: they are
// kept while there is one. Else a large leaf that layers read which wait for each other is read
// once per layer: reading again is cheaper than spilling all of it between them. Blocks over lent
// memory are never spilled.
static bool is_read_once(const wf_build *b, const wf_leaf_header *h)
{
    int64_t item = (int64_t)wf_dtype_size(h->dtype);
    return is_dense(h) || wf_shape_size(&h->shape) * item <= b->opts->budget_all / 4;
}

// Blocks that are not there yet need a layer that brings them.
static weft_status source_value(wf_build *b, int item, int *out)
{
    wf_item *it = &b->item[item];
    wf_layer *layer;
    int number, value;
    WF_TRY(leaf_value(b, item, false, &value));
    *out = value;
    if (b->plan->value[value].leaf >= 0) {
        it->value[0] = value;
        return WEFT_OK;
    }
    WF_TRY(wf_plan_add_layer(b, WF_LAYER_SOURCE, it->node, &layer, &number));
    wf_grid tasks = wf_grid_share(&b->plan->value[value].grid);
    wf_layer_set_tasks(layer, &tasks);
    layer->leaf = it->leaf;
    layer->cost = 0;
    b->plan->value[value].layer = number;
    if (is_read_once(b, leaf_header(it))) it->value[0] = value;
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

// Whether LAYER runs on the host although devices do not see its memory, which ITEM is.
static bool reads_in_place(const wf_build *b, const wf_layer *layer, int item)
{
    return !b->opts->host_visible && wf_layer_is_for_host(layer) && b->item[item].is_leaf &&
           leaf_header(&b->item[item])->direct;
}

static weft_status host_value(wf_build *b, int item, int *out)
{
    wf_item *it = &b->item[item];
    if (it->host_value < 0) WF_TRY(leaf_value(b, item, true, &it->host_value));
    *out = it->host_value;
    return WEFT_OK;
}

weft_status wf_layer_read_operand(wf_build *b, wf_layer *layer, int item, const wf_map *before,
                                  int *out)
{
    wf_map map;
    int stored = wf_resolve_read(b, item, &map), value, read;
    if (stored < 0)
        return wf_fail(WEFT_INTERNAL, "plan: an operand of %s has no blocks", layer->name);
    const wf_node *n = b->item[stored].node;
    // Making a source layer may move the array of layers, so the caller passes a layer that is not in it yet.
    if (reads_in_place(b, layer, stored)) WF_TRY(host_value(b, stored, &value));
    else
        WF_TRY(wf_item_value(b, stored,
                             n->kind == WF_NODE_FIELD && !b->item[stored].is_leaf ? n->field : 0,
                             &value));
    if (before) map = wf_map_compose(before, &map);
    WF_TRY(wf_layer_add_read(layer, value, &map, NULL, false, &read));
    if (out) *out = read;
    return WEFT_OK;
}

weft_status wf_layer_commit(wf_build *b, wf_layer *draft, const wf_node *node, int *number)
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

weft_status wf_layer_add_output(wf_build *b, wf_layer *layer, weft_dtype dtype, const wf_grid *grid,
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

wf_layer wf_layer_draft(wf_layer_kind kind, const char *name)
{
    return (wf_layer){
        .kind = kind, .name = name, .step_axis = -1, .axis = -1, .carry = -1, .list = -1, .leaf = -1
    };
}

int64_t wf_layer_widest(const wf_build *b, const wf_layer *layer, int64_t bytes)
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

bool wf_layer_is_crossed(const wf_layer *layer)
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

void wf_tile_square(wf_grid *grid, const int64_t *cell)
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
    wf_layer l = wf_layer_draft(WF_LAYER_MAP, map_name(first->node));
    const wf_grid *natural;
    int value[16];
    l.shape = first->node->shape;
    int64_t bytes = 1;
    for (int k = 0; k < g->nmember; k++) {
        storage[k] = (weft_dtype)b->item[g->member[k]].node->dtype;
        if (wf_item_size(b, g->member[k]) > bytes) bytes = wf_item_size(b, g->member[k]);
    }
    weft_status st = wf_emit_parts(b, &l, g->nmember, g->member, storage);
    wf_grid tasks = { 0 };
    if (st == WEFT_OK) st = wf_item_grid(b, g->member[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, wf_layer_widest(b, &l, bytes), NULL);
        if (st == WEFT_OK && (first->square || wf_layer_is_crossed(&l)))
            wf_tile_square(&tasks, NULL);
    }
    if (st == WEFT_OK) wf_layer_set_tasks(&l, &tasks);
    for (int k = 0; k < g->nmember && st == WEFT_OK; k++)
        st = wf_layer_add_output(b, &l, storage[k], &l.tasks, &value[k]);
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, first->node, number);
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    if (st != WEFT_OK) return st;
    for (int k = 0; k < g->nmember; k++) b->item[g->member[k]].value[0] = value[k];
    return WEFT_OK;
}

weft_status wf_lower_group(wf_build *b, int group)
{
    const wf_group *g = &b->group[group];
    int number = -1;
    weft_status st;
    switch (b->item[g->member[0]].node->kind) {
    case WF_NODE_REDUCE: st = wf_lower_reduce(b, g, &number); break;
    case WF_NODE_SCAN: st = wf_lower_scan(b, g, &number); break;
    case WF_NODE_CONTRACT: st = wf_lower_contract(b, g, &number); break;
    case WF_NODE_RESHAPE: st = wf_lower_reshape(b, g, &number); break;
    case WF_NODE_TAKE: st = wf_lower_take(b, g, &number); break;
    case WF_NODE_COMPACT: st = wf_lower_compact(b, g, &number); break;
    case WF_NODE_GROUP: st = wf_lower_labels(b, g, &number); break;
    case WF_NODE_BINCOUNT: st = wf_lower_bincount(b, g, &number); break;
    case WF_NODE_CALL: st = wf_lower_call(b, g, &number); break;
    case WF_NODE_SINK: st = wf_lower_sink(b, g, &number); break;
    default: st = lower_map(b, g, &number); break;
    }
    if (st != WEFT_OK) return st;
    own_outputs(b, number);
    b->group[group].layer = number;
    return WEFT_OK;
}
