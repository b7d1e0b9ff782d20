// SPDX-License-Identifier: Apache-2.0
// lower_product - products of matrices: how they are cut.
#include <string.h>

#include "plan/lower.h"

// Extents of one axis of a product: follow the operand's blocks, or a size that keeps a panel in
// cache. No slivers: for small products BLAS libraries have kernels that sum in another order, and
// bits are not to depend on how memory made us cut.
static int64_t even_extent(int64_t dim, int64_t want)
{
    enum { SLIVER = 32 };
    int64_t parts = (dim + want - 1) / want, e = parts > 1 ? (dim + parts - 1) / parts : dim;
    if (e > 64) e = (e + 7) / 8 * 8;
    while (e > 64 && dim % e > 0 && dim % e < SLIVER) e -= 8;
    return e > 0 ? e : 1;
}

static int64_t product_extent(const wf_grid_axis *from, int64_t want)
{
    int64_t e = from->cuts ? (from->dim + from->nblock - 1) / from->nblock : from->extent;
    if (from->nblock <= 1 || e > want) e = even_extent(from->dim, want);
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

weft_status wf_lower_contract(wf_build *b, const wf_group *g, int *number)
{
    wf_item *it = &b->item[g->member[0]];
    const wf_node *n = it->node;
    int nb = n->shape.ndim - 2, space = nb + 3;  // iteration: batch..., m, n, k
    wf_layer l = wf_layer_draft(WF_LAYER_CONTRACT, "matmul");
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
    weft_status st = wf_layer_read_operand(b, &l, it->in[0], &ma, NULL);
    int second = -1;
    // The second operand may be the same array through the same map only when k, m and n agree; keep it a read of its own.
    if (st == WEFT_OK) st = wf_layer_read_operand(b, &l, it->in[1], &mb, &second);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[0], &ga);
    if (st == WEFT_OK) st = wf_item_grid(b, it->in[1], &gb);
    if (st != WEFT_OK) goto done;

    wf_shape shape = { .ndim = space };
    memcpy(shape.dim, n->shape.dim, (size_t)(nb + 2) * sizeof shape.dim[0]);
    shape.dim[nb + 2] = b->item[it->in[0]].node->shape.dim[nb + 1];
    for (int i = 0; i < nb; i++) block[i] = 1;
    // Tiles of about 1,024 by 1,024 at the usual target; smaller when memory makes the plan try again.
    int64_t want = 16, item = wf_item_size(b, g->member[0]);
    while (want < 1024 && want * want * item * 2 <= b->target) want *= 2;
    if (b->opts->test) want = 16;
    // Not from memory or slots: where the sum over k is cut shows in its bits. Lent memory has no
    // blocks: long runs of its rows are read.
    int64_t deep = product_extent(&ga->axis[nb + 1], b->opts->test ? 16 : 1024);
    bool thin = shape.dim[nb + 1] < 16 && want >= 64;
    if (thin && b->plan->value[l.read[0].value].lent) deep = even_extent(shape.dim[nb + 2], 4096);
    int64_t large = b->opts->test ? want : streamed_tile(b, &l, &shape, want, deep, item);
    block[nb] = product_extent(&ga->axis[nb], large);
    block[nb + 1] = product_extent(&gb->axis[nb + 1], large);
    if (large > want) {
        block[nb] = joined_extent(block[nb], large, shape.dim[nb]);
        block[nb + 1] = joined_extent(block[nb + 1], large, shape.dim[nb + 1]);
    }
    block[nb + 2] = shape.dim[nb + 2] > 0 ? shape.dim[nb + 2] : 1;
    l.step_axis = nb + 2;
    if (thin) block[nb] = thin_rows(shape.dim[nb], deep, item);
    st = wf_grid_init(&tasks, &shape, block);
    if (st != WEFT_OK) goto done;
    l.dtype = (weft_dtype)n->dtype;
    l.step = tasks.axis[nb + 2];
    l.step.extent = deep;
    l.step.nblock = l.step.dim == 0 ? 0 : (l.step.dim - 1) / deep + 1;
    cut = wf_grid_share(&tasks);
    cut.ndim = nb + 2;
    wf_layer_set_tasks(&l, &tasks);
    st = wf_layer_add_output(b, &l, l.dtype, &cut, &it->value[0]);
    if (st == WEFT_OK) st = wf_layer_commit(b, &l, n, number);

done:
    wf_grid_fini(&tasks);
    wf_layer_fini(&l);
    return st;
}
