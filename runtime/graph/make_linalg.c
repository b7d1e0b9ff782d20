// SPDX-License-Identifier: Apache-2.0
// make_linalg - products of arrays. All end in CONTRACT, a batched product of matrices, except
// those of two vectors: a sum of products is a reduction, which fuses with what makes the vectors
// and whose bits do not depend on the grid.
#include "graph/make_chain.h"

// The product of A (b..., m, k) and B (b..., k, n) of one dtype, none of them empty.
static weft_status contract(wf_node *a, wf_node *b, weft_dtype dtype, wf_node **out)
{
    wf_shape shape = a->shape;

    shape.dim[shape.ndim - 1] = b->shape.dim[shape.ndim - 1];
    return wf_node_create(WF_NODE_CONTRACT, dtype, &shape, 2, (wf_node *[]){ a, b }, out);
}

// X with its axes in front of the last two broadcast to those of BATCH.
static wf_node *spread(wf_chain *c, wf_node *x, const wf_shape *batch)
{
    if (!x) return NULL;
    wf_shape shape = *batch;
    if (shape.ndim + 2 > WEFT_MAX_NDIM)
        return wf_chain_hold(c, wf_shape_init(&shape, "matmul", shape.ndim + 2, shape.dim));
    for (int i = 2; i > 0; i--) shape.dim[shape.ndim++] = x->shape.dim[x->shape.ndim - i];
    return wf_chain_hold(c, wf_make_broadcast_to(x, &shape, &c->next));
}

static wf_shape batch_of(const wf_node *x)
{
    wf_shape s = x->shape;
    s.ndim -= 2;
    return s;
}

// A and B have two axes or more, and their inner extents agree.
static wf_node *multiply_matrices(wf_chain *c, wf_node *a, wf_node *b, weft_dtype dtype)
{
    weft_dtype computed = wf_dtype_compute(dtype);
    wf_shape one = batch_of(a), two = batch_of(b), batch, result;

    c->status = wf_shape_broadcast("matmul", &one, &two, &batch);
    if (c->status != WEFT_OK) return NULL;
    a = spread(c, a, &batch);
    b = spread(c, b, &batch);
    if (!a || !b) return NULL;
    result = a->shape;
    result.dim[result.ndim - 1] = b->shape.dim[result.ndim - 1];
    c->status = wf_shape_init(&result, "matmul", result.ndim, result.dim);
    if (c->status != WEFT_OK) return NULL;
    if (wf_shape_size(&result) == 0 || a->shape.dim[a->shape.ndim - 1] == 0)
        return wf_chain_full(c, dtype, &result, 0);
    a = wf_chain_cast(c, a, computed);
    b = wf_chain_cast(c, b, computed);
    if (!a || !b) return NULL;
    return wf_chain_cast(c, wf_chain_hold(c, contract(a, b, computed, &c->next)), dtype);
}

// The sum over the last axis of A*B, or conj(A)*B, which broadcast. bool: whether both are true
// anywhere.
static wf_node *sum_products(wf_chain *c, wf_node *a, wf_node *b, bool conjugate)
{
    weft_dtype dtype = wf_make_common(a, b), computed = wf_dtype_compute(dtype);
    wf_reduction kind = dtype == WEFT_BOOL ? WF_REDUCTION_ANY : WF_REDUCTION_SUM;

    a = wf_chain_cast(c, a, computed);
    b = wf_chain_cast(c, b, computed);
    if (conjugate && wf_dtype_kind(computed) == 'c') a = wf_chain_op(c, WF_OP_CONJ, a);
    wf_node *products = wf_chain_op2(c, WF_OP_MULTIPLY, a, b);
    if (!products) return NULL;
    weft_dtype summed = dtype == WEFT_BOOL ? WEFT_DTYPE_DEFAULT : computed;
    wf_node *sum = wf_chain_hold(
        c, wf_make_reduction(kind, products, 1, (int[]){ -1 }, summed, false, 0, &c->next));
    return wf_chain_cast(c, sum, dtype);
}

