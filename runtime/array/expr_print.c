// SPDX-License-Identifier: Apache-2.0
// expr_print - an expression back to text, and the caret under a place in one.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array/expr.h"
#include "array/expr_lex.h"
#include "base/number.h"

// ---------------------------------------------------------------------------------------- printing

enum {
    PRECEDENCE_ANY = 0,
    PRECEDENCE_UNARY = 8,
    PRECEDENCE_POW = 9,
    PRECEDENCE_ATOM = 10
};  // as in WF_EXPR_OP_LIST

static void print_node(const wf_expr *expr, int32_t node, wf_text *out);

static int precedence_of(const wf_expr_node *n)
{
    switch ((wf_expr_kind)n->kind) {
    case WF_EXPR_UNARY:
    case WF_EXPR_BINARY: return wf_expr_op_precedence((wf_expr_op)n->op);
    case WF_EXPR_INT: return n->as.i < 0 ? PRECEDENCE_UNARY : PRECEDENCE_ATOM;
    case WF_EXPR_FLOAT: return signbit(n->as.f) ? PRECEDENCE_UNARY : PRECEDENCE_ATOM;
    default: return PRECEDENCE_ATOM;
    }
}

static void print_bracketed(const wf_expr *expr, int32_t node, bool brackets, wf_text *out)
{
    if (brackets) wf_text_add(out, "(");
    print_node(expr, node, out);
    if (brackets) wf_text_add(out, ")");
}

static void print_operand(const wf_expr *expr, int32_t node, int least, wf_text *out)
{
    print_bracketed(expr, node, precedence_of(&expr->node[node]) < least, out);
}

// What stands before '.' or '[': "2.T" and "np.T" would read as something else.
static void print_object(const wf_expr *expr, int32_t node, wf_text *out)
{
    const wf_expr_node *n = &expr->node[node];
    const char *text = wf_expr_text(expr, node);
    bool number = n->kind == WF_EXPR_INT || n->kind == WF_EXPR_FLOAT || n->kind == WF_EXPR_IMAG;
    bool prefix =
        n->kind == WF_EXPR_NAME &&
        (strcmp(text, "np") == 0 || strcmp(text, "numpy") == 0 || strcmp(text, "xp") == 0);

    print_bracketed(expr, node, number || prefix || precedence_of(n) < PRECEDENCE_ATOM, out);
}

// Children FROM.. of NODE with ", " between.
static void print_list(const wf_expr *expr, const wf_expr_node *n, int32_t from, wf_text *out)
{
    for (int32_t i = from; i < n->nchild; i++) {
        if (i > from) wf_text_add(out, ", ");
        print_node(expr, expr->child[n->first + i], out);
    }
}

static void print_float(const wf_expr_node *n, wf_text *out)
{
    char text[WF_NUMBER_TEXT];
    double value = n->as.f;
    const char *suffix = n->kind == WF_EXPR_IMAG ? "j" : "";

    wf_number_format_f64(value, text);
    if (isinf(value))
        snprintf(text, sizeof text, value < 0 ? "-1e999" : "1e999");  // "inf" would be a name
    wf_text_add(out, "%s%s", text, suffix);
}

static void print_string(const char *text, wf_text *out)
{
    wf_text_add(out, "'");
    for (; *text; text++) {
        const char *escape = *text == '\n'   ? "\\n"
                             : *text == '\r' ? "\\r"
                             : *text == '\t' ? "\\t"
                             : *text == '\\' ? "\\\\"
                             : *text == '\'' ? "\\'"
                                             : NULL;
        wf_text_add_bytes(out, escape ? escape : text, escape ? 2 : 1);
    }
    wf_text_add(out, "'");
}

static void print_name(const char *name, wf_text *out)
{
    wf_text_add(out, "%s%s", strchr(name, '.') ? "np." : "",
                name);  // random.normal was np.random.normal
}

static void print_slice(const wf_expr *expr, const wf_expr_node *n, wf_text *out)
{
    const int32_t *part = expr->child + n->first;

    if (part[0] >= 0) print_node(expr, part[0], out);
    wf_text_add(out, ":");
    if (part[1] >= 0) print_node(expr, part[1], out);
    if (part[2] < 0) return;
    wf_text_add(out, ":");
    print_node(expr, part[2], out);
}

static void print_index(const wf_expr *expr, const wf_expr_node *n, wf_text *out)
{
    const int32_t *child = expr->child + n->first;
    bool tuple =
        n->nchild == 2 && expr->node[child[1]].kind == WF_EXPR_TUPLE;  // u[(1, 2),] is not u[1, 2]

    print_object(expr, child[0], out);
    wf_text_add(out, "[");
    if (n->nchild == 1) wf_text_add(out, "()");
    print_list(expr, n, 1, out);
    wf_text_add(out, tuple ? ",]" : "]");
}

static void print_attribute(const wf_expr *expr, int32_t node, wf_text *out)
{
    const wf_expr_node *n = &expr->node[node];

    print_object(expr, expr->child[n->first], out);
    wf_text_add(out, ".%s", wf_expr_text(expr, node));
    if (n->kind == WF_EXPR_ATTR) return;
    wf_text_add(out, "(");
    print_list(expr, n, 1, out);
    wf_text_add(out, ")");
}

