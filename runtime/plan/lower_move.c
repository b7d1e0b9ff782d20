// SPDX-License-Identifier: Apache-2.0
// lower_move - layers that move elements about (reshape, take, compact), sum them by label, or hand
// them out (calls of user functions, sinks).
#include <stdlib.h>
#include <string.h>

#include "plan/lower.h"

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

weft_status wf_lower_reshape(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    wf_layer l = wf_layer_draft(WF_LAYER_RESHAPE, "reshape");
    wf_grid tasks = { 0 };
    weft_status st = wf_layer_read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = linear_grid(b, &it->node->shape, wf_item_size(b, g->member[0]), &tasks);
    if (st == WEFT_OK) {
        wf_layer_set_tasks(&l, &tasks);
        st = wf_layer_add_output(b, &l, (weft_dtype)it->node->dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, it->node, number);
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

// The cells of the only layer that reads ITEM, if that reduces it in this shape: tiles of whole cells are then eaten as soon as they are made.
// Tiles as wide as the array would all have to be there before the first column of cells is complete.
static const int64_t *reader_cells(const wf_build *b, const wf_item *item)
{
    if (b->opts->disable & (WF_PASS_FUSE | WF_PASS_GROUP) || item->owner < 0) return NULL;
    const wf_item *reader = &b->item[b->group[item->owner].member[0]];
    if (reader->node->kind != WF_NODE_REDUCE || reader->node->nin > 1 ||
        !wf_shape_equal(&b->item[reader->in[0]].node->shape, &item->node->shape))
        return NULL;
    return reader->node->cell;
}

weft_status wf_lower_take(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = wf_layer_draft(WF_LAYER_TAKE, "take");
    wf_grid tasks = { 0 };
    const wf_grid *natural;
    l.axis = n->axis;
    l.list = it->list;
    weft_status st = wf_layer_read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = wf_item_grid(b, g->member[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, wf_item_size(b, g->member[0]), reader_cells(b, it));
    }
    if (st == WEFT_OK) {
        wf_layer_set_tasks(&l, &tasks);
        st = take_table(&l, &b->plan->value[l.read[0].value].grid.axis[l.axis], n->list, &l.table,
                        &l.blocks);
    }
    if (st == WEFT_OK)
        st = wf_layer_add_output(b, &l, (weft_dtype)n->dtype, &l.tasks, &it->value[0]);
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);
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

weft_status wf_lower_compact(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    wf_layer l = wf_layer_draft(WF_LAYER_COMPACT, "mask");
    wf_grid tasks = { 0 };
    l.list = it->list;
    weft_status st = wf_layer_read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = wf_layer_read_operand(b, &l, it->in[1], NULL, NULL);
    if (st == WEFT_OK) st = compact_cuts(b, it->node, &l, &tasks);
    if (st == WEFT_OK) {
        wf_layer_set_tasks(&l, &tasks);
        st = wf_layer_add_output(b, &l, (weft_dtype)it->node->dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, it->node, number);
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    return st;
}

// One accumulator of a row per group and task: cuts the axes that are kept so that all slots have
// one and it fits.
static void cut_kept_axes(const wf_build *b, const wf_node *n, int64_t size, wf_grid *tasks)
{
    int axis = n->axis, last = tasks->ndim - 1;
    int64_t rows = n->shape.dim[axis] > 0 ? n->shape.dim[axis] : 1;
    int64_t most = b->opts->budget / (4 * b->opts->slots) / (rows * size);
    int64_t fair = wf_shape_size(&n->shape) / rows / (2 * b->opts->slots);
    if (most > fair && fair >= 4096) most = fair;
    if (most < 1) most = 1;
    for (int i = 0; i < tasks->ndim; i++) {
        wf_grid_axis *a = &tasks->axis[i];
        if (i == axis || a->dim == 0) continue;
        int64_t here = most < a->extent || a->extent == 0 ? most : a->extent;
        if (i == last || (axis == last && i == axis - 1)) here = most < a->dim ? most : a->dim;
        if (here < 1) here = 1;
        if (a->cuts && __atomic_sub_fetch(&a->cuts->refs, 1, __ATOMIC_ACQ_REL) == 0)
            wf_free(a->cuts);
        *a = (wf_grid_axis){ .dim = a->dim, .extent = here, .nblock = (a->dim - 1) / here + 1 };
    }
}

// Groups: the iteration space is the operand with a step along the grouped axis; the output has the number of groups there instead.
weft_status wf_lower_labels(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = wf_layer_draft(WF_LAYER_GROUP, "group_sum");
    wf_grid tasks = { 0 }, out = { 0 };
    const wf_grid *natural;
    int axis = n->axis;
    l.axis = l.step_axis = axis;
    l.list = it->list;
    l.dtype = (weft_dtype)n->dtype;
    l.shape = b->item[it->in[0]].node->shape;
    weft_status st = wf_emit_parts(b, &l, 1, &it->in[0], &l.dtype);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[0], &natural);
    if (st != WEFT_OK) goto done;
    tasks = wf_grid_share(natural);
    l.step = tasks.axis[axis];
    if (l.step.cuts) __atomic_add_fetch(&l.step.cuts->refs, 1, __ATOMIC_RELAXED);
    int64_t dim = n->in[0]->shape.dim[axis];
    if (dim > 0) st = wf_grid_set_axis(&tasks, axis, 1, &dim);
    if (st != WEFT_OK) goto done;
    cut_kept_axes(b, n, wf_item_size(b, g->member[0]), &tasks);
    int64_t rows = n->shape.dim[axis];
    out = wf_grid_share(&tasks);
    out.axis[axis] =
        (wf_grid_axis){ .dim = rows, .extent = rows > 0 ? rows : 1, .nblock = rows > 0 };
    wf_layer_set_tasks(&l, &tasks);
    st = wf_layer_add_output(b, &l, l.dtype, &out, &it->value[0]);
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);

done:
    wf_grid_fini(&tasks);
    wf_grid_fini(&out);
    wf_layer_fini(&l);
    return st;
}

weft_status wf_lower_bincount(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = wf_layer_draft(WF_LAYER_BINCOUNT, "bincount");
    wf_grid tasks = { 0 }, out = { 0 };
    int64_t length = n->in[0]->shape.dim[0], cell = n->cell[0];
    l.dtype = (weft_dtype)n->dtype;
    l.cell[0] = cell;
    weft_status st = WEFT_OK;
    for (int k = 0; k < n->nin && st == WEFT_OK; k++)
        st = wf_layer_read_operand(b, &l, it->in[k], NULL, NULL);
    wf_shape shape = { .ndim = 1, .dim = { length } };
    if (st == WEFT_OK) st = wf_grid_init(&tasks, &shape, &cell);
    if (st == WEFT_OK) {
        wf_layer_set_tasks(&l, &tasks);
        st = wf_grid_init(&out, &n->shape,
                          (const int64_t[]){ 1, n->shape.dim[1] > 0 ? n->shape.dim[1] : 1 });
    }
    if (st == WEFT_OK) st = wf_layer_add_output(b, &l, l.dtype, &out, &it->value[0]);
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);
    wf_layer_fini(&l);
    return st;
}

