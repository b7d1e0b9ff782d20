// SPDX-License-Identifier: Apache-2.0
// fold - algebra on constants: what changes no bit of any result, whatever the values. So integers
// (which wrap) and bool only, but for the signs of floats: x + 0.0 loses the sign of -0.0, x * 1.0
// quiets a signalling NaN, and sum(z + 1.0) rounds in another order than sum(z) + n. A constant's
// value is not known here, only its class, which is part of the plan's key; what is made of
// constants is a *derived* parameter, computed when the plan is bound.
#include <string.h>

#include "plan/build.h"

static bool is_integer(weft_dtype d) { return wf_dtype_kind(d) == 'i' || wf_dtype_kind(d) == 'u'; }

// The SCALAR that ITEM is or repeats over its shape, or -1.
static int constant_of(const wf_build *b, int i)
{
    while (!b->item[i].is_leaf && b->item[i].node->kind == WF_NODE_VIEW) i = b->item[i].in[0];
    return !b->item[i].is_leaf && b->item[i].node->kind == WF_NODE_SCALAR ? i : -1;
}

static bool is_map(const wf_build *b, int i, wf_op op)
{
    return !b->item[i].is_leaf && b->item[i].node->kind == WF_NODE_MAP && b->item[i].node->op == op;
}

static bool has_form(const wf_build *b, int i, const wf_node *of)
{
    const wf_node *n = b->item[i].node;
    return n->dtype == of->dtype && wf_shape_equal(&n->shape, &of->shape);
}

// --- items that no traced node has; NULL or -1 when there is no room: then nothing is folded ---

static wf_node *make_node(wf_build *b, const wf_node *like)
{
    if (b->nmade == b->item_capacity - b->outline->count) return NULL;
    if (b->nmade == b->made_capacity &&
        wf_grow(&b->made, &b->made_capacity, b->nmade + 1, sizeof *b->made) != WEFT_OK)
        return NULL;
    wf_node *n = wf_alloc(sizeof *n);
    if (!n) return NULL;
    if (like) *n = *like;  // what it points to is borrowed from the graph
    b->made[b->nmade++] = n;
    return n;
}

static int add_made(wf_build *b, const wf_node *node, int nin, int first, int second)
{
    wf_item it = { .node = node, .leaf = -1, .list = -1, .in = b->in_next };
    it.class = WF_CLASS_OTHER;
    b->in_next[0] = first;
    if (nin > 1) b->in_next[1] = second;
    b->in_next += nin;
    return wf_item_add(b, &it);
}

// The SCALAR a OP c, or a OP NUMBER when c is -1; a and c are SCALARs of one integer dtype.
static int derive(wf_build *b, wf_op op, int a, int c, int64_t number)
{
    wf_plan *p = b->plan;
    wf_node *n = make_node(b, b->item[a].node);
    if (!n || (p->nderived == b->derived_capacity &&
               wf_grow(&p->derived, &b->derived_capacity, p->nderived + 1, sizeof *p->derived) !=
                   WEFT_OK))
        return -1;
    p->derived[p->nderived] = (wf_derived){ .op = (uint16_t)op,
                                            .a = b->item[a].param,
                                            .b = c < 0 ? -1 : b->item[c].param,
                                            .number = number };
    wf_item it = { .node = n, .leaf = -1, .list = -1, .in = b->in_next, .class = WF_CLASS_OTHER };
    it.param = (int)b->outline->bind.nparam + p->nderived++;
    return wf_item_add(b, &it);
}

static int make_map(wf_build *b, const wf_node *like, wf_op op, int x, int constant)
{
    wf_node *n = constant < 0 ? NULL : make_node(b, like);
    if (!n) return -1;
    n->op = (uint16_t)op;
    return add_made(b, n, 2, x, constant);
}

// --- operations that change nothing ---

