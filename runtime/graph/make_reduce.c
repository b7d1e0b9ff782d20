// SPDX-License-Identifier: Apache-2.0
// make_reduce - reductions as levels of canonical cells, and running sums. A reduction is a tower
// of REDUCE nodes, each of which makes one partial result per cell, until one is left; what a mean
// or a variance needs beyond that is elementwise on top.
#include <math.h>
#include <string.h>

#include "graph/make_chain.h"

enum { ROW_CELL = 4096, COLUMN_CELL = 64, COLUMN_CELL_ABOVE = 256 };

void wf_reduce_cells(const wf_shape *shape, const bool *reduced, int level, int64_t *cell,
                     bool *inner)
{
    int last = -1;

    *inner = true;
    for (int i = 0; i < shape->ndim; i++) {
        cell[i] = 1;
        if (shape->dim[i] > 1) *inner = reduced[i];
        if (reduced[i]) last = i;
    }
    int64_t budget = *inner ? ROW_CELL : level == 0 ? COLUMN_CELL : COLUMN_CELL_ABOVE;
    for (int i = last; i >= 0; i--) {
        if (!reduced[i] || shape->dim[i] <= 1) continue;
        cell[i] = shape->dim[i] < budget ? shape->dim[i] : budget;
        budget /= cell[i];
    }
}

weft_dtype wf_dtype_sum(weft_dtype dtype)
{
    char kind = wf_dtype_kind(dtype);
    return kind == 'b' || kind == 'i' ? WEFT_INT64 : kind == 'u' ? WEFT_UINT64 : dtype;
}

static const char *const names[WF_REDUCTION_COUNT] = {
#define WEFT_REDUCTION(NAME, name, result, doc) [WF_REDUCTION_##NAME] = #name,
#include "weft/op.def"
};

typedef enum rule { SUM, SAME, BOOL, INDEX, MEAN, COUNT } rule;

static const rule rules[WF_REDUCTION_COUNT] = {
#define WEFT_REDUCTION(NAME, name, result, doc) [WF_REDUCTION_##NAME] = result,
#include "weft/op.def"
};

// One reduction being made.
typedef struct reduction {
    wf_chain chain;
    wf_reduction kind;  // never a nan form of what has no NaN
    const char *name;   // as the user called it
    wf_node *x;
    bool reduced[WEFT_MAX_NDIM];
    int64_t n;            // elements reduced to one
    wf_shape shape;       // of the result with its reduced axes kept, extent 1
    weft_dtype dtype;     // of the result
    weft_dtype computed;  // what the arithmetic before the result is done in: never a 16-bit float
    double correction;
} reduction;

static bool is_position(wf_reduce_op op)
{
    return op >= WF_REDUCE_ARGMIN && op <= WF_REDUCE_NANARGMAX;
}

static int field_count(wf_reduce_op op)
{
    if (op == WF_REDUCE_MOMENTS || op == WF_REDUCE_NANMOMENTS) return 3;
    return is_position(op) ? 2 : 1;
}

static weft_dtype field_dtype(wf_reduce_op op, weft_dtype dtype, int field)
{
    if (field_count(op) == 2 && field == 1) return WEFT_INT64;
    return field_count(op) == 3 && field != 1 ? wf_dtype_real(dtype) : dtype;
}

static weft_status create_level(wf_reduce_op op, weft_dtype dtype, const bool *reduced, int level,
                                int nin, wf_node *const *in, wf_node **out)
{
    wf_shape shape = in[0]->shape;
    int64_t cell[WEFT_MAX_NDIM];
    wf_node *n;
    bool inner;

    wf_reduce_cells(&shape, reduced, level, cell, &inner);
    for (int i = 0; i < shape.ndim; i++) shape.dim[i] = (shape.dim[i] - 1) / cell[i] + 1;
    WF_TRY(wf_node_create(WF_NODE_REDUCE, dtype, &shape, nin, in, &n));
    n->op = (uint16_t)op;
    n->field = (int16_t)field_count(op);
    n->inner = inner;
    weft_status st = wf_node_set_extra(n, cell, (size_t)shape.ndim * sizeof *cell);
    if (st == WEFT_OK) *out = n;
    else wf_node_release(n);
    return st;
}

static weft_status create_field(wf_node *reduce, int field, wf_node **out)
{
    weft_dtype dtype = field_dtype((wf_reduce_op)reduce->op, (weft_dtype)reduce->dtype, field);

    WF_TRY(wf_node_create(WF_NODE_FIELD, dtype, &reduce->shape, 1, &reduce, out));
    (*out)->field = (int16_t)field;
    return WEFT_OK;
}

