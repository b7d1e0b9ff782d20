// SPDX-License-Identifier: Apache-2.0
// expr - what a parsed expression says of itself: its operators, texts and places, and the names it
// needs.
#include "array/expr.h"

#include <stdlib.h>
#include <string.h>

#include "array/expr_lex.h"

void wf_expr_destroy(wf_expr *expr)
{
    if (!expr) return;
    wf_free(expr->node);
    wf_free(expr->child);
    wf_free(expr->statement);
    wf_free(expr->pool);
    wf_free(expr->source);
    wf_free(expr->where);
    wf_free(expr);
}

// -------------------------------------------------------------------------------------- operators

static const struct op_row {
    const char *symbol, *operation;
    int precedence;
} op_table[] = {
#define OP_ROW(NAME, symbol, operation, precedence) { symbol, operation, precedence },
    WF_EXPR_OP_LIST(OP_ROW)
#undef OP_ROW
};

const char *wf_expr_op_symbol(wf_expr_op op)
{
    return op < WF_EXPR_NOPS ? op_table[op].symbol : "?";
}

const char *wf_expr_op_operation(wf_expr_op op)
{
    return op < WF_EXPR_NOPS ? op_table[op].operation : "?";
}

int wf_expr_op_precedence(wf_expr_op op) { return op < WF_EXPR_NOPS ? op_table[op].precedence : 0; }

// --------------------------------------------------------------------------------------- accessors

const char *wf_expr_text(const wf_expr *expr, int32_t node)
{
    const wf_expr_node *n = &expr->node[node];

    switch ((wf_expr_kind)n->kind) {
    case WF_EXPR_STRING:
    case WF_EXPR_NAME:
    case WF_EXPR_ATTR:
    case WF_EXPR_CALL:
    case WF_EXPR_METHOD:
    case WF_EXPR_KEYWORD:
    case WF_EXPR_ASSIGN: return expr->pool + n->as.text;
    case WF_EXPR_UNARY:
    case WF_EXPR_BINARY: return wf_expr_op_operation((wf_expr_op)n->op);
    default: return "";
    }
}

const char *wf_expr_kind_name(wf_expr_kind kind)
{
    static const char *const names[] = {
        [WF_EXPR_INT] = "an integer",
        [WF_EXPR_FLOAT] = "a float",
        [WF_EXPR_IMAG] = "an imaginary number",
        [WF_EXPR_BOOL] = "True or False",
        [WF_EXPR_NONE] = "None",
        [WF_EXPR_ELLIPSIS] = "'...'",
        [WF_EXPR_STRING] = "a string",
        [WF_EXPR_NAME] = "a name",
        [WF_EXPR_ATTR] = "an attribute",
        [WF_EXPR_CALL] = "a call",
        [WF_EXPR_METHOD] = "a method call",
        [WF_EXPR_KEYWORD] = "a keyword argument",
        [WF_EXPR_TUPLE] = "a tuple",
        [WF_EXPR_LIST] = "a list",
        [WF_EXPR_INDEX] = "an index",
        [WF_EXPR_SLICE] = "a slice",
        [WF_EXPR_UNARY] = "an operation",
        [WF_EXPR_BINARY] = "an operation",
        [WF_EXPR_ASSIGN] = "an assignment",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

static wf_expr_source source_of(const wf_expr *expr)
{
    return (wf_expr_source){ expr->where, expr->source, expr->length };
}

int wf_expr_line(const wf_expr *expr, int32_t node)
{
    wf_expr_source source = source_of(expr);
    int line, column;
    wf_source_place(&source, expr->node[node].offset, &line, &column);
    return line;
}

int wf_expr_column(const wf_expr *expr, int32_t node)
{
    wf_expr_source source = source_of(expr);
    int line, column;
    wf_source_place(&source, expr->node[node].offset, &line, &column);
    return column;
}

weft_status wf_expr_fail(const wf_expr *expr, int32_t node, weft_status code, const char *fmt, ...)
{
    wf_expr_source source = source_of(expr);
    va_list args;
    va_start(args, fmt);
    weft_status st = wf_source_vfail(&source, expr->node[node].offset, code, fmt, args);
    va_end(args);
    return st;
}

// -------------------------------------------------------------------------------------- free names

typedef struct mention {
    const char *name;
    int32_t node;
} mention;

static int compare_mentions(const void *a, const void *b)
{
    const mention *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->node > y->node) - (x->node < y->node);
}

static int compare_nodes(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

// Nodes stand in evaluation order, an assignment after its value: a name is free if its first
// mention reads it.
weft_status wf_expr_free_names(const wf_expr *expr, int32_t *count, int32_t **out)
{
    mention *all = wf_calloc((size_t)expr->nnode, sizeof *all);
    int32_t nall = 0, n = 0;

    if (!all) return WEFT_NO_MEMORY;
    for (int32_t i = 0; i < expr->nnode; i++)
        if (expr->node[i].kind == WF_EXPR_NAME || expr->node[i].kind == WF_EXPR_ASSIGN)
            all[nall++] = (mention){ wf_expr_text(expr, i), i };
    int32_t *nodes = wf_calloc((size_t)nall, sizeof *nodes);
    if (!nodes) {
        wf_free(all);
        return WEFT_NO_MEMORY;
    }
    qsort(all, (size_t)nall, sizeof *all, compare_mentions);
    for (int32_t i = 0; i < nall; i++)
        if ((i == 0 || strcmp(all[i].name, all[i - 1].name) != 0) &&
            expr->node[all[i].node].kind == WF_EXPR_NAME)
            nodes[n++] = all[i].node;
    qsort(nodes, (size_t)n, sizeof *nodes, compare_nodes);
    wf_free(all);
    *count = n;
    *out = nodes;
    return WEFT_OK;
}
