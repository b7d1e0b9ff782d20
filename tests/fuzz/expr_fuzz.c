// SPDX-License-Identifier: Apache-2.0
// expr_fuzz - any bytes as an expression and as cuts: no crash, a sound tree, and a printed form that means the same.
#include <string.h>

#include "array/cut.h"
#include "array/expr.h"

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void check_tree(const wf_expr *e)
{
    require(e->nstatement > 0 && e->nnode > 0);
    for (int32_t i = 0; i < e->nnode; i++) {
        const wf_expr_node *n = &e->node[i];
        require(n->offset >= 0 && n->offset <= e->length && n->height <= WF_EXPR_MAX_HEIGHT);
        require(n->nchild >= 0 && n->first >= 0 && n->first <= e->nchild - n->nchild);
        for (int32_t c = 0; c < n->nchild; c++) {
            int32_t child = wf_expr_child(e, i, c);
            require(child < i && (child >= 0 || n->kind == WF_EXPR_SLICE));
        }
        require(strlen(wf_expr_text(e, i)) < (size_t)e->length + 32);  // or an operation
    }
}

static void check_names(const wf_expr *e)
{
    int32_t count, *names;

    require(wf_expr_free_names(e, &count, &names) == WEFT_OK);
    for (int32_t i = 0; i < count; i++) {
        require(e->node[names[i]].kind == WF_EXPR_NAME && (i == 0 || names[i] > names[i - 1]));
        require(wf_expr_fail(e, names[i], WEFT_INVALID, "unknown name") == WEFT_INVALID);
    }
    wf_free(names);
}

static void check_printed(const wf_expr *e)
{
    wf_text first = { 0 }, second = { 0 };
    wf_expr *again = NULL;

    wf_expr_print(e, -1, &first);
    require(wf_text_status(&first) == WEFT_OK);
    if (wf_expr_parse(first.data, first.length, NULL, &again) == WEFT_OK) {
        wf_expr_print(again, -1, &second);
        require(second.length == first.length &&
                memcmp(first.data, second.data, (size_t)first.length) == 0);
    } else {  // "a, b" prints with brackets, one level more
        require(strstr(wf_last_error(), "nested more than") != NULL);
    }
    wf_expr_destroy(again);
    wf_text_fini(&first);
    wf_text_fini(&second);
}

static void check_cuts(const char *text)
{
    static const int64_t shape[] = { 5, 0, 3, INT64_C(1) << 40 };
    weft_cut cuts[WF_CUTS_MAX];
    wf_selection s;
    int n;

    if (wf_cuts_parse("index", text, &n, cuts) != WEFT_OK) return;
    require(n > 0 && n <= WF_CUTS_MAX);
    if (wf_cuts_resolve("index", 4, shape, n, cuts, &s) != WEFT_OK) return;
    for (int i = 0; i < s.ndim; i++) {
        const wf_cut_axis *a = &s.axis[i];
        require(a->count >= 0 && a->step != 0);
        if (a->input < 0 || a->count == 0) continue;
        int64_t last = a->start + (a->count - 1) * a->step;
        require(a->start >= 0 && a->start < shape[a->input] && last >= 0 && last < shape[a->input]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = wf_alloc(size + 1);
    wf_expr *e = NULL;

    require(text != NULL);
    memcpy(text, data, size);
    if (wf_expr_parse((const char *)data, (int64_t)size, NULL, &e) == WEFT_OK) {
        check_tree(e);
        check_names(e);
        check_printed(e);
    } else {
        wf_text caret = { 0 };
        wf_expr_caret_error(text, wf_last_error(), &caret);
        wf_text_fini(&caret);
    }
    wf_expr_destroy(e);
    check_cuts(text);
    wf_free(text);
    return 0;
}