static bool is_reduced(const wf_shape *shape, const bool *reduced)
{
    for (int i = 0; i < shape->ndim; i++)
        if (reduced[i] && shape->dim[i] > 1) return false;
    return true;
}

// The first level counts positions among the axes that it reduces, and leaves out those in front
// whose turn comes later: their part is added here. -1, which stands for nothing found, stays.
static wf_node *whole_position(reduction *r, const wf_node *level, wf_node *position)
{
    wf_chain *c = &r->chain;
    const wf_shape *from = &r->x->shape;
    int64_t stride[WEFT_MAX_NDIM] = { 0 }, run = 1;
    bool left = false;

    for (int i = from->ndim - 1; i >= 0; i--) {
        if (!r->reduced[i]) continue;
        if (level->cell[i] == 1 && from->dim[i] > 1) {
            stride[i] = run;
            left = true;
        }
        run *= from->dim[i];
    }
    if (!left || !position) return position;
    wf_node *before = wf_chain_counter(c, &level->shape, 0, stride);
    wf_node *moved = wf_chain_op2(c, WF_OP_ADD, position, before);
    if (level->op == WF_REDUCE_ARGMIN || level->op == WF_REDUCE_ARGMAX) return moved;
    wf_node *none = wf_chain_int(c, -1);
    return wf_chain_where(c, wf_chain_op2(c, WF_OP_EQUAL, position, none), none, moved);
}

// Stacks levels over X until one partial result is left per result. Its field F is r->fields';
// needs r->n > 1.
static wf_node *tower(reduction *r, wf_reduce_op op, weft_dtype dtype, wf_node *x)
{
    wf_chain *c = &r->chain;
    wf_node *in[WF_REDUCE_MAX_FIELDS] = { x };
    int nin = 1;

    for (int level = 0; in[0]; level++) {
        wf_node *reduce =
            wf_chain_hold(c, create_level(op, dtype, r->reduced, level, nin, in, &c->next));
        if (!reduce || is_reduced(&reduce->shape, r->reduced)) return reduce;
        nin = field_count(op);
        for (int f = 0; f < nin && c->status == WEFT_OK; f++)
            in[f] = wf_chain_hold(c, create_field(reduce, f, &c->next));
        if (level == 0 && is_position(op)) in[1] = whole_position(r, reduce, in[1]);
        if (c->status != WEFT_OK) return NULL;
    }
    return NULL;
}

static wf_node *field_of(reduction *r, wf_node *reduce, int field)
{
    return reduce ? wf_chain_hold(&r->chain, create_field(reduce, field, &r->chain.next)) : NULL;
}

// X reduced by an operation of one field, accumulated in DTYPE. Conversion to a wider dtype is the
// reduction's own work.
static wf_node *reduce(reduction *r, wf_reduce_op op, weft_dtype dtype, wf_node *x)
{
    if (!x) return NULL;
    if (!wf_dtype_can_cast((weft_dtype)x->dtype, dtype)) x = wf_chain_cast(&r->chain, x, dtype);
    if (!x || r->n == 1) return wf_chain_cast(&r->chain, x, dtype);
    return field_of(r, tower(r, op, dtype, x), 0);
}

static wf_node *full(reduction *r, weft_dtype dtype, double value)
{
    return wf_chain_full(&r->chain, dtype, &r->shape, value);
}

static wf_node *isnan_of(reduction *r) { return wf_chain_op(&r->chain, WF_OP_ISNAN, r->x); }

static wf_node *without_nan(reduction *r, int64_t instead)
{
    return wf_chain_where(&r->chain, isnan_of(r), wf_chain_int(&r->chain, instead), r->x);
}

// What is summed is converted first, as NumPy does: an int32 sum of float64 truncates each element.
static wf_node *converted(reduction *r, wf_node *x)
{
    if (!x || wf_dtype_can_cast((weft_dtype)x->dtype, r->dtype)) return x;
    return wf_chain_cast(&r->chain, x, r->dtype);
}

static wf_node *make_sum(reduction *r)
{
    bool product = r->kind == WF_REDUCTION_PROD || r->kind == WF_REDUCTION_NANPROD;
    bool nan = r->kind == WF_REDUCTION_NANSUM || r->kind == WF_REDUCTION_NANPROD;

    if (r->n == 0) return full(r, r->dtype, product);
    wf_node *x = converted(r, nan ? without_nan(r, product) : r->x);
    return reduce(r, product ? WF_REDUCE_PROD : WF_REDUCE_SUM, r->computed, x);
}

