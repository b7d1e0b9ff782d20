// SPDX-License-Identifier: Apache-2.0
// binder_call - a call in an expression: its arguments put in the order of the function's
// signature, and the public call made.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/binder_table.h"

// --- signatures ---

// One argument of a signature: "axis?", "x|a", "+shape".
typedef struct parameter {
    const char *name;  // what stands before '?', '|' or ' '
    int length, size;  // of the name; of all of it
    bool optional, rest;
} parameter;

// The parameter at *TEXT, which is moved behind it; false at the end. *KEYWORD becomes true at a
// '*'.
static bool next_parameter(const char **text, bool *keyword, parameter *out)
{
    const char *p = *text + strspn(*text, " ");
    if (*p == '*') {
        *keyword = true;
        p++;
        p += strspn(p, " ");
    }
    if (!*p) return false;
    int size = (int)strcspn(p, " ");
    out->rest = *p == '+';
    out->optional = memchr(p, '?', (size_t)size) != NULL;
    out->name = p + out->rest;
    out->size = size - out->rest;
    out->length = (int)strcspn(out->name, "?| ");
    *text = p + size;
    return true;
}

static bool has_name(const parameter *p, const char *name)
{
    size_t length = strlen(name);
    const char *at = p->name, *end = p->name + p->size;

    while (at < end) {
        size_t n = strcspn(at, "?| ");
        if (n == length && memcmp(at, name, n) == 0) return true;
        at += n;
        while (at < end && (*at == '?' || *at == '|')) at++;
    }
    return false;
}

static weft_status fail_keyword(wf_call *c, int32_t node, const char *name)
{
    char known[256] = "";
    const char *text = c->function->signature;
    bool keyword = false;
    parameter p;

    while (next_parameter(&text, &keyword, &p)) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%.*s", used ? ", " : "", p.length, p.name);
    }
    return wf_expr_fail(c->b->expr, node, WEFT_INVALID,
                        "%s: unknown argument '%s'; expected one of: %s", c->function->name, name,
                        known);
}

static weft_status take_keyword(wf_call *c, int32_t node)
{
    const char *name = wf_expr_text(c->b->expr, node), *text = c->function->signature;
    bool keyword = false;
    parameter p;

    for (int i = 0; next_parameter(&text, &keyword, &p); i++) {
        if (!has_name(&p, name)) continue;
        if (c->arg[i])
            return wf_expr_fail(c->b->expr, node, WEFT_INVALID, "%s: argument '%s' is given twice",
                                c->function->name, name);
        c->arg[i] = &c->b->value[node];
        return WEFT_OK;
    }
    return fail_keyword(c, node, name);
}

// The positional arguments from FIRST on as one: itself if it is alone, else a tuple.
static weft_status take_rest(wf_call *c, int32_t first, int32_t n, const wf_term **out)
{
    wf_term *item, *all;

    if (n == 1) {
        *out = &c->b->value[wf_expr_child(c->b->expr, c->node, first)];
        return WEFT_OK;
    }
    item = wf_binder_alloc(c->b, (size_t)n * sizeof *item);
    all = wf_binder_alloc(c->b, sizeof *all);
    if (!item || !all) return WEFT_NO_MEMORY;
    for (int32_t i = 0; i < n; i++)
        item[i] = c->b->value[wf_expr_child(c->b->expr, c->node, first + i)];
    *all = (wf_term){ .kind = WF_TERM_SEQUENCE, .node = item[0].node, .count = n, .as.item = item };
    *out = all;
    return WEFT_OK;
}

static weft_status take_positional(wf_call *c, int32_t first, int32_t n)
{
    const char *text = c->function->signature;
    bool keyword = false;
    int32_t at = first;
    parameter p;

    for (int i = 0; at < n && next_parameter(&text, &keyword, &p) && !keyword; i++) {
        if (p.rest) {
            WF_TRY(take_rest(c, at, n - at, &c->arg[i]));
            at = n;
        } else {
            c->arg[i] = &c->b->value[wf_expr_child(c->b->expr, c->node, at++)];
        }
    }
    if (at == n) return WEFT_OK;
    return wf_expr_fail(c->b->expr, wf_expr_child(c->b->expr, c->node, at), WEFT_INVALID,
                        "%s: expected at most %d argument%s by position, got %d", c->function->name,
                        (int)(at - first), at - first == 1 ? "" : "s", (int)(n - first));
}

