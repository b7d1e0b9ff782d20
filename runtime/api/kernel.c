// SPDX-License-Identifier: Apache-2.0
// kernel - operations of the user's own. A body is bound anew for each call, as any expression is,
// so that it is made of the nodes that plans fuse; a C function becomes one node, which calls it on
// runs of elements.
#include <ctype.h>
#include <string.h>

#include "api/binder.h"
#include "exec/leaf.h"

enum { MAX_OPERANDS = 32, MAX_NAMES = 256 };

struct weft_kernel {
    wf_owned owned;  // first
    weft_session *session;
    char *name, *params;  // params: cut into names
    char *names[MAX_NAMES];
    int narray, nscalar;  // the scalars' names stand behind the arrays'
    wf_expr *body;        // or NULL
    bool looks_around;    // the body reads neighbours
    weft_cpu_kernel_fn *cpu;
    weft_dtype result;
    int boundary;
};

static void destroy(wf_owned *owned)
{
    weft_kernel *k = (weft_kernel *)owned;

    wf_expr_destroy(k->body);
    wf_free(k->name);
    wf_free(k->params);
    wf_free(k);
}

// --- parameters ---

static bool is_name(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_') return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_') return false;
    return true;
}

static char *trim(char *text)
{
    text += strspn(text, " \t\n");
    for (char *end = text + strlen(text); end > text && strchr(" \t\n", end[-1]);) *--end = '\0';
    return text;
}

static int find_param(const weft_kernel *k, const char *name)
{
    for (int i = 0; i < k->narray + k->nscalar; i++)
        if (strcmp(k->names[i], name) == 0) return i;
    return -1;
}

static weft_status add_params(weft_kernel *k, char *list, int *count)
{
    if (!*trim(list)) return WEFT_OK;
    for (char *rest = list, *name; (name = strsep(&rest, ","));) {
        name = trim(name);
        if (!is_name(name))
            return wf_fail(WEFT_INVALID, "kernel '%s': .params: expected a name, got '%s'", k->name,
                           name);
        if (find_param(k, name) >= 0)
            return wf_fail(WEFT_INVALID, "kernel '%s': .params: '%s' is named twice", k->name,
                           name);
        if (k->narray + k->nscalar == MAX_NAMES)
            return wf_fail(WEFT_INVALID, "kernel '%s': .params: more than %d names", k->name,
                           MAX_NAMES);
        k->names[k->narray + k->nscalar] = name;
        (*count)++;
    }
    return WEFT_OK;
}

static weft_status read_params(weft_kernel *k, const char *params)
{
    k->params = wf_strdup(params ? params : "");
    if (!k->params) return WEFT_NO_MEMORY;
    char *rest = k->params, *arrays = strsep(&rest, ";"), *scalars = strsep(&rest, ";");
    if (rest)
        return wf_fail(WEFT_INVALID, "kernel '%s': .params: expected at most one ';'", k->name);
    WF_TRY(add_params(k, arrays, &k->narray));
    return scalars ? add_params(k, scalars, &k->nscalar) : WEFT_OK;
}

// --- the body, as far as it can be checked without arrays ---

static weft_status check_names(const weft_kernel *k)
{
    int32_t count, *node;
    weft_status st = WEFT_OK;
    wf_term constant;

    WF_TRY(wf_expr_free_names(k->body, &count, &node));
    for (int32_t i = 0; i < count && st == WEFT_OK; i++) {
        const char *name = wf_expr_text(k->body, node[i]);
        if (find_param(k, name) < 0 && !wf_constant_find(name, &constant))
            st = wf_expr_fail(k->body, node[i], WEFT_INVALID,
                              "unknown name '%s': neither in .params nor assigned before", name);
    }
    wf_free(node);
    return st;
}

static weft_status check_call(const wf_expr *e, int32_t node)
{
    const char *name = wf_expr_text(e, node), *near;
    wf_term constant;

    if (wf_function_is_elementwise(name) ||
        (wf_constant_find(name, &constant) && constant.kind == WF_TERM_DTYPE))
        return WEFT_OK;
    if (wf_function_is_known(name))
        return wf_expr_fail(
            e, node, WEFT_INVALID,
            "'%s' is not elementwise, and a kernel's body has elementwise operations only", name);
    near = wf_name_suggest(NULL, name, true);
    if (near)
        return wf_expr_fail(e, node, WEFT_INVALID, "unknown function '%s'; did you mean '%s'?",
                            name, near);
    return wf_expr_fail(e, node, WEFT_INVALID, "unknown function '%s'", name);
}