static wf_node *make_extreme(reduction *r)
{
    switch (r->kind) {
    case WF_REDUCTION_MIN: return reduce(r, WF_REDUCE_MIN, r->computed, r->x);
    case WF_REDUCTION_MAX: return reduce(r, WF_REDUCE_MAX, r->computed, r->x);
    case WF_REDUCTION_NANMIN:
        return r->n == 0 ? full(r, r->dtype, NAN) : reduce(r, WF_REDUCE_FMIN, r->computed, r->x);
    default:
        return r->n == 0 ? full(r, r->dtype, NAN) : reduce(r, WF_REDUCE_FMAX, r->computed, r->x);
    }
}

static wf_node *make_bool(reduction *r)
{
    bool all = r->kind == WF_REDUCTION_ALL;

    if (r->n == 0) return full(r, WEFT_BOOL, all);
    return reduce(r, all ? WF_REDUCE_ALL : WF_REDUCE_ANY, WEFT_BOOL, r->x);
}

static wf_node *make_count(reduction *r)
{
    if (r->n == 0) return full(r, WEFT_INT64, 0);
    wf_node *is = r->x->dtype == WEFT_BOOL ? r->x : wf_chain_cast(&r->chain, r->x, WEFT_BOOL);
    return reduce(r, WF_REDUCE_SUM, WEFT_INT64, is);
}

// How many elements are not NaN, in the real dtype that the mean is computed in.
static wf_node *count_numbers(reduction *r)
{
    wf_node *number = wf_chain_op(&r->chain, WF_OP_LOGICAL_NOT, isnan_of(r));
    return wf_chain_cast(&r->chain, reduce(r, WF_REDUCE_SUM, WEFT_INT64, number),
                         wf_dtype_real(r->computed));
}

static wf_node *make_mean(reduction *r)
{
    wf_chain *c = &r->chain;

    if (r->n == 0) return full(r, r->dtype, NAN);
    if (r->n == 1) return converted(r, r->x);
    if (r->kind == WF_REDUCTION_NANMEAN) {
        wf_node *sum = reduce(r, WF_REDUCE_SUM, r->computed, converted(r, without_nan(r, 0)));
        return wf_chain_op2(c, WF_OP_DIVIDE, sum, count_numbers(r));
    }
    wf_node *sum = reduce(r, WF_REDUCE_SUM, r->computed, converted(r, r->x));
    return wf_chain_op2(c, WF_OP_DIVIDE, sum,
                        wf_chain_scalar(c, wf_dtype_real(r->computed), (double)r->n));
}

// Of a single element: 0, or NaN where it is not finite, over what is left of 1.
static wf_node *variance_of_one(reduction *r)
{
    wf_chain *c = &r->chain;
    double left = 1 - r->correction;
    wf_node *x = wf_chain_cast(c, converted(r, r->x), r->computed);
    wf_node *zero = wf_chain_op(c, WF_OP_ABS, wf_chain_op2(c, WF_OP_SUBTRACT, x, x));
    return wf_chain_op2(c, WF_OP_DIVIDE, zero,
                        wf_chain_scalar(c, wf_dtype_real(r->computed), left > 0 ? left : 0));
}

static wf_node *make_variance(reduction *r)
{
    wf_chain *c = &r->chain;
    weft_dtype real = wf_dtype_real(r->computed);
    bool nan = r->kind == WF_REDUCTION_NANVAR || r->kind == WF_REDUCTION_NANSTD;
    wf_node *variance;

    if (r->n == 0) return full(r, r->dtype, NAN);
    if (r->n == 1) variance = variance_of_one(r);
    else {
        wf_reduce_op op = nan ? WF_REDUCE_NANMOMENTS : WF_REDUCE_MOMENTS;
        weft_dtype from = (weft_dtype)r->x->dtype;
        wf_node *x =
            wf_dtype_can_cast(from, r->computed) ? r->x : wf_chain_cast(c, r->x, r->computed);
        wf_node *moments = x ? tower(r, op, r->computed, x) : NULL, *over;
        double left = (double)r->n - r->correction;
        if (!nan) over = wf_chain_scalar(c, real, left > 0 ? left : 0);
        else {  // as NumPy: NaN, not infinity, where too few are left
            wf_node *freedom = wf_chain_op2(c, WF_OP_SUBTRACT, field_of(r, moments, 0),
                                            wf_chain_num(c, r->correction));
            wf_node *enough = wf_chain_op2(c, WF_OP_GREATER, freedom, wf_chain_num(c, 0));
            over = wf_chain_where(c, enough, freedom, wf_chain_num(c, NAN));
        }
        variance = wf_chain_op2(c, WF_OP_DIVIDE, field_of(r, moments, 2), over);
    }
    bool root = r->kind == WF_REDUCTION_STD || r->kind == WF_REDUCTION_NANSTD;
    return root ? wf_chain_op(c, WF_OP_SQRT, variance) : variance;
}

