// SPDX-License-Identifier: Apache-2.0
// expr - the expression language: text to an immutable syntax tree. It knows no function, array or
// dtype: names are resolved by whoever walks the tree (the session for `weft eval`, the program
// builder for kernel bodies). A parsed wf_expr is never changed: any thread may read it.
//
// The tree is one array of nodes in evaluation order: every node stands after its children, so a
// walker may simply go from 0 to nnode - 1, or recurse: no tree is higher than WF_EXPR_MAX_HEIGHT.
// Every node is a statement or has one parent. All text (names, strings) lies in one pool, NUL
// terminated.
#ifndef WF_ARRAY_EXPR_H
#define WF_ARRAY_EXPR_H

#include "base/text.h"

#define WF_EXPR_MAX_LENGTH (1 << 20)  // bytes of text
#define WF_EXPR_MAX_NODES (1 << 18)
#define WF_EXPR_MAX_DEPTH 200    // brackets, unary operators and ** inside one another
#define WF_EXPR_MAX_HEIGHT 1000  // edges to the deepest leaf: bounds a + b + ... and x.a.b...

// What a node is; its text (wf_expr_text), its number (as.i, as.f) and its children.
// clang-format off
typedef enum wf_expr_kind {
    //                    text          number  children
    WF_EXPR_INT,       // -             i       -       negative literals are folded: -1 is one node
    WF_EXPR_FLOAT,     // -             f       -       so is -1.5
    WF_EXPR_IMAG,      // -             f       -       2j; never negative
    WF_EXPR_BOOL,      // -             i       -       True 1, False 0
    WF_EXPR_NONE,      // -             -       -
    WF_EXPR_ELLIPSIS,  // -             -       -       only as an item of INDEX
    WF_EXPR_STRING,    // its contents  -       -       escapes decoded, valid UTF-8, no NUL
    WF_EXPR_NAME,      // the name      -       -       also pi, e, inf, nan, newaxis, float32
    WF_EXPR_ATTR,      // the name      -       object               x.T
    WF_EXPR_CALL,      // the function  -       arguments            f(a, b=1); without its "np.",
                       //                       but np.random.normal is "random.normal"
    WF_EXPR_METHOD,    // the method    -       object, arguments    x.sum(axis=0)
    WF_EXPR_KEYWORD,   // the name      -       value   behind the positional arguments; none twice
    WF_EXPR_TUPLE,     // -             -       items
    WF_EXPR_LIST,      // -             -       items
    WF_EXPR_INDEX,     // -             -       object, items        u[1:-1]; u[(1, 2)] is u[1, 2]
    WF_EXPR_SLICE,     // -             -       start, stop, step    always three; -1 if absent
    WF_EXPR_UNARY,     // "negative"    -       operand
    WF_EXPR_BINARY,    // "add"         -       left, right
    WF_EXPR_ASSIGN,    // the name      -       value   only as a statement
} wf_expr_kind;
// clang-format on

// The operators. X(NAME, symbol, operation, precedence); higher binds tighter. Comparisons
// do not chain.
#define WF_EXPR_OP_LIST(X)                         \
    X(LESS, "<", "less", 1)                        \
    X(LESS_EQUAL, "<=", "less_equal", 1)           \
    X(GREATER, ">", "greater", 1)                  \
    X(GREATER_EQUAL, ">=", "greater_equal", 1)     \
    X(EQUAL, "==", "equal", 1)                     \
    X(NOT_EQUAL, "!=", "not_equal", 1)             \
    X(OR, "|", "bitwise_or", 2)                    \
    X(XOR, "^", "bitwise_xor", 3)                  \
    X(AND, "&", "bitwise_and", 4)                  \
    X(LEFT_SHIFT, "<<", "bitwise_left_shift", 5)   \
    X(RIGHT_SHIFT, ">>", "bitwise_right_shift", 5) \
    X(ADD, "+", "add", 6)                          \
    X(SUBTRACT, "-", "subtract", 6)                \
    X(MULTIPLY, "*", "multiply", 7)                \
    X(DIVIDE, "/", "divide", 7)                    \
    X(FLOOR_DIVIDE, "//", "floor_divide", 7)       \
    X(REMAINDER, "%", "remainder", 7)              \
    X(MATMUL, "@", "matmul", 7)                    \
    X(POSITIVE, "+", "positive", 8)                \
    X(NEGATIVE, "-", "negative", 8)                \
    X(INVERT, "~", "bitwise_invert", 8)            \
    X(POW, "**", "pow", 9)