static weft_status check_node(const wf_expr *e, int32_t node)
{
    const wf_expr_node *n = &e->node[node];
    const char *text = wf_expr_text(e, node);

    switch ((wf_expr_kind)n->kind) {
    case WF_EXPR_CALL:
    case WF_EXPR_METHOD: return check_call(e, node);
    case WF_EXPR_ATTR:
        if (strcmp(text, "real") == 0 || strcmp(text, "imag") == 0) return WEFT_OK;
        return wf_expr_fail(e, node, WEFT_INVALID, "'.%s' does not belong in a kernel's body",
                            text);
    case WF_EXPR_BINARY:
        if (n->op != WF_EXPR_OP_MATMUL) return WEFT_OK;
        return wf_expr_fail(
            e, node, WEFT_INVALID,
            "'@' is not elementwise, and a kernel's body has elementwise operations only");
    case WF_EXPR_SLICE:
    case WF_EXPR_ELLIPSIS:
        return wf_expr_fail(
            e, node, WEFT_INVALID,
            "expected an integer offset: in a kernel's body brackets name a neighbour");
    case WF_EXPR_LIST:
    case WF_EXPR_TUPLE:
        return wf_expr_fail(e, node, WEFT_INVALID, "%s does not belong in a kernel's body",
                            wf_expr_kind_name((wf_expr_kind)n->kind));
    default: return WEFT_OK;
    }
}

static weft_status check_result(const wf_expr *e)
{
    int32_t last = e->statement[e->nstatement - 1];

    if (e->node[last].kind == WF_EXPR_ASSIGN && strcmp(wf_expr_text(e, last), "result") == 0)
        return WEFT_OK;
    return wf_expr_fail(e, last, WEFT_INVALID, "the last statement must be 'result = ...'");
}

static weft_status read_body(weft_kernel *k, const char *body)
{
    char *where = wf_format("kernel '%s'", k->name);
    if (!where) return WEFT_NO_MEMORY;
    weft_status st = wf_expr_parse(body, -1, where, &k->body);
    wf_free(where);
    WF_TRY(st);
    for (int32_t i = 0; i < k->body->nnode; i++) {
        WF_TRY(check_node(k->body, i));
        k->looks_around |= k->body->node[i].kind == WF_EXPR_INDEX;
    }
    WF_TRY(check_names(k));
    return check_result(k->body);
}

// --- create ---

static weft_status check_desc(const weft_kernel_desc *d, const char *name)
{
    if (d->library || d->symbol)
        return wf_fail(WEFT_UNSUPPORTED,
                       "kernel '%s': libraries that workers load are not supported by this version",
                       name);
    if (!d->body && !d->cpu) {
        if (d->cuda)
            return wf_fail(
                WEFT_UNSUPPORTED,
                "kernel '%s': CUDA text is not supported by this version; give a .body or a .cpu function",
                name);
        return wf_fail(WEFT_INVALID,
                       "kernel '%s': expected a .body or a .cpu function, got neither", name);
    }
    if (d->result && !wf_dtype_is_valid(d->result))
        return wf_fail(WEFT_INVALID, "kernel '%s': .result is no dtype: %d", name, (int)d->result);
    if (d->boundary < WEFT_BOUNDARY_NEAREST || d->boundary > WEFT_BOUNDARY_REFLECT)
        return wf_fail(WEFT_INVALID,
                       "kernel '%s': .boundary must be one of WEFT_BOUNDARY_*, got %d", name,
                       d->boundary);
    return WEFT_OK;
}

static weft_status init(weft_kernel *k, weft_session *session, const weft_kernel_desc *d)
{
    k->session = session;
    k->cpu = d->cpu;
    k->result = d->result;
    k->boundary = d->boundary;
    k->name = wf_strdup(d->name ? d->name : "kernel");
    if (!k->name) return WEFT_NO_MEMORY;
    WF_TRY(read_params(k, d->params));
    if (k->cpu && k->narray > MAX_OPERANDS)
        return wf_fail(WEFT_UNSUPPORTED,
                       "kernel '%s': a C function takes at most %d arrays, got %d", k->name,
                       MAX_OPERANDS, k->narray);
    return d->body ? read_body(k, d->body) : WEFT_OK;
}

static weft_status create(weft_session *session, const weft_kernel_desc *d, weft_kernel **out)
{
    WF_TRY(wf_session_check("kernel_create", session));
    if (!d) return wf_fail(WEFT_INVALID, "kernel_create: the description is NULL");
    WF_TRY(WF_CHECK_TAIL("kernel_create", d));
    WF_TRY(check_desc(d, d->name ? d->name : "kernel"));
    weft_kernel *k = wf_alloc(sizeof *k);
    if (!k) return WEFT_NO_MEMORY;
    weft_status st = init(k, session, d);
    if (st != WEFT_OK) {
        destroy(&k->owned);
        return st;
    }
    wf_session_own(session, &k->owned, destroy);
    *out = k;
    return WEFT_OK;
}