// CLASS on the right of OP (or on either side when it commutes) leaves integers of DTYPE as they
// are.
static bool is_neutral(wf_op op, uint8_t class, weft_dtype dtype)
{
    bool number = is_integer(dtype), truth = dtype == WEFT_BOOL;
    switch (op) {
    case WF_OP_ADD:
    case WF_OP_SUBTRACT:
    case WF_OP_BITWISE_LEFT_SHIFT:
    case WF_OP_BITWISE_RIGHT_SHIFT: return number && class == WF_CLASS_ZERO;
    case WF_OP_MULTIPLY:
    case WF_OP_FLOOR_DIVIDE:
    case WF_OP_POW: return number && class == WF_CLASS_ONE;
    case WF_OP_BITWISE_OR:
    case WF_OP_BITWISE_XOR: return (number || truth) && class == WF_CLASS_ZERO;
    case WF_OP_BITWISE_AND:
        return truth ? class == WF_CLASS_ONE : number && class == WF_CLASS_MINUS_ONE;
    case WF_OP_LOGICAL_OR:
    case WF_OP_LOGICAL_XOR: return truth && class == WF_CLASS_ZERO;
    case WF_OP_LOGICAL_AND: return truth && class == WF_CLASS_ONE;
    default: return false;
    }
}

static bool commutes(wf_op op)
{
    return op != WF_OP_SUBTRACT && op != WF_OP_FLOOR_DIVIDE && op != WF_OP_POW &&
           op != WF_OP_BITWISE_LEFT_SHIFT && op != WF_OP_BITWISE_RIGHT_SHIFT;
}

static int drop_neutral(const wf_build *b, int i)
{
    const wf_item *it = &b->item[i];
    wf_op op = (wf_op)it->node->op;
    for (int side = 1; side >= 0; side--) {
        int c = constant_of(b, it->in[side]), x = it->in[!side];
        if (c < 0 || (side == 0 && !commutes(op)) || !has_form(b, x, it->node)) continue;
        if (is_neutral(op, b->item[c].class, (weft_dtype)b->item[c].node->dtype)) return x;
    }
    return -1;
}

// An operation that undoes itself, done twice. Changing the sign of a float touches no other bit;
// 16-bit floats are converted on the way.
static int drop_twice(const wf_build *b, int i)
{
    const wf_item *it = &b->item[i];
    wf_op op = (wf_op)it->node->op;
    weft_dtype d = (weft_dtype)it->node->dtype;
    bool undoes = op == WF_OP_NEGATIVE || op == WF_OP_BITWISE_INVERT || op == WF_OP_CONJ ||
                  (op == WF_OP_LOGICAL_NOT && d == WEFT_BOOL);
    if (!undoes || wf_dtype_is_half(d) || !is_map(b, it->in[0], op)) return -1;
    int x = b->item[it->in[0]].in[0];
    return has_form(b, x, it->node) ? x : -1;
}

// --- constants together: (x + a) - c is x + (a - c), (x * a) * c is x * (a * c) ---

static bool is_sum(wf_op op) { return op == WF_OP_ADD || op == WF_OP_SUBTRACT; }

// ITEM is x OP constant (or constant OP x) of integers: *x and *constant, itself no constant.
static bool is_shifted(const wf_build *b, int i, int *x, int *constant)
{
    const wf_item *it = &b->item[i];
    if (it->is_leaf || it->node->kind != WF_NODE_MAP || !is_integer((weft_dtype)it->node->dtype))
        return false;
    wf_op op = (wf_op)it->node->op;
    if (!is_sum(op) && op != WF_OP_MULTIPLY) return false;
    for (int side = 1; side >= (op == WF_OP_SUBTRACT); side--) {
        int c = constant_of(b, it->in[side]), other = it->in[!side];
        if (c < 0 || constant_of(b, other) >= 0 || !has_form(b, other, it->node)) continue;
        *x = other;
        *constant = c;
        return true;
    }
    return false;
}

static int join_constants(wf_build *b, int i)
{
    const wf_node *n = b->item[i].node;
    int inner, x, c, a;
    if (!is_shifted(b, i, &inner, &c) || !is_shifted(b, inner, &x, &a)) return -1;
    wf_op outer = (wf_op)n->op, before = (wf_op)b->item[inner].node->op;
    if (outer == WF_OP_MULTIPLY && before == WF_OP_MULTIPLY)
        return make_map(b, n, WF_OP_MULTIPLY, x, derive(b, WF_OP_MULTIPLY, a, c, 0));
    if (!is_sum(outer) || !is_sum(before)) return -1;
    // x - a + c is x - (a - c); x - a - c is x - (a + c).
    wf_op between = outer == before ? WF_OP_ADD : WF_OP_SUBTRACT;
    return make_map(b, n, before, x, derive(b, between, a, c, 0));
}