weft_status wf_lower_call(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l = wf_layer_draft(WF_LAYER_CALL, "kernel");
    wf_grid tasks = { 0 };
    const wf_grid *natural;
    weft_status st = WEFT_OK;
    l.leaf = it->leaf;
    for (int k = 0; k < n->nin && st == WEFT_OK; k++)
        st = wf_layer_read_operand(b, &l, it->in[k], NULL, NULL);
    if (st == WEFT_OK) st = wf_item_grid(b, g->member[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, wf_layer_widest(b, &l, wf_item_size(b, g->member[0])), NULL);
    }
    if (st == WEFT_OK) {
        wf_layer_set_tasks(&l, &tasks);
        st = wf_layer_add_output(b, &l, (weft_dtype)n->dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);
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

weft_status wf_lower_sink(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    const wf_sink_header *h = n->object->data;
    wf_layer l = wf_layer_draft(WF_LAYER_SINK, "save");
    l.leaf = it->leaf;
    WF_TRY(wf_layer_read_operand(b, &l, it->in[0], NULL, NULL));
    const wf_value *v = &b->plan->value[l.read[0].value];
    bool same =
        wf_map_is_identity(&l.read[0].map, v->shape.ndim) && wf_shape_equal(&v->shape, &n->shape);
    wf_grid tasks = { 0 };
    weft_status st = WEFT_OK;
    l.shape = n->shape;
    if (!h->any_box) tasks = wf_grid_share(&h->grid);
    else if (same && !v->direct) tasks = wf_grid_share(&v->grid);
    else if (wf_layer_is_crossed(&l)) {
        crossed_tiles(b, &n->shape, (weft_dtype)n->dtype, &tasks);
        l.aside = v->direct && b->outline->bind.leaf[v->leaf]->type == WF_OBJECT_FILE &&
                  has_unit_steps(&l.read[0].map);
    } else {
        wf_grid_auto(&tasks, &n->shape, wf_dtype_size((weft_dtype)n->dtype), b->target);
    }
    wf_layer_set_tasks(&l, &tasks);
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);
    wf_layer_fini(&l);
    return st;
}