weft_kernel *weft_kernel_create(weft_session *session, const weft_kernel_desc *desc)
{
    weft_kernel *k = NULL;

    if (create(session, desc, &k) != WEFT_OK) wf_pend();
    return k;
}

void weft_kernel_free(weft_kernel *kernel)
{
    if (!kernel || wf_forked_since(kernel->session->forks)) return;
    wf_session_disown(kernel->session, &kernel->owned);
    destroy(&kernel->owned);
}

// --- one call: the body ---

typedef struct operands {
    weft_kernel *kernel;
    weft_array *const *in;
    const double *params;
    wf_shape shape;  // what they broadcast to
    const void *site;
} operands;

static weft_status bind_params(const operands *o, wf_binder *b)
{
    const weft_kernel *k = o->kernel;

    b->relative = true;
    b->boundary = k->boundary;
    for (int i = 0; i < k->narray; i++) {
        const wf_term term = { .kind = WF_TERM_ARRAY, .as.array = o->in[i] };
        WF_TRY(wf_binder_set(b, k->names[i], &term, false));
    }
    for (int i = 0; i < k->nscalar; i++) {
        const wf_term term = { .kind = WF_TERM_FLOAT, .as.f = o->params[i] };
        WF_TRY(wf_binder_set(b, k->names[k->narray + i], &term, false));
    }
    return WEFT_OK;
}

// The result's node, in the shape of the operands. Gives.
static weft_status bind_body(const operands *o, wf_binder *b, wf_node **out)
{
    weft_array *x;
    wf_node *wide;

    WF_TRY(bind_params(o, b));
    WF_TRY(wf_binder_run(b));
    WF_TRY(wf_term_array(b, &wf_binder_find(b, "result")->value, &x));
    WF_TRY(wf_make_broadcast_to(x->node, &o->shape, &wide));
    weft_status st =
        wf_make_cast(wide, o->kernel->result ? o->kernel->result : (weft_dtype)wide->dtype, out);
    wf_node_release(wide);
    return st;
}

static weft_status map_body(const operands *o, wf_node **out)
{
    weft_session *session = o->kernel->session;
    weft_scope *scope = weft_scope_open(session);
    wf_error error;
    wf_binder b;

    if (!scope) return weft_error_take();
    wf_binder_init(&b, session, o->kernel->body, o->site);
    weft_status st = bind_body(o, &b, out);
    wf_binder_fini(&b);
    wf_error_take(&error);
    (void)!weft_scope_close(scope, 0, NULL);
    if (st != WEFT_OK) (void)wf_error_raise(&error);
    return st;
}

// --- one call: the C function ---

// What the node's object holds; nothing of the kernel, whose handle may go first.
typedef struct bound_call {
    wf_call_leaf leaf;
    weft_cpu_kernel_fn *cpu;
    char *name;
    int nin, nparams;
    weft_dtype in_dtype[MAX_OPERANDS], out_dtype;
    double params[];
} bound_call;

static weft_status call_cpu(void *context, const wf_call_run *run)
{
    const bound_call *c = context;
    const weft_kernel_call call = {
        .count = run->n,
        .nin = c->nin,
        .nparams = c->nparams,
        .in = run->in,
        .in_stride = run->in_stride,
        .in_dtype = c->in_dtype,
        .out = run->out,
        .out_stride = (int64_t)wf_dtype_size(c->out_dtype),
        .out_dtype = c->out_dtype,
        .params = c->params,
    };

    wf_callback_begin();
    return wf_callback_end(c->name, c->cpu(&call));
}

static void destroy_call(void *data)
{
    bound_call *c = data;
    wf_free(c->name);
    wf_free(c);
}

static weft_status create_call(const operands *o, weft_dtype dtype, wf_object **out)
{
    const weft_kernel *k = o->kernel;
    bound_call *c = wf_alloc(sizeof *c + (size_t)k->nscalar * sizeof(double));

    if (!c) return WEFT_NO_MEMORY;
    *c = (bound_call){ .leaf = { .call = call_cpu, .context = c },
                       .cpu = k->cpu,
                       .nin = k->narray,
                       .nparams = k->nscalar,
                       .out_dtype = dtype };
    for (int i = 0; i < k->narray; i++) c->in_dtype[i] = (weft_dtype)o->in[i]->node->dtype;
    for (int i = 0; i < k->nscalar; i++) c->params[i] = o->params[i];
    c->name = wf_format("kernel '%s'", k->name);
    weft_status st =
        c->name ? wf_object_create(WF_OBJECT_FUNCTION, c, destroy_call, 0, out) : WEFT_NO_MEMORY;
    if (st != WEFT_OK) destroy_call(c);
    return st;
}