static void print_binary(const wf_expr *expr, const wf_expr_node *n, wf_text *out)
{
    bool pow = n->op == WF_EXPR_OP_POW;
    int own = precedence_of(n);
    bool compare = own == 1;  // a < b < c is not (a < b) < c
    const int32_t *child = expr->child + n->first;

    print_operand(expr, child[0], pow || compare ? own + 1 : own, out);
    wf_text_add(out, pow ? "%s" : " %s ", wf_expr_op_symbol((wf_expr_op)n->op));
    print_operand(expr, child[1], pow ? PRECEDENCE_UNARY : own + 1, out);
}

static void print_call(const wf_expr *expr, int32_t node, wf_text *out)
{
    print_name(wf_expr_text(expr, node), out);
    wf_text_add(out, "(");
    print_list(expr, &expr->node[node], 0, out);
    wf_text_add(out, ")");
}

static void print_node(const wf_expr *expr, int32_t node, wf_text *out)
{
    const wf_expr_node *n = &expr->node[node];

    switch ((wf_expr_kind)n->kind) {
    case WF_EXPR_INT: wf_text_add(out, "%" PRId64, n->as.i); break;
    case WF_EXPR_FLOAT:
    case WF_EXPR_IMAG: print_float(n, out); break;
    case WF_EXPR_BOOL: wf_text_add(out, n->as.i ? "True" : "False"); break;
    case WF_EXPR_NONE: wf_text_add(out, "None"); break;
    case WF_EXPR_ELLIPSIS: wf_text_add(out, "..."); break;
    case WF_EXPR_STRING: print_string(wf_expr_text(expr, node), out); break;
    case WF_EXPR_NAME: print_name(wf_expr_text(expr, node), out); break;
    case WF_EXPR_ATTR:
    case WF_EXPR_METHOD: print_attribute(expr, node, out); break;
    case WF_EXPR_CALL: print_call(expr, node, out); break;
    case WF_EXPR_KEYWORD:
        wf_text_add(out, "%s=", wf_expr_text(expr, node));
        print_node(expr, expr->child[n->first], out);
        break;
    case WF_EXPR_TUPLE:
        wf_text_add(out, "(");
        print_list(expr, n, 0, out);
        wf_text_add(out, n->nchild == 1 ? ",)" : ")");
        break;
    case WF_EXPR_LIST:
        wf_text_add(out, "[");
        print_list(expr, n, 0, out);
        wf_text_add(out, "]");
        break;
    case WF_EXPR_INDEX: print_index(expr, n, out); break;
    case WF_EXPR_SLICE: print_slice(expr, n, out); break;
    case WF_EXPR_UNARY:
        wf_text_add(out, "%s", wf_expr_op_symbol((wf_expr_op)n->op));
        print_operand(expr, expr->child[n->first], PRECEDENCE_UNARY, out);
        break;
    case WF_EXPR_BINARY: print_binary(expr, n, out); break;
    case WF_EXPR_ASSIGN:
        wf_text_add(out, "%s = ", wf_expr_text(expr, node));
        print_node(expr, expr->child[n->first], out);
        break;
    }
}

void wf_expr_print(const wf_expr *expr, int32_t node, wf_text *out)
{
    if (node >= 0) {
        print_node(expr, node, out);
        return;
    }
    for (int32_t i = 0; i < expr->nstatement; i++) {
        if (i) wf_text_add(out, "; ");
        print_node(expr, expr->statement[i], out);
    }
}

// ------------------------------------------------------------------------------------------- caret

static const char *step_back(const char *line, const char *at)
{
    do at--;
    while (at > line && ((unsigned char)*at & 0xc0) == 0x80);
    return at;
}

static const char *step_on(const char *at)
{
    do at++;
    while (((unsigned char)*at & 0xc0) == 0x80);
    return at;
}

static bool ends_line(char c) { return c == '\0' || c == '\n' || c == '\r'; }

void wf_expr_caret(const char *text, int line, int column, wf_text *out)
{
    enum { BEFORE = 60, AFTER = 20 };  // characters shown around the place
    const char *start = text, *at, *from, *to;
    int shown = 0;

    for (int i = 1; i < line; i++) {
        start = strchr(start, '\n');
        if (!start) return;
        start++;
    }
    at = start;
    for (int i = 1; i < column; i++) {
        if (ends_line(*at)) return;
        at = step_on(at);
    }
    if (line < 1 || column < 1) return;

    for (from = at; from > start && shown < BEFORE; shown++) from = step_back(start, from);
    for (to = at; !ends_line(*to) && to - at < AFTER * 4;) to = step_on(to);
    wf_text_add(out, "%s", from > start ? "..." : "");
    wf_text_add_bytes(out, from, (size_t)(to - from));
    wf_text_add(out, "%s\n%s", ends_line(*to) ? "" : "...", from > start ? "   " : "");
    for (const char *c = from; c < at; c = step_on(c)) wf_text_add(out, *c == '\t' ? "\t" : " ");
    wf_text_add(out, "^\n");
}

void wf_expr_caret_error(const char *text, const char *error, wf_text *out)
{
    int line = 1, column = 0;
    const char *at = strstr(error, ", line ");

    if (!at || sscanf(at, ", line %d, column %d:", &line, &column) != 2) {
        line = 1;
        at = strstr(error, ", column ");
        if (!at || sscanf(at, ", column %d:", &column) != 1) return;
    }
    wf_expr_caret(text, line, column, out);
}
