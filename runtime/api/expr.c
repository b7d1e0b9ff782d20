// SPDX-License-Identifier: Apache-2.0
// expr - expressions as text: the public calls, and what they leave behind. The arrays between the
// text and its results go with a scope of their own.
#include <string.h>

#include "api/binder.h"
#include "weft/daemon.h"

void wf_error_mark_set(wf_error_mark *mark)
{
    wf_error_take(&mark->last);
    mark->pending.status = WEFT_OK;
    if (weft_error_take() != WEFT_OK) wf_error_take(&mark->pending);
}

void wf_error_mark_reset(const wf_error_mark *mark, weft_status status)
{
    wf_error failure = mark->last;

    if (status != WEFT_OK) wf_error_take(&failure);
    if (mark->pending.status != WEFT_OK) {
        (void)wf_error_raise(&mark->pending);
        wf_pend();
    }
    if (failure.status != WEFT_OK) (void)wf_error_raise(&failure);
}

// One evaluation, from the text to the arrays wanted.
typedef struct job {
    weft_session *session;
    const char *text;
    int n;
    const char *const *names;
    weft_array *const *arrays;
    int nout;
    const char *const *out_names;
    weft_array **out;
    const void *site;
} job;

static weft_status check_inputs(const job *j)
{
    if (!j->text) return wf_fail(WEFT_INVALID, "expression: the text is NULL");
    if (j->n < 0)
        return wf_fail(WEFT_INVALID, "expression: the number of arrays must be >= 0, got %d", j->n);
    if (j->n > 0 && (!j->names || !j->arrays))
        return wf_fail(WEFT_INVALID,
                       "expression: %d arrays, but their list or their names are NULL", j->n);
    for (int i = 0; i < j->n; i++) {
        if (!j->names[i])
            return wf_fail(WEFT_INVALID, "expression: the name of array %d is NULL", i);
        WF_TRY(wf_array_check("expression", j->arrays[i]));
        if (j->arrays[i]->session != j->session)
            return wf_fail(WEFT_INVALID, "expression: '%s' is an array of another session",
                           j->names[i]);
        if (j->arrays[i]->node->kind == WF_NODE_SINK)
            return wf_fail(WEFT_INVALID, "expression: '%s' is a sink, which is no operand",
                           j->names[i]);
    }
    return WEFT_OK;
}

static bool is_new(const job *j, int upto, const weft_array *x)
{
    for (int i = 0; i < j->n; i++)
        if (j->arrays[i] == x) return false;
    for (int i = 0; i < upto; i++)
        if (j->out[i] == x) return false;
    return true;
}

// Result I: a handle of its own, in the scope that is open now.
static weft_status give_result(const job *j, wf_binder *b, int i)
{
    const wf_expr *expr = b->expr;
    const char *name = j->out_names ? j->out_names[i] : NULL;
    const wf_term *term = &b->value[expr->statement[expr->nstatement - 1]];
    weft_array *x;

    if (name) {
        const wf_binding *found = wf_binder_find(b, name);
        if (!found || !found->assigned)
            return wf_fail(WEFT_INVALID, "expression: no statement assigns '%s'", name);
        term = &found->value;
    }
    WF_TRY(wf_term_array(b, term, &x));
    if (!is_new(j, i, x)) {
        wf_node_retain(x->node);
        x = wf_array_create(j->session, x->node, j->site);
        if (!x) return weft_error_take();
    }
    j->out[i] = x;
    return WEFT_OK;
}

static weft_status bind(const job *j, const wf_expr *expr)
{
    wf_binder b;
    weft_status st = WEFT_OK;

    wf_binder_init(&b, j->session, expr, j->site);
    for (int i = 0; i < j->n && st == WEFT_OK; i++) {
        const wf_term term = { .kind = WF_TERM_ARRAY, .as.array = j->arrays[i] };
        st = wf_binder_set(&b, j->names[i], &term, false);
    }
    if (st == WEFT_OK) st = wf_binder_run(&b);
    for (int i = 0; i < j->nout && st == WEFT_OK; i++) st = give_result(j, &b, i);
    wf_binder_fini(&b);
    return st;
}

static weft_status run_in_scope(const job *j, const wf_expr *expr)
{
    weft_scope *scope = weft_scope_open(j->session);
    if (!scope) return weft_error_take();

    weft_status st = bind(j, expr);
    if (st == WEFT_OK) st = weft_scope_close(scope, j->nout, j->out);
    else {
        wf_error error;
        wf_error_take(&error);
        (void)!weft_scope_close(scope, 0, NULL);
        (void)wf_error_raise(&error);
    }
    return st;
}

static weft_status run(const job *j)
{
    wf_expr *expr;

    WF_TRY(check_inputs(j));
    WF_TRY(wf_expr_parse(j->text, -1, NULL, &expr));
    weft_status st = run_in_scope(j, expr);
    wf_expr_destroy(expr);
    return st;
}

weft_array *weft_expr(weft_session *session, const char *text, int n, const char *const *names,
                      weft_array *const *arrays)
{
    weft_array *out = NULL;
    const job j = { session, text, n, names, arrays, 1, NULL, &out, SITE };
    wf_error_mark mark;

    for (int i = 0; arrays && i < n; i++)
        if (!arrays[i]) return NULL;  // its error is pending
    if (wf_session_check("expression", session) != WEFT_OK) return wf_pend();
    wf_error_mark_set(&mark);
    weft_status st = run(&j);
    wf_error_mark_reset(&mark, st);
    return st == WEFT_OK ? out : wf_pend();
}

static weft_status check_outputs(int nout, weft_array **out)
{
    if (nout < 0)
        return wf_fail(WEFT_INVALID, "expression: the number of results must be >= 0, got %d",
                       nout);
    return nout == 0 || out
               ? WEFT_OK
               : wf_fail(WEFT_INVALID, "expression: the list of %d results is NULL", nout);
}

weft_status weft_expr_run(weft_session *session, const char *text, int n, const char *const *names,
                          weft_array *const *arrays, int nout, const char *const *out_names,
                          weft_array **out)
{
    wf_error_mark mark;

    WF_TRY(wf_session_check("expression", session));
    WF_TRY(check_outputs(nout, out));
    for (int i = 0; arrays && i < n; i++)
        if (!arrays[i]) return wf_null_status("expression", "array");
    weft_array **made = wf_calloc((size_t)nout, sizeof(*made));
    if (!made) return WEFT_NO_MEMORY;
    const job j = { session, text, n, names, arrays, nout, out_names, made, SITE };
    wf_error_mark_set(&mark);
    weft_status st = run(&j);
    wf_error_mark_reset(&mark, st);
    if (st == WEFT_OK && nout > 0) memcpy(out, made, (size_t)nout * sizeof(*made));
    wf_free(made);
    return st;
}

void weft_expr_print_place(FILE *file, const char *text)
{
    wf_text lines = { 0 };

    if (!file || !text) return;
    wf_expr_caret_error(text, weft_last_error(), &lines);
    if (lines.data && wf_text_status(&lines) == WEFT_OK) fputs(lines.data, file);
    wf_text_fini(&lines);
}
