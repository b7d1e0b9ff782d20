// SPDX-License-Identifier: Apache-2.0
// grid - how a layer is cut into tiles: inherit the cut of the data, keep clear of slivers, aim at a size that is large enough to hide the cost of
// a task and small enough to stay in the caches between layers and in the budget.
#include <string.h>

#include "plan/build.h"

enum { DEFAULT_TILE = 4 << 20, SMALL_TILE = 1 << 20, TINY_TILE = 128 << 10 };

// The cut of source axis I carried to the target axis it follows: the same extents, shifted edges are not followed (no slivers).
static weft_status carry_axis(const wf_grid_axis *from, wf_grid *grid, int axis)
{
    wf_grid_axis *to = &grid->axis[axis];
    if (from->dim == to->dim && from->cuts) {
        __atomic_add_fetch(&from->cuts->refs, 1, __ATOMIC_RELAXED);
        *to = *from;
        return WEFT_OK;
    }
    int64_t extent = from->cuts ? (from->dim + from->nblock - 1) / from->nblock : from->extent;
    if (extent > to->dim) extent = to->dim;
    if (extent < 1) extent = 1;
    to->extent = extent;
    to->nblock = to->dim == 0 ? 0 : (to->dim - 1) / extent + 1;
    return WEFT_OK;
}

static void one_block(wf_grid *grid, const wf_shape *shape)
{
    memset(grid, 0, sizeof *grid);
    grid->ndim = shape->ndim;
    for (int i = 0; i < shape->ndim; i++)
        grid->axis[i] = (wf_grid_axis){ .dim = shape->dim[i],
                                        .extent = shape->dim[i] ? shape->dim[i] : 1,
                                        .nblock = shape->dim[i] ? 1 : 0 };
}

weft_status wf_default_cut(const wf_plan_options *opts, const wf_shape *shape, weft_dtype dtype,
                           wf_grid *out)
{
    if (opts->nblock == 0 || shape->ndim == 0) {
        wf_grid_auto(out, shape, wf_dtype_size(dtype), opts->block_size);
        return WEFT_OK;
    }
    int64_t block[WEFT_MAX_NDIM];
    for (int i = 0; i < shape->ndim; i++) {
        block[i] = opts->block[i < opts->nblock ? i : opts->nblock - 1];
        if (block[i] < 1) block[i] = shape->dim[i] > 0 ? shape->dim[i] : 1;
    }
    return wf_grid_init(out, shape, block);
}

static int largest_operand(const wf_build *b, const wf_item *it)
{
    int best = -1;
    int64_t most = -1;
    for (int k = 0; k < it->node->nin; k++) {
        const wf_node *in = b->item[it->in[k]].node;
        int64_t n = wf_shape_size(&in->shape);
        if (in->kind != WF_NODE_SCALAR && n > most) {
            most = n;
            best = k;
        }
    }
    return best;
}

static weft_status grid_of_view(wf_build *b, wf_item *it, const wf_map *map, int operand)
{
    const wf_grid *from;
    WF_TRY(wf_item_grid(b, operand, &from));
    one_block(&it->grid, &it->node->shape);
    for (int i = 0; i < map->ndim; i++) {
        int t = map->axis[i];
        if (t < 0) continue;
        int64_t step = map->step[i] < 0 ? -map->step[i] : map->step[i];
        if (step == 1) WF_TRY(carry_axis(&from->axis[i], &it->grid, t));
        else if (step > 1 && from->axis[i].nblock > 1) {
            int64_t e = from->axis[i].extent ? from->axis[i].extent
                                             : from->axis[i].dim / from->axis[i].nblock;
            wf_grid_axis cut = { .dim = -1, .extent = e / step > 0 ? e / step : 1 };
            WF_TRY(carry_axis(&cut, &it->grid, t));
        }
    }
    return WEFT_OK;
}

// Nodes whose axes are their operands', or an affine map away.
static bool keeps_axes(const wf_node *n)
{
    return n->kind == WF_NODE_MAP || n->kind == WF_NODE_CAST || n->kind == WF_NODE_VIEW ||
           n->kind == WF_NODE_PARTS;
}

static weft_status make_grid(wf_build *b, int i)
{
    wf_item *it = &b->item[i];
    const wf_node *n = it->node;
    if (it->is_leaf) {
        const wf_leaf_header *h = wf_object_header(n->result ? n->result : n->object);
        if (n->grid && !n->result) it->grid = wf_grid_share(n->grid);
        else if (h->direct && wf_grid_nblock(&h->grid) <= 1)
            return wf_default_cut(b->opts, &n->shape, (weft_dtype)n->dtype, &it->grid);
        else it->grid = wf_grid_share(&h->grid);
        return WEFT_OK;
    }
    if (n->grid) {
        it->grid = wf_grid_share(n->grid);
        return WEFT_OK;
    }
    int k = largest_operand(b, it);
    if (k >= 0 && b->opts->disable & WF_PASS_ALIGN && keeps_axes(n)) {
        one_block(&it->grid, &n->shape);
        return wf_refine_grid(b, i, &it->grid);
    }
    if (k >= 0) {
        if (n->kind == WF_NODE_VIEW) return grid_of_view(b, it, n->map, it->in[0]);
        const wf_node *in = b->item[it->in[k]].node;
        wf_map same = wf_map_identity(n->shape.ndim);
        if (in->shape.ndim == n->shape.ndim && n->kind != WF_NODE_RESHAPE)
            return grid_of_view(b, it, &same, it->in[k]);
    }
    return wf_default_cut(b->opts, &n->shape, (weft_dtype)n->dtype, &it->grid);
}

