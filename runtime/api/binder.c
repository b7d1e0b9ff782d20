// SPDX-License-Identifier: Apache-2.0
// binder - walks a parsed expression, node by node in its order of evaluation, and keeps what the
// names stand for.
#include <string.h>

#include "api/binder.h"

void wf_binder_init(wf_binder *b, weft_session *session, const wf_expr *expr, const void *site)
{
    *b = (wf_binder){ .session = session, .expr = expr, .site = site };
}

void wf_binder_fini(wf_binder *b)
{
    for (int64_t i = 0; i < b->nmemory; i++) wf_free(b->memory[i]);
    wf_free(b->memory);
    wf_free(b->binding);
    wf_free(b->value);
}

void *wf_binder_alloc(wf_binder *b, size_t size)
{
    if (wf_grow(&b->memory, &b->memory_capacity, b->nmemory + 1, sizeof *b->memory) != WEFT_OK)
        return NULL;
    void *p = wf_alloc(size);
    if (p) b->memory[b->nmemory++] = p;
    return p;
}

// --- names ---

const wf_binding *wf_binder_find(const wf_binder *b, const char *name)
{
    for (int64_t i = b->nbinding - 1; i >= 0; i--)
        if (strcmp(b->binding[i].name, name) == 0) return &b->binding[i];
    return NULL;
}

weft_status wf_binder_set(wf_binder *b, const char *name, const wf_term *value, bool assigned)
{
    wf_binding *there = (wf_binding *)wf_binder_find(b, name);

    if (!there) {
        WF_TRY(wf_grow(&b->binding, &b->capacity, b->nbinding + 1, sizeof *b->binding));
        there = &b->binding[b->nbinding++];
    }
    *there = (wf_binding){ .name = name, .value = *value, .assigned = assigned };
    return WEFT_OK;
}

static weft_status bind_name(wf_binder *b, int32_t node, wf_term *out)
{
    const char *name = wf_expr_text(b->expr, node), *near;
    const wf_binding *found = wf_binder_find(b, name);

    if (found) *out = found->value;
    else if (!wf_constant_find(name, out)) {
        if (wf_function_is_known(name))
            return wf_expr_fail(b->expr, node, WEFT_INVALID,
                                "'%s' is a function: expected '(' behind it", name);
        near = wf_name_suggest(b, name, false);
        if (near)
            return wf_expr_fail(b->expr, node, WEFT_INVALID,
                                "unknown name '%s'; did you mean '%s'?", name, near);
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "unknown name '%s'", name);
    }
    out->node = node;
    return WEFT_OK;
}

// --- parts of the text ---

static weft_status bind_sequence(wf_binder *b, int32_t node, wf_term_kind kind, wf_term *out)
{
    int32_t n = b->expr->node[node].nchild;
    wf_term *item = wf_binder_alloc(b, (size_t)n * sizeof *item);

    if (!item) return WEFT_NO_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        int32_t child = wf_expr_child(b->expr, node, i);
        item[i] = child < 0 ? (wf_term){ .kind = WF_TERM_NONE, .node = node } : b->value[child];
    }
    *out = (wf_term){ .kind = (uint8_t)kind, .node = node, .count = n, .as.item = item };
    return WEFT_OK;
}

static weft_status bind_unary(wf_binder *b, int32_t node, wf_term *out)
{
    const wf_term *x = &b->value[wf_expr_child(b->expr, node, 0)];
    weft_array *array;

    if (wf_term_is_number(x))
        return wf_number_unary(b, node, (wf_expr_op)b->expr->node[node].op, x, out);
    WF_TRY(wf_term_array(b, x, &array));
    return wf_binder_operate(b, node, 1, &array, out);
}