static weft_status check_matmul(const wf_node *a, const wf_node *b)
{
    if (a->shape.ndim == 0 || b->shape.ndim == 0)
        return wf_fail(WEFT_INVALID,
                       "matmul: expected arrays with at least one axis, got one of none");
    int64_t ka = a->shape.dim[a->shape.ndim - 1],
            kb = b->shape.dim[b->shape.ndim > 1 ? b->shape.ndim - 2 : 0];
    if (ka == kb) return WEFT_OK;
    char ta[512], tb[512];
    return wf_fail(WEFT_INVALID,
                   "matmul: inner dimensions must agree, got %" PRId64 " and %" PRId64
                   " of shapes %s and %s",
                   ka, kb, wf_shape_text(&a->shape, ta), wf_shape_text(&b->shape, tb));
}

weft_status wf_make_matmul(wf_node *a, wf_node *b, wf_node **out)
{
    bool row = a->shape.ndim == 1, column = b->shape.ndim == 1;
    weft_dtype dtype = wf_dtype_promote((weft_dtype)a->dtype, (weft_dtype)b->dtype);
    wf_chain c = { 0 };

    WF_TRY(check_matmul(a, b));
    if (row && column) return wf_chain_give(&c, sum_products(&c, a, b, false), out);
    if (row) a = wf_chain_hold(&c, wf_make_expand_dims(a, 0, &c.next));
    if (column) b = wf_chain_hold(&c, wf_make_expand_dims(b, 1, &c.next));
    wf_node *y = a && b ? multiply_matrices(&c, a, b, dtype) : NULL;
    if (y && (row || column))
        y = wf_chain_hold(&c, wf_make_squeeze(y, 1, (int[]){ row ? -2 : -1 }, &c.next));
    return wf_chain_give(&c, y, out);
}

// One operand of a tensordot as a matrix: its free axes, then the summed ones (or the other way
// round).
typedef struct side {
    int order[WEFT_MAX_NDIM];  // axes, free ones in their order
    int nfree;
    int64_t free_size, sum_size;
    int sum[WEFT_MAX_NDIM];  // summed axes, as paired
} side;

// Saturates: only an array without elements can have such extents, and then the product is not
// used.
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static weft_status split_axes(const wf_node *x, int n, const int *axes, int from, side *s)
{
    bool summed[WEFT_MAX_NDIM];
    int nd = x->shape.ndim;

    for (int i = 0; i < n; i++) s->sum[i] = axes ? axes[i] : from + i;
    WF_TRY(wf_make_axes("tensordot", nd, n, s->sum, summed));
    s->nfree = 0;
    s->free_size = s->sum_size = 1;
    for (int i = 0; i < nd; i++) {
        if (summed[i]) continue;
        s->order[s->nfree++] = i;
        s->free_size = times(s->free_size, x->shape.dim[i]);
    }
    for (int i = 0; i < n; i++) {
        if (s->sum[i] < 0) s->sum[i] += nd;
        s->sum_size = times(s->sum_size, x->shape.dim[s->sum[i]]);
    }
    return WEFT_OK;
}

static wf_node *as_matrix(wf_chain *c, wf_node *x, const side *s, int n, bool sum_first)
{
    int axes[WEFT_MAX_NDIM], k = 0;

    for (int i = 0; i < n && sum_first; i++) axes[k++] = s->sum[i];
    for (int i = 0; i < s->nfree; i++) axes[k++] = s->order[i];
    for (int i = 0; i < n && !sum_first; i++) axes[k++] = s->sum[i];
    int64_t rows = sum_first ? s->sum_size : s->free_size,
            cols = sum_first ? s->free_size : s->sum_size;
    wf_node *y = wf_chain_hold(c, wf_make_permute("tensordot", x, k, axes, &c->next));
    return y ? wf_chain_hold(c, wf_make_reshape(y, 2, (int64_t[]){ rows, cols }, &c->next)) : NULL;
}

static weft_status check_pairs(const wf_node *a, const wf_node *b, int n, const side *sa,
                               const side *sb)
{
    for (int i = 0; i < n; i++) {
        int64_t da = a->shape.dim[sa->sum[i]], db = b->shape.dim[sb->sum[i]];
        if (da != db)
            return wf_fail(WEFT_INVALID,
                           "tensordot: paired axes must agree, got %" PRId64
                           " on axis %d and %" PRId64 " on axis %d",
                           da, sa->sum[i], db, sb->sum[i]);
    }
    return WEFT_OK;
}