// Two constants of one integer dtype.
static int combine_constants(wf_build *b, int i)
{
    const wf_item *it = &b->item[i];
    wf_op op = (wf_op)it->node->op;
    if (!is_integer((weft_dtype)it->node->dtype) || it->node->shape.ndim > 0) return -1;
    if (!is_sum(op) && op != WF_OP_MULTIPLY) return -1;
    int a = constant_of(b, it->in[0]), c = constant_of(b, it->in[1]);
    if (a < 0 || c < 0 || !has_form(b, a, it->node) || !has_form(b, c, it->node)) return -1;
    return derive(b, op, a, c, 0);
}

// --- sum(z + c) is sum(z) + n*c, sum(z * c) is sum(z) * c ---

static bool is_plain_sum(const wf_build *b, int field)
{
    if (b->item[field].is_leaf || b->item[field].node->kind != WF_NODE_FIELD) return false;
    const wf_item *r = &b->item[b->item[field].in[0]];
    return !r->is_leaf && r->node->nin == 1 && r->node->op == WF_REDUCE_SUM &&
           (r->node->dtype == WEFT_INT64 || r->node->dtype == WEFT_UINT64);
}

// How many elements of SHAPE each element of WHOLE sums, if that is the same for all; else 0.
static int64_t times_summed(const wf_shape *shape, const wf_shape *whole)
{
    uint64_t n = 1;
    for (int i = 0; i < shape->ndim; i++) {
        if (whole->dim[i] == shape->dim[i]) continue;
        if (whole->dim[i] != 1) return 0;
        n *= (uint64_t)shape->dim[i];
    }
    return (int64_t)n;
}

// The levels of the sum at FIELD again, over X.
static int rebuild(wf_build *b, int field, int x)
{
    int level[16], n = 0;
    for (int f = field; is_plain_sum(b, f); f = b->item[b->item[f].in[0]].in[0]) {
        if (n == 16) return -1;
        level[n++] = f;
    }
    while (n-- > 0 && x >= 0) {
        wf_node *reduce = make_node(b, b->item[b->item[level[n]].in[0]].node);
        x = reduce ? add_made(b, reduce, 1, x, 0) : -1;
        wf_node *out = x < 0 ? NULL : make_node(b, b->item[level[n]].node);
        x = out ? add_made(b, out, 1, x, 0) : -1;
    }
    return x;
}

static int fold_sum(wf_build *b, int i)
{
    const wf_node *whole = b->item[i].node;
    int base = i, x, c;
    if (!is_plain_sum(b, i)) return -1;
    while (is_plain_sum(b, base)) base = b->item[b->item[base].in[0]].in[0];
    if (b->item[base].node->dtype != whole->dtype || !is_shifted(b, base, &x, &c)) return -1;
    wf_op op = (wf_op)b->item[base].node->op;
    int64_t n = times_summed(&b->item[base].node->shape, &whole->shape);
    if (n == 0) return -1;
    int sum = rebuild(b, i, x);
    if (sum < 0) return -1;
    wf_node like = { .kind = WF_NODE_MAP, .dtype = whole->dtype, .nin = 2, .shape = whole->shape };
    like.site = whole->site;
    like.label = whole->label;
    return make_map(b, &like, op, sum,
                    op == WF_OP_MULTIPLY ? c : derive(b, WF_OP_MULTIPLY, c, -1, n));
}

int wf_fold(wf_build *b, int i)
{
    const wf_item *it = &b->item[i];
    int to = -1;
    if (it->is_leaf) return i;
    if (it->node->kind == WF_NODE_FIELD) to = fold_sum(b, i);
    if (it->node->kind == WF_NODE_MAP && it->node->nin == 1) to = drop_twice(b, i);
    if (it->node->kind == WF_NODE_MAP && it->node->nin == 2) {
        to = drop_neutral(b, i);
        if (to < 0) to = combine_constants(b, i);
        if (to < 0) to = join_constants(b, i);
    }
    return to < 0 ? i : to;
}