static wf_node *make_position(reduction *r)
{
    static const wf_reduce_op ops[WF_REDUCTION_COUNT] = {
        [WF_REDUCTION_ARGMIN] = WF_REDUCE_ARGMIN,
        [WF_REDUCTION_ARGMAX] = WF_REDUCE_ARGMAX,
        [WF_REDUCTION_NANARGMIN] = WF_REDUCE_NANARGMIN,
        [WF_REDUCTION_NANARGMAX] = WF_REDUCE_NANARGMAX,
    };
    bool nan = r->kind == WF_REDUCTION_NANARGMIN || r->kind == WF_REDUCTION_NANARGMAX;
    wf_chain *c = &r->chain;

    if (r->n == 0) return full(r, WEFT_INT64, -1);
    if (r->n > 1) return field_of(r, tower(r, ops[r->kind], r->computed, r->x), 1);
    if (!nan) return full(r, WEFT_INT64, 0);
    return wf_chain_where(c, isnan_of(r), wf_chain_scalar(c, WEFT_INT64, -1),
                          wf_chain_scalar(c, WEFT_INT64, 0));
}

// The same without looking for NaN, where there cannot be any.
static wf_reduction plain_form(wf_reduction kind)
{
    switch (kind) {
    case WF_REDUCTION_NANSUM: return WF_REDUCTION_SUM;
    case WF_REDUCTION_NANPROD: return WF_REDUCTION_PROD;
    case WF_REDUCTION_NANMIN: return WF_REDUCTION_MIN;
    case WF_REDUCTION_NANMAX: return WF_REDUCTION_MAX;
    case WF_REDUCTION_NANMEAN: return WF_REDUCTION_MEAN;
    case WF_REDUCTION_NANVAR: return WF_REDUCTION_VAR;
    case WF_REDUCTION_NANSTD: return WF_REDUCTION_STD;
    case WF_REDUCTION_NANARGMIN: return WF_REDUCTION_ARGMIN;
    case WF_REDUCTION_NANARGMAX: return WF_REDUCTION_ARGMAX;
    default: return kind;
    }
}

static bool is_inexact(weft_dtype dtype)
{
    char kind = wf_dtype_kind(dtype);
    return kind == 'f' || kind == 'c';
}

static bool takes_dtype(wf_reduction kind) { return rules[kind] == SUM || rules[kind] == MEAN; }

static bool is_variance(wf_reduction kind)
{
    kind = plain_form(kind);
    return kind == WF_REDUCTION_VAR || kind == WF_REDUCTION_STD;
}

// The dtype of the result, and the one computed in.
static weft_status set_dtypes(reduction *r, weft_dtype asked)
{
    weft_dtype from = (weft_dtype)r->x->dtype;

    if (asked && !takes_dtype(r->kind))
        return wf_fail(WEFT_INVALID, "%s: takes no dtype, got %s", r->name, wf_dtype_name(asked));
    if (asked && !wf_dtype_is_valid(asked))
        return wf_fail(WEFT_INVALID, "%s: expected a dtype, got the number %d", r->name,
                       (int)asked);
    switch (rules[r->kind]) {
    case SUM: r->dtype = asked ? asked : wf_dtype_sum(from); break;
    case SAME: r->dtype = from; break;
    case BOOL: r->dtype = WEFT_BOOL; break;
    case MEAN: r->dtype = asked ? asked : is_inexact(from) ? from : WEFT_FLOAT64; break;
    default: r->dtype = WEFT_INT64;
    }
    if (rules[r->kind] == MEAN && !is_inexact(r->dtype))
        return wf_fail(WEFT_INVALID, "%s: expected a float or complex dtype, got %s", r->name,
                       wf_dtype_name(asked));
    bool ordered = rules[r->kind] == SAME || rules[r->kind] == INDEX;
    if (ordered && wf_dtype_kind(from) == 'c')
        return wf_fail(WEFT_INVALID, "%s: %s has no order", r->name, wf_dtype_name(from));
    r->computed = wf_dtype_compute(rules[r->kind] == INDEX ? from : r->dtype);
    if (is_variance(r->kind)) r->dtype = wf_dtype_real(r->dtype);
    return WEFT_OK;
}