static weft_status tensordot_shape(const wf_node *a, const wf_node *b, const side *sa,
                                   const side *sb, wf_shape *out)
{
    int64_t dim[2 * WEFT_MAX_NDIM];
    int nd = 0;

    for (int i = 0; i < sa->nfree; i++) dim[nd++] = a->shape.dim[sa->order[i]];
    for (int i = 0; i < sb->nfree; i++) dim[nd++] = b->shape.dim[sb->order[i]];
    return wf_shape_init(out, "tensordot", nd, dim);
}

weft_status wf_make_tensordot(wf_node *a, wf_node *b, int n, const int *axes_a, const int *axes_b,
                              wf_node **out)
{
    weft_dtype dtype = wf_make_common(a, b);
    wf_shape shape;
    wf_chain c = { 0 };
    side sa, sb;

    if (n < 0 || n > a->shape.ndim || n > b->shape.ndim)
        return wf_fail(WEFT_INVALID, "tensordot: %d axes cannot be summed over arrays of %d and %d",
                       n, a->shape.ndim, b->shape.ndim);
    WF_TRY(split_axes(a, n, axes_a, a->shape.ndim - n, &sa));
    WF_TRY(split_axes(b, n, axes_b, 0, &sb));
    WF_TRY(check_pairs(a, b, n, &sa, &sb));
    WF_TRY(tensordot_shape(a, b, &sa, &sb, &shape));
    if (wf_shape_size(&shape) == 0 || sa.sum_size == 0)
        return wf_make_constant(dtype, &shape, 0, out);
    wf_node *left = as_matrix(&c, a, &sa, n, false),
            *right = left ? as_matrix(&c, b, &sb, n, true) : NULL, *y = NULL;
    if (right && n == 0) y = wf_chain_op2(&c, WF_OP_MULTIPLY, left, right);  // (m, 1) times (1, n)
    else if (right) y = multiply_matrices(&c, left, right, dtype);
    if (y) y = wf_chain_hold(&c, wf_make_reshape(y, shape.ndim, shape.dim, &c.next));
    return wf_chain_give(&c, y, out);
}

// X with AXIS last.
static wf_node *axis_to_end(wf_chain *c, wf_node *x, int axis)
{
    int axes[WEFT_MAX_NDIM], n = 0;

    c->status = wf_axis_normalize("vecdot", axis, x->shape.ndim, &axis);
    if (c->status != WEFT_OK) return NULL;
    for (int i = 0; i < x->shape.ndim; i++)
        if (i != axis) axes[n++] = i;
    axes[n++] = axis;
    return wf_chain_hold(c, wf_make_permute("vecdot", x, n, axes, &c->next));
}

static weft_status check_vecdot(const wf_node *a, const wf_node *b)
{
    wf_shape one = a->shape, two = b->shape, both;
    int64_t da = one.dim[--one.ndim], db = two.dim[--two.ndim];

    if (da != db)
        return wf_fail(WEFT_INVALID,
                       "vecdot: the summed axes must agree, got %" PRId64 " and %" PRId64, da, db);
    return wf_shape_broadcast("vecdot", &one, &two, &both);
}

weft_status wf_make_vecdot(wf_node *a, wf_node *b, int axis, wf_node **out)
{
    wf_chain c = { 0 };

    if (a->shape.ndim == 0 || b->shape.ndim == 0)
        return wf_fail(WEFT_INVALID,
                       "vecdot: expected arrays with at least one axis, got one of none");
    wf_node *one = axis_to_end(&c, a, axis), *two = one ? axis_to_end(&c, b, axis) : NULL,
            *y = NULL;
    if (two) c.status = check_vecdot(one, two);
    if (two && c.status == WEFT_OK) y = sum_products(&c, one, two, true);
    return wf_chain_give(&c, y, out);
}

weft_status wf_make_outer(wf_node *a, wf_node *b, wf_node **out)
{
    wf_chain c = { 0 };

    if (a->shape.ndim != 1 || b->shape.ndim != 1)
        return wf_fail(WEFT_INVALID, "outer: expected arrays of one axis, got %d and %d",
                       a->shape.ndim, b->shape.ndim);
    wf_node *column = wf_chain_hold(&c, wf_make_expand_dims(a, 1, &c.next));
    wf_node *row = column ? wf_chain_hold(&c, wf_make_expand_dims(b, 0, &c.next)) : NULL;
    return wf_chain_give(&c, wf_chain_op2(&c, WF_OP_MULTIPLY, column, row), out);
}