static weft_status check_missing(wf_call *c)
{
    const char *text = c->function->signature;
    bool keyword = false;
    parameter p;

    for (int i = 0; next_parameter(&text, &keyword, &p); i++) {
        if (p.optional || wf_arg_is_given(c, i)) continue;
        return wf_expr_fail(c->b->expr, c->node, WEFT_INVALID, "%s: argument '%.*s' is missing",
                            c->function->name, p.length, p.name);
    }
    return WEFT_OK;
}

// From child FIRST on.
static weft_status take_arguments(wf_call *c, int32_t first)
{
    int32_t n = c->b->expr->node[c->node].nchild, positional = first;

    while (positional < n &&
           c->b->expr->node[wf_expr_child(c->b->expr, c->node, positional)].kind != WF_EXPR_KEYWORD)
        positional++;
    WF_TRY(take_positional(c, first, positional));
    for (int32_t i = positional; i < n; i++)
        WF_TRY(take_keyword(c, wf_expr_child(c->b->expr, c->node, i)));
    return check_missing(c);
}

// float32(x)
static weft_status convert(wf_binder *b, int32_t node, weft_dtype dtype, wf_term *out)
{
    weft_array *x;

    if (b->expr->node[node].nchild != 1)
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "%s: expected one argument",
                            weft_dtype_name(dtype));
    WF_TRY(wf_term_array(b, &b->value[wf_expr_child(b->expr, node, 0)], &x));
    return wf_term_give(b, node, weft_astype(x, dtype), out);
}

weft_status wf_binder_call(wf_binder *b, int32_t node, wf_term *out)
{
    const char *name = wf_expr_text(b->expr, node), *near;
    const wf_term *object = b->expr->node[node].kind == WF_EXPR_METHOD
                                ? &b->value[wf_expr_child(b->expr, node, 0)]
                                : NULL;
    bool module = object && object->kind == WF_TERM_MODULE;
    char full[64];
    wf_term constant;

    if (module) {  // random.normal(...)
        snprintf(full, sizeof full, "%s.%s", object->as.text, name);
        name = full;
    }
    wf_call c = { .b = b, .node = node, .function = wf_function_find(name) };
    if (c.function) {
        WF_TRY(take_arguments(&c, module));
        return c.function->call(&c, out);
    }
    if (b->expr->node[node].kind == WF_EXPR_CALL && wf_constant_find(name, &constant) &&
        constant.kind == WF_TERM_DTYPE)
        return convert(b, node, (weft_dtype)constant.as.i, out);
    if (wf_binder_find(b, name))
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "'%s' is no function", name);
    near = wf_name_suggest(b, name, true);
    if (near)
        return wf_expr_fail(b->expr, node, WEFT_INVALID,
                            "unknown function '%s'; did you mean '%s'?", name, near);
    return wf_expr_fail(b->expr, node, WEFT_INVALID, "unknown function '%s'", name);
}

// --- arguments ---

weft_status wf_call_fail(wf_call *c, int i, weft_status code, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return wf_expr_fail(c->b->expr, i >= 0 && c->arg[i] ? c->arg[i]->node : c->node, code, "%s: %s",
                        c->function->name, text);
}

weft_status wf_arg_array(wf_call *c, int i, weft_array **out)
{
    return wf_arg_is_given(c, i) ? wf_term_array(c->b, c->arg[i], out) : WEFT_OK;
}

weft_status wf_arg_i64(wf_call *c, int i, int64_t *out)
{
    return wf_arg_is_given(c, i) ? wf_term_i64(c->b, c->arg[i], out) : WEFT_OK;
}