// clang-format off
typedef enum wf_expr_op {
#define WF_EXPR_OP_ENUM(NAME, symbol, operation, precedence) WF_EXPR_OP_##NAME,
    WF_EXPR_OP_LIST(WF_EXPR_OP_ENUM)
#undef WF_EXPR_OP_ENUM
    WF_EXPR_NOPS
} wf_expr_op;
// clang-format on

// Errors about a node point at byte OFFSET of the source: of a literal, a name, a tuple or a list the
// first; of UNARY and BINARY the operator; of ATTR, METHOD and CALL the name, of KEYWORD and ASSIGN
// too; of INDEX the '['.
typedef struct wf_expr_node {
    uint8_t kind;     // wf_expr_kind
    uint8_t op;       // wf_expr_op, for UNARY and BINARY
    uint16_t height;  // 0 for a leaf
    int32_t offset;
    int32_t first, nchild;  // children: child[first .. first + nchild)
    union {
        int64_t i;     // INT, BOOL
        double f;      // FLOAT, IMAG
        int32_t text;  // where in the pool
    } as;
} wf_expr_node;

typedef struct wf_expr {
    int32_t nnode, nchild, nstatement;
    wf_expr_node *node;
    int32_t *child;      // node numbers
    int32_t *statement;  // node numbers: ASSIGN, or the expression itself; at least one
    char *pool;
    char *source;    // a copy of the text
    int32_t length;  // of source, bytes
    char *where;     // what errors call it: "expression"
} wf_expr;

// Parses LENGTH bytes of TEXT (strlen when negative). WHERE begins every error about it ("kernel
// 'call'"); NULL is "expression". Gives *OUT (wf_expr_destroy). Fails with WEFT_INVALID,
// "expression, column 7: expected ')' to match '(' at column 3, got end of text"; where the text
// has several lines it reads "expression, line 2, column 7: ...".
weft_status wf_expr_parse(const char *text, int64_t length, const char *where,
                          wf_expr **out) WEFT_WARN_UNUSED;
void wf_expr_destroy(wf_expr *expr);  // accepts NULL

// Child I of NODE, or -1 where a slice lacks that part.
static inline int32_t wf_expr_child(const wf_expr *expr, int32_t node, int32_t i)
{
    return expr->child[expr->node[node].first + i];
}

// The name, string or operation of NODE; "" for kinds that have none. Borrows: until
// wf_expr_destroy.
const char *wf_expr_text(const wf_expr *expr, int32_t node);
const char *wf_expr_op_symbol(wf_expr_op op);      // "**"
const char *wf_expr_op_operation(wf_expr_op op);   // "pow"
int wf_expr_op_precedence(wf_expr_op op);          // higher binds tighter
const char *wf_expr_kind_name(wf_expr_kind kind);  // "an integer", "a slice": for errors

// Where NODE stands, from 1; a column counts characters from the start of its line.
int wf_expr_line(const wf_expr *expr, int32_t node);
int wf_expr_column(const wf_expr *expr, int32_t node);

// Records CODE with "expression, column 14: " before the sentence; returns CODE.
weft_status wf_expr_fail(const wf_expr *expr, int32_t node, weft_status code, const char *fmt, ...)
    WEFT_PRINTF(4, 5);

// Lists the names that are read before the expression assigns them, each once, as the node of its
// first use, in order. Constants (pi, newaxis, float32) are among them. Gives *OUT (wf_free).
weft_status wf_expr_free_names(const wf_expr *expr, int32_t *count, int32_t **out) WEFT_WARN_UNUSED;

// Appends NODE as text with no more brackets than it needs; parsing that gives the same tree. NODE
// -1: all statements, "; " between.
void wf_expr_print(const wf_expr *expr, int32_t node, wf_text *out);

// Appends the LINE-th line of TEXT (cut short around the place if long) and under it a line with
// '^' at COLUMN; both end in '\n'. Appends nothing for a place that TEXT does not have; the column
// after the last is one it has.
void wf_expr_caret(const char *text, int line, int column, wf_text *out);
// The same for the place that an error sentence names; nothing if it names none.
void wf_expr_caret_error(const char *text, const char *error, wf_text *out);

#endif