// The operands, all of one shape. A scalar becomes an array: a function reads elements, not
// parameters of the plan.
static weft_status widen(const operands *o, int i, wf_node **out)
{
    wf_node *x = o->in[i]->node, *full;

    if (x->kind != WF_NODE_SCALAR) return wf_make_broadcast_to(x, &o->shape, out);
    WF_TRY(wf_make_scalar_as(x, (weft_dtype)x->dtype, &full));
    weft_status st = wf_make_full((weft_dtype)x->dtype, &o->shape, &full->scalar, NULL, out);
    wf_node_release(full);
    return st;
}

static weft_status map_cpu(const operands *o, weft_dtype dtype, wf_node **out)
{
    int n = o->kernel->narray;
    wf_node *in[MAX_OPERANDS] = { NULL }, *node = NULL;
    weft_status st = WEFT_OK;

    for (int i = 0; i < n && st == WEFT_OK; i++) st = widen(o, i, &in[i]);
    if (st == WEFT_OK) st = wf_node_create(WF_NODE_CALL, dtype, &o->shape, n, in, &node);
    for (int i = 0; i < n; i++) wf_node_release(in[i]);
    WF_TRY(st);
    st = create_call(o, dtype, &node->object);
    if (st == WEFT_OK) *out = node;
    else wf_node_release(node);
    return st;
}

static weft_dtype promote_all(const operands *o)
{
    weft_dtype dtype = WEFT_DTYPE_DEFAULT;

    for (int i = 0; i < o->kernel->narray; i++) {
        weft_dtype d = (weft_dtype)o->in[i]->node->dtype;
        dtype = dtype ? wf_dtype_promote(dtype, d) : d;
    }
    return dtype ? dtype : WEFT_FLOAT64;
}

// --- map ---

// On CPUs the C function does the work; a body beside it is for other devices, and says what the
// dtype is.
static weft_status map(const operands *o, wf_node **out)
{
    const weft_kernel *k = o->kernel;
    weft_dtype dtype = k->result;
    wf_node *body;

    if (!k->cpu || k->looks_around) return map_body(o, out);
    if (!dtype && k->body) {
        WF_TRY(map_body(o, &body));
        dtype = (weft_dtype)body->dtype;
        wf_node_release(body);
    }
    return map_cpu(o, dtype ? dtype : promote_all(o), out);
}

// "expected 2 arrays (spot, vol), got 1"
static weft_status fail_count(const weft_kernel *k, const char *what, int first, int n, int got)
{
    wf_text names = { 0 };

    for (int i = 0; i < n; i++) wf_text_add(&names, "%s%s", i ? ", " : " (", k->names[first + i]);
    if (n > 0) wf_text_add(&names, ")");
    weft_status st = wf_text_status(&names);
    if (st == WEFT_OK)
        st = wf_fail(WEFT_INVALID, "kernel '%s': expected %d %s%s%s, got %d", k->name, n, what,
                     n == 1 ? "" : "s", names.data ? names.data : "", got);
    wf_text_fini(&names);
    return st;
}

static weft_status check_counts(const weft_kernel *k, int nin, weft_array *const *in, int nparams,
                                const double *params)
{
    if (nin != k->narray) return fail_count(k, "array", 0, k->narray, nin);
    if (nparams != k->nscalar) return fail_count(k, "scalar", k->narray, k->nscalar, nparams);
    if ((nin > 0 && !in) || (nparams > 0 && !params))
        return wf_fail(WEFT_INVALID, "kernel '%s': a list of operands is NULL", k->name);
    return WEFT_OK;
}

static weft_status check_operands(operands *o)
{
    const weft_kernel *k = o->kernel;

    for (int i = 0; i < k->narray; i++) {
        if (o->in[i]->session != k->session)
            return wf_fail(WEFT_INVALID, "kernel '%s': array %d is of another session", k->name, i);
        wf_shape shape = o->shape;
        WF_TRY(wf_shape_broadcast(k->name, &shape, &o->in[i]->node->shape, &o->shape));
    }
    return WEFT_OK;
}

weft_array *weft_kernel_map(weft_kernel *kernel, int nin, weft_array *const *in, int nparams,
                            const double *params)
{
    operands o = { .kernel = kernel, .in = in, .params = params, .site = SITE };
    wf_node *node = NULL;
    wf_error_mark mark;

    if (!kernel) {
        if (!wf_is_pending() && wf_null_status("kernel_map", "kernel") != WEFT_OK) wf_pend();
        return NULL;
    }
    if (wf_session_check("kernel_map", kernel->session) != WEFT_OK ||
        check_counts(kernel, nin, in, nparams, params) != WEFT_OK)
        return wf_pend();
    if (!wf_arrays_are_usable(kernel->name, nin, in)) return NULL;
    wf_error_mark_set(&mark);
    weft_status st = check_operands(&o);
    if (st == WEFT_OK) st = map(&o, &node);
    wf_error_mark_reset(&mark, st);
    return wf_array_give(kernel->session, st, node, o.site);
}
