// SPDX-License-Identifier: Apache-2.0
// lower_reduce - reductions, the combining of their partial results, and running sums.
#include <string.h>

#include "plan/lower.h"

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

weft_status wf_lower_reduce(wf_build *b, const wf_group *g, int *number)
{
    const wf_item *first = &b->item[g->member[0]];
    const wf_node *n = first->node;
    bool combine = n->nin > 1;
    wf_layer l = wf_layer_draft(combine ? WF_LAYER_COMBINE : WF_LAYER_REDUCE, reduce_names[n->op]);
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
            st = wf_layer_read_operand(b, &l, first->in[k], NULL, NULL);
    else st = wf_emit_parts(b, &l, nout, out, storage);

    if (st == WEFT_OK) st = wf_item_grid(b, first->in[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st =
            wf_tile_fit(b, &tasks, wf_layer_widest(b, &l, (int64_t)wf_dtype_size(l.dtype)), l.cell);
        if (st == WEFT_OK && wf_layer_is_crossed(&l)) wf_tile_square(&tasks, l.cell);
    }
    if (st == WEFT_OK) st = cell_grid(&tasks, l.cell, &cells);
    if (st == WEFT_OK) wf_layer_set_tasks(&l, &tasks);
    for (int k = 0; k < g->nmember && st == WEFT_OK; k++)
        for (int f = 0; f < l.reducer[k].nfield && st == WEFT_OK; f++)
            st = wf_layer_add_output(b, &l, field_dtype(b->item[g->member[k]].node, f), &cells,
                                     &l.reducer[k].value[f]);
    for (int k = 0; k < g->nmember && st == WEFT_OK; k++)
        for (int f = 0; f < l.reducer[k].nfield; f++)
            b->item[g->member[k]].value[f] = l.reducer[k].value[f];
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);
    wf_grid_fini(&tasks);
    wf_grid_fini(&cells);
    wf_layer_fini(&l);
    return st;
}

weft_status wf_lower_scan(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    wf_layer l =
        wf_layer_draft(WF_LAYER_SCAN, n->op == WF_SCAN_SUM ? "cumulative_sum" : "cumulative_prod");
    wf_grid tasks = { 0 }, carries = { 0 };
    const wf_grid *natural;
    l.axis = n->axis;
    l.op = (uint8_t)n->op;
    l.dtype = (weft_dtype)n->dtype;
    weft_status st = wf_layer_read_operand(b, &l, it->in[0], NULL, NULL);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[0], &natural);
    if (st == WEFT_OK) {
        tasks = wf_grid_share(natural);
        st = wf_tile_fit(b, &tasks, wf_item_size(b, g->member[0]), NULL);
    }
    if (st == WEFT_OK) {
        carries = wf_grid_share(&tasks);
        wf_grid_axis *a = &carries.axis[l.axis];
        if (a->cuts && __atomic_sub_fetch(&a->cuts->refs, 1, __ATOMIC_ACQ_REL) == 0)
            wf_free(a->cuts);
        *a = (wf_grid_axis){ .dim = a->nblock, .nblock = a->nblock, .extent = 1 };
        wf_layer_set_tasks(&l, &tasks);
        st = wf_layer_add_output(b, &l, l.dtype, &l.tasks, &it->value[0]);
    }
    if (st == WEFT_OK) st = wf_layer_add_output(b, &l, l.dtype, &carries, &l.carry);
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);
    wf_grid_fini(&tasks);
    wf_grid_fini(&carries);
    wf_layer_fini(&l);
    return st;
}