static weft_status set_shape(reduction *r, int naxes, const int *axes)
{
    if (rules[r->kind] == INDEX && axes && naxes != 1)
        return wf_fail(WEFT_INVALID, "%s: expected one axis or all, got %d", r->name, naxes);
    WF_TRY(wf_make_axes(r->name, r->x->shape.ndim, naxes, axes, r->reduced));
    r->n = 1;
    r->shape = r->x->shape;
    bool empty = false;
    for (int i = 0; i < r->shape.ndim; i++) {
        if (!r->reduced[i]) continue;
        empty |= r->shape.dim[i] == 0;
        r->shape.dim[i] = 1;
    }
    for (int i = 0; i < r->shape.ndim && !empty;
         i++)  // an array without elements may have any extents: they saturate
        if (r->reduced[i] && __builtin_mul_overflow(r->n, r->x->shape.dim[i], &r->n))
            r->n = INT64_MAX;
    if (empty) r->n = 0;
    return wf_shape_init(&r->shape, r->name, r->shape.ndim, r->shape.dim);
}

static weft_status check_empty(const reduction *r)
{
    bool largest = r->kind == WF_REDUCTION_MAX || r->kind == WF_REDUCTION_ARGMAX;

    if (r->n > 0) return WEFT_OK;
    if (r->kind != WF_REDUCTION_MIN && r->kind != WF_REDUCTION_MAX &&
        r->kind != WF_REDUCTION_ARGMIN && r->kind != WF_REDUCTION_ARGMAX)
        return WEFT_OK;
    if (wf_shape_size(&r->shape) == 0 && rules[r->kind] == SAME)
        return WEFT_OK;  // nothing is asked of it
    return wf_fail(WEFT_INVALID, "%s: an empty axis has no %s element", r->name,
                   largest ? "largest" : "smallest");
}

static wf_node *make_values(reduction *r)
{
    if (wf_shape_size(&r->shape) == 0) return full(r, r->dtype, 0);
    switch (plain_form(r->kind)) {
    case WF_REDUCTION_SUM:
    case WF_REDUCTION_PROD: return make_sum(r);
    case WF_REDUCTION_MIN:
    case WF_REDUCTION_MAX: return make_extreme(r);
    case WF_REDUCTION_MEAN: return make_mean(r);
    case WF_REDUCTION_VAR:
    case WF_REDUCTION_STD: return make_variance(r);
    case WF_REDUCTION_ANY:
    case WF_REDUCTION_ALL: return make_bool(r);
    case WF_REDUCTION_COUNT_NONZERO: return make_count(r);
    default: return make_position(r);
    }
}

static wf_node *drop_reduced(reduction *r, wf_node *y)
{
    wf_shape shape = { .ndim = 0 };
    wf_map map = { .ndim = r->shape.ndim };

    for (int i = 0; i < map.ndim; i++) {
        map.axis[i] = r->reduced[i] ? -1 : (int8_t)shape.ndim;
        map.step[i] = !r->reduced[i];
        if (!r->reduced[i]) shape.dim[shape.ndim++] = r->shape.dim[i];
    }
    return wf_chain_view(&r->chain, r->name, y, &shape, &map);
}

weft_status wf_make_reduction(wf_reduction kind, wf_node *x, int naxes, const int *axes,
                              weft_dtype dtype, bool keepdims, double correction, wf_node **out)
{
    if ((unsigned)kind >= WF_REDUCTION_COUNT)
        return wf_fail(WEFT_INTERNAL, "reduction: no number %d", (int)kind);
    reduction r = { .kind = kind, .name = names[kind], .x = x, .correction = correction };

    if (!is_inexact((weft_dtype)x->dtype)) r.kind = plain_form(kind);
    WF_TRY(set_dtypes(&r, dtype));
    WF_TRY(set_shape(&r, naxes, axes));
    WF_TRY(check_empty(&r));
    wf_node *y = wf_chain_cast(&r.chain, make_values(&r), r.dtype);
    if (!keepdims) y = drop_reduced(&r, y);
    return wf_chain_give(&r.chain, y, out);
}