weft_status wf_arg_int(wf_call *c, int i, int *out)
{
    return wf_arg_is_given(c, i) ? wf_term_int(c->b, c->arg[i], out) : WEFT_OK;
}

weft_status wf_arg_f64(wf_call *c, int i, double *out)
{
    return wf_arg_is_given(c, i) ? wf_term_f64(c->b, c->arg[i], out) : WEFT_OK;
}

weft_status wf_arg_bool(wf_call *c, int i, bool *out)
{
    return wf_arg_is_given(c, i) ? wf_term_bool(c->b, c->arg[i], out) : WEFT_OK;
}

weft_status wf_arg_dtype(wf_call *c, int i, weft_dtype *out)
{
    return wf_arg_is_given(c, i) ? wf_term_dtype(c->b, c->arg[i], out) : WEFT_OK;
}

weft_status wf_arg_shape(wf_call *c, int i, int *n, int64_t out[WEFT_MAX_NDIM])
{
    return wf_arg_is_given(c, i) ? wf_term_ints(c->b, c->arg[i], WEFT_MAX_NDIM, n, out) : WEFT_OK;
}

// --- operators and attributes ---

weft_status wf_binder_operate(wf_binder *b, int32_t node, int n, weft_array *const *x, wf_term *out)
{
    const wf_function *f =
        wf_function_find(wf_expr_op_operation((wf_expr_op)b->expr->node[node].op));

    if (!f)
        return wf_expr_fail(b->expr, node, WEFT_INTERNAL, "operator '%s' has no operation",
                            wf_expr_text(b->expr, node));
    return wf_term_give(b, node, n == 1 ? f->fn.unary(x[0]) : f->fn.binary(x[0], x[1]), out);
}

static weft_status shape_of(wf_binder *b, const weft_array *x, wf_term *out)
{
    int n = weft_array_ndim(x);
    wf_term *item = wf_binder_alloc(b, (size_t)n * sizeof *item);

    if (!item) return WEFT_NO_MEMORY;
    for (int i = 0; i < n; i++)
        item[i] = (wf_term){ .kind = WF_TERM_INT, .as.i = weft_array_dim(x, i) };
    *out = (wf_term){ .kind = WF_TERM_SEQUENCE, .count = n, .as.item = item };
    return WEFT_OK;
}

weft_status wf_binder_attribute(wf_binder *b, int32_t node, wf_term *out)
{
    const wf_term *object = &b->value[wf_expr_child(b->expr, node, 0)];
    const char *name = wf_expr_text(b->expr, node);
    weft_array *x;

    WF_TRY(wf_term_array(b, object, &x));
    if (strcmp(name, "T") == 0) return wf_term_give(b, node, weft_permute_dims(x, 0, NULL), out);
    if (strcmp(name, "mT") == 0) return wf_term_give(b, node, weft_matrix_transpose(x), out);
    if (strcmp(name, "real") == 0) return wf_term_give(b, node, weft_real(x), out);
    if (strcmp(name, "imag") == 0) return wf_term_give(b, node, weft_imag(x), out);
    if (strcmp(name, "shape") == 0) return shape_of(b, x, out);
    *out = (wf_term){ .kind = WF_TERM_INT };
    if (strcmp(name, "ndim") == 0) out->as.i = weft_array_ndim(x);
    else if (strcmp(name, "size") == 0) out->as.i = weft_array_size(x);
    else if (strcmp(name, "dtype") == 0)
        *out = (wf_term){ .kind = WF_TERM_DTYPE, .as.i = weft_array_dtype(x) };
    else if (wf_function_is_known(name))
        return wf_expr_fail(b->expr, node, WEFT_INVALID, "'%s' is a method: expected '(' behind it",
                            name);
    else
        return wf_expr_fail(
            b->expr, node, WEFT_INVALID,
            "unknown attribute '%s'; expected T, mT, real, imag, shape, ndim, size or dtype", name);
    return WEFT_OK;
}