static weft_status bind_binary(wf_binder *b, int32_t node, wf_term *out)
{
    const wf_term *x = &b->value[wf_expr_child(b->expr, node, 0)],
                  *y = &b->value[wf_expr_child(b->expr, node, 1)];
    wf_expr_op op = (wf_expr_op)b->expr->node[node].op;
    weft_array *array[2];

    if (wf_term_is_number(x) && wf_term_is_number(y) && op != WF_EXPR_OP_MATMUL)
        return wf_number_binary(b, node, op, x, y, out);
    if (x->kind != WF_TERM_ARRAY && y->kind != WF_TERM_ARRAY && !wf_term_is_number(x) &&
        !wf_term_is_number(y))
        return wf_expr_fail(b->expr, node, WEFT_INVALID,
                            "'%s' needs an array or a number, got %s and %s", wf_expr_op_symbol(op),
                            wf_term_describe(x), wf_term_describe(y));
    WF_TRY(wf_term_array(b, x, &array[0]));
    WF_TRY(wf_term_array(b, y, &array[1]));
    return wf_binder_operate(b, node, 2, array, out);
}

static weft_status bind_assign(wf_binder *b, int32_t node, wf_term *out)
{
    const wf_term *v = &b->value[wf_expr_child(b->expr, node, 0)];

    *out = *v;
    return wf_binder_set(b, wf_expr_text(b->expr, node), v, true);
}

static weft_status bind_literal(const wf_expr_node *n, const char *text, wf_term *out)
{
    switch ((wf_expr_kind)n->kind) {
    case WF_EXPR_INT: *out = (wf_term){ .kind = WF_TERM_INT, .as.i = n->as.i }; break;
    case WF_EXPR_BOOL: *out = (wf_term){ .kind = WF_TERM_BOOL, .as.i = n->as.i }; break;
    case WF_EXPR_FLOAT: *out = (wf_term){ .kind = WF_TERM_FLOAT, .as.f = n->as.f }; break;
    case WF_EXPR_IMAG: *out = (wf_term){ .kind = WF_TERM_COMPLEX, .as.c = { 0, n->as.f } }; break;
    case WF_EXPR_STRING: *out = (wf_term){ .kind = WF_TERM_STRING, .as.text = text }; break;
    case WF_EXPR_ELLIPSIS: *out = (wf_term){ .kind = WF_TERM_ELLIPSIS }; break;
    default: *out = (wf_term){ .kind = WF_TERM_NONE }; break;
    }
    return WEFT_OK;
}

static weft_status bind_node(wf_binder *b, int32_t node, wf_term *out)
{
    const wf_expr_node *n = &b->expr->node[node];

    switch ((wf_expr_kind)n->kind) {
    case WF_EXPR_NAME: return bind_name(b, node, out);
    case WF_EXPR_ATTR: return wf_binder_attribute(b, node, out);
    case WF_EXPR_CALL:
    case WF_EXPR_METHOD: return wf_binder_call(b, node, out);
    case WF_EXPR_KEYWORD: *out = b->value[wf_expr_child(b->expr, node, 0)]; return WEFT_OK;
    case WF_EXPR_TUPLE:
    case WF_EXPR_LIST: return bind_sequence(b, node, WF_TERM_SEQUENCE, out);
    case WF_EXPR_SLICE: return bind_sequence(b, node, WF_TERM_SLICE, out);
    case WF_EXPR_INDEX:
        return b->relative ? wf_binder_neighbour(b, node, out) : wf_binder_index(b, node, out);
    case WF_EXPR_UNARY: return bind_unary(b, node, out);
    case WF_EXPR_BINARY: return bind_binary(b, node, out);
    case WF_EXPR_ASSIGN: return bind_assign(b, node, out);
    default: return bind_literal(n, wf_expr_text(b->expr, node), out);
    }
}

// The nodes stand in order of evaluation, so that no text, however deep, needs more of the stack.
weft_status wf_binder_run(wf_binder *b)
{
    b->value = wf_calloc((size_t)b->expr->nnode, sizeof *b->value);
    if (!b->value) return WEFT_NO_MEMORY;
    for (int32_t i = 0; i < b->expr->nnode; i++) {
        WF_TRY(bind_node(b, i, &b->value[i]));
        if (b->expr->node[i].kind != WF_EXPR_KEYWORD) b->value[i].node = i;
    }
    return WEFT_OK;
}