// Grids are made operands first; an explicit loop, because chains may be deep.
weft_status wf_item_grid(wf_build *b, int item, const wf_grid **out)
{
    for (; b->next_grid <= item; b->next_grid++) {
        wf_item *it = &b->item[b->next_grid];
        if (!it->needed) continue;
        WF_TRY(make_grid(b, b->next_grid));
        it->has_grid = true;
    }
    *out = &b->item[item].grid;
    return WEFT_OK;
}

static int64_t largest_extent(const wf_grid_axis *a)
{
    if (!a->cuts) return a->extent < a->dim ? a->extent : a->dim;
    int64_t most = 0;
    for (int64_t i = 0; i < a->nblock; i++)
        if (a->cuts->edge[i + 1] - a->cuts->edge[i] > most)
            most = a->cuts->edge[i + 1] - a->cuts->edge[i];
    return most;
}

static void set_extent(wf_grid_axis *a, int64_t extent)
{
    if (extent > a->dim) extent = a->dim;
    if (extent < 1) extent = 1;
    if (a->cuts && __atomic_sub_fetch(&a->cuts->refs, 1, __ATOMIC_ACQ_REL) == 0) wf_free(a->cuts);
    a->cuts = NULL;
    a->extent = extent;
    a->nblock = a->dim == 0 ? 0 : (a->dim - 1) / extent + 1;
}

static int64_t tile_elements(const wf_grid *grid)
{
    int64_t n = 1;
    for (int i = 0; i < grid->ndim; i++)
        if (__builtin_mul_overflow(n, largest_extent(&grid->axis[i]), &n)) return INT64_MAX;
    return n;
}

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Blocks of at most EXTENT along an axis. Edges that the refinement of unaligned operands made are
// kept; others are where it suits.
static weft_status cut_axis(const wf_build *b, wf_grid *grid, int axis, int64_t extent,
                            int64_t unit, bool merge)
{
    if (grid->axis[axis].cuts && b->opts->disable & WF_PASS_ALIGN)
        return wf_recut_axis(grid, axis, extent, unit, merge);
    set_extent(&grid->axis[axis], extent);
    return WEFT_OK;
}

// Halves the slowest axis that can be halved until the tile fits; reduced axes only in whole cells.
static weft_status shrink(const wf_build *b, wf_grid *grid, int64_t most, const int64_t *cell)
{
    for (int i = 0; i < grid->ndim; i++) {
        int64_t unit = cell ? cell[i] : 1;
        while (tile_elements(grid) > most && largest_extent(&grid->axis[i]) > unit) {
            int64_t e = largest_extent(&grid->axis[i]), parts = tile_elements(grid) / most + 1;
            int64_t half = round_up((e + parts - 1) / parts, unit);
            if (i == grid->ndim - 1 && unit == 1 && half > 4096) half = round_up(half, 512);
            if (half >= e) half = round_up((e + 1) / 2, unit);
            if (half >= e) break;
            WF_TRY(cut_axis(b, grid, i, half, unit, false));
        }
    }
    return WEFT_OK;
}

// Joins neighbouring blocks, last axis first, while the tile stays small enough.
static weft_status join(const wf_build *b, wf_grid *grid, int64_t want)
{
    for (int i = grid->ndim - 1; i >= 0; i--) {
        wf_grid_axis *a = &grid->axis[i];
        int64_t n = tile_elements(grid), e = largest_extent(a);
        if (n <= 0 || a->nblock <= 1) continue;
        int64_t times = want / n;
        if (times > a->nblock) times = a->nblock;
        if (times >= 2) WF_TRY(cut_axis(b, grid, i, e * times, 1, true));
    }
    return WEFT_OK;
}

// Reduced axes are cut between cells.
static weft_status round_to_cells(const wf_build *b, wf_grid *grid, const int64_t *cell)
{
    for (int i = 0; i < grid->ndim; i++) {
        if (!cell || cell[i] <= 1) continue;
        int64_t extent = round_up(largest_extent(&grid->axis[i]), cell[i]);
        WF_TRY(cut_axis(b, grid, i, extent, cell[i], false));
    }
    return WEFT_OK;
}

weft_status wf_tile_fit(const wf_build *b, wf_grid *grid, int64_t item_bytes, const int64_t *cell)
{
    int64_t target = b->target / item_bytes, total = 1;
    if (target < 1) target = 1;
    for (int i = 0; i < grid->ndim; i++) total *= grid->axis[i].dim;
    if (total == 0) return WEFT_OK;

    // Enough tiles that every slot has several, unless they would be tiny.
    int64_t tiny = (b->opts->test ? 256 : TINY_TILE) / item_bytes, slots = 4 * b->opts->slots;
    int64_t fair = total / slots;
    if (fair < tiny) fair = tiny;
    if (fair < target && b->opts->slots > 1) target = fair > 0 ? fair : 1;
    WF_TRY(round_to_cells(b, grid, cell));
    WF_TRY(shrink(b, grid, target, cell));
    int64_t small = (b->opts->test ? 64 : SMALL_TILE) / item_bytes;
    if (!(b->opts->disable & WF_PASS_GROUP) && tile_elements(grid) * 2 <= small)
        return join(b, grid, small < target ? small : target);
    return WEFT_OK;
}
