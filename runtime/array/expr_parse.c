// SPDX-License-Identifier: Apache-2.0
// expr_parse - text to tree, see expr.h. A recursive descent parser with precedence climbing for
// the binary operators. Its C stack is bounded: brackets, unary operators and ** count toward
// WF_EXPR_MAX_DEPTH, and between two of them there are at most as many frames as there are
// precedence levels; everything that merely goes on (a + b + c, x.a.b, f(1, 2, 3)) is a loop.
#include "array/expr.h"

#include <stdio.h>
#include <string.h>

#include "array/expr_lex.h"

enum {
    MAX_KEYWORDS = 64,
    PRECEDENCE_COMPARE = 1,  // as in WF_EXPR_OP_LIST
};

typedef struct parser {
    wf_lexer lexer;  // stands behind `token`
    wf_token token;
    wf_expr *expr;
    int64_t node_capacity, child_capacity, statement_capacity, pending_capacity;
    int32_t npool;
    int32_t *pending;  // children of the brackets that are open, a stack
    int32_t npending;
    int depth;
    int32_t minus_number;  // where a number right after a unary minus stands: it alone may be 2**63
} parser;

static weft_status parse_expression(parser *p, int32_t *out);
static weft_status parse_unary(parser *p, int32_t *out);

// ------------------------------------------------------------------------------------------ errors

static weft_status fail_at(const parser *p, int32_t offset, const char *fmt, ...) WEFT_PRINTF(3, 4);
static weft_status fail_at(const parser *p, int32_t offset, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weft_status st = wf_source_vfail(&p->lexer.source, offset, WEFT_INVALID, fmt, args);
    va_end(args);
    return st;
}

// What to write instead of things that Python or C have and arrays have not.
static const struct hint {
    const char *token, *text;
} hints[] = {
    { "and", "'and' does not work on arrays: write (a) & (b) or logical_and(a, b)" },
    { "or", "'or' does not work on arrays: write (a) | (b) or logical_or(a, b)" },
    { "not", "'not' does not work on arrays: write ~(a) or logical_not(a)" },
    { "if", "'a if c else b' does not work on arrays: write where(c, a, b)" },
    { "&&", "'&&' is not an operator: write (a) & (b)" },
    { "||", "'||' is not an operator: write (a) | (b)" },
    { ":=", "':=' is not part of the language: write name = value as a statement of its own" },
    { "{", "sets and dictionaries are not part of the language" },
    { "for", "loops are not part of the language: arrays are computed as a whole" },
};

// Python's words that can be no name here either.
static bool is_reserved(const parser *p, const wf_token *token)
{
    static const char *const words[] = {
        "and",    "as",   "assert", "async",  "await",    "break", "class", "continue", "def",
        "del",    "elif", "else",   "except", "finally",  "for",   "from",  "global",   "if",
        "import", "in",   "is",     "lambda", "nonlocal", "not",   "or",    "pass",     "raise",
        "return", "try",  "while",  "with",   "yield",    "True",  "False", "None",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (wf_token_is_word(&p->lexer, token, words[i])) return true;
    return false;
}

// "+=", "**=" and the like.
static bool is_augmented(const parser *p, const wf_token *token)
{
    const char *text = p->lexer.source.text + token->offset;

    return token->kind == WF_TOKEN_SYMBOL && token->length > 1 && text[token->length - 1] == '=' &&
           !(token->length == 2 && strchr("=<>!:", text[0]));
}

// The current token is not EXPECTED, "a value".
static weft_status fail_expected(const parser *p, const char *expected)
{
    const char *note = is_reserved(p, &p->token) ? ", a word that Python reserves" : "";
    char got[64];

    wf_token_describe(&p->lexer, &p->token, got);
    return fail_at(p, p->token.offset, "expected %s, got %s%s", expected, got, note);
}

// The same, with advice for what people bring along from Python and C.
static weft_status fail_unexpected(const parser *p, const char *expected)
{
    const char *text = p->lexer.source.text + p->token.offset;
    int length = (int)p->token.length;

    if (p->token.kind != WF_TOKEN_NAME && p->token.kind != WF_TOKEN_SYMBOL)
        return fail_expected(p, expected);
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strlen(hints[i].token) == (size_t)length &&
            memcmp(hints[i].token, text, (size_t)length) == 0)
            return fail_at(p, p->token.offset, "%s", hints[i].text);
    if (is_augmented(p, &p->token))
        return fail_at(p, p->token.offset,
                       "'%.*s' is not part of the language: write name = name %.*s value", length,
                       text, length - 1, text);
    return fail_expected(p, expected);
}

static weft_status fail_unclosed(const parser *p, const wf_token *open, char close)
{
    int line, column, here, unused;
    char expected[80], at_line[32] = "";

    wf_source_place(&p->lexer.source, open->offset, &line, &column);
    wf_source_place(&p->lexer.source, p->token.offset, &here, &unused);
    if (line != here) snprintf(at_line, sizeof at_line, "line %d, ", line);
    snprintf(expected, sizeof expected, "'%c' to match '%c' at %scolumn %d", close,
             (char)open->symbol, at_line, column);
    return fail_unexpected(p, expected);
}

// ------------------------------------------------------------------------------------------ tokens

static weft_status advance(parser *p) { return wf_lexer_next(&p->lexer, &p->token); }

static bool at_symbol(const parser *p, uint32_t symbol) { return wf_token_is(&p->token, symbol); }

static bool at_end(const parser *p)
{
    return p->token.kind == WF_TOKEN_END || p->token.kind == WF_TOKEN_LINE;
}

// Whether the token after the current one is SYMBOL. A malformed one is not, and is reported when
// it is reached.
static bool next_is(const parser *p, uint32_t symbol)
{
    wf_lexer ahead = p->lexer;
    wf_token token;
    return wf_lexer_next(&ahead, &token) == WEFT_OK && wf_token_is(&token, symbol);
}

static weft_status enter(parser *p)
{
    if (p->depth >= WF_EXPR_MAX_DEPTH)
        return fail_at(p, p->token.offset, "nested more than %d levels deep", WF_EXPR_MAX_DEPTH);
    p->depth++;
    return WEFT_OK;
}

static void leave(parser *p) { p->depth--; }

// ------------------------------------------------------------------------------------------- nodes

static weft_status push_pending(parser *p, int32_t node)
{
    int64_t want = (int64_t)p->npending + 1;

    WF_TRY(wf_grow(&p->pending, &p->pending_capacity, want, sizeof *p->pending));
    p->pending[p->npending++] = node;
    return WEFT_OK;
}

// Adds NODE with the children at CHILD; fills in their place and the height.
static weft_status add_node(parser *p, wf_expr_node node, int32_t nchild, const int32_t *child,
                            int32_t *out)
{
    wf_expr *e = p->expr;

    if (e->nnode >= WF_EXPR_MAX_NODES)
        return fail_at(p, node.offset, "more than %d parts", WF_EXPR_MAX_NODES);
    node.first = e->nchild;
    node.nchild = nchild;
    for (int32_t i = 0; i < nchild; i++)
        if (child[i] >= 0 && e->node[child[i]].height >= node.height)
            node.height = e->node[child[i]].height + 1;
    if (node.height > WF_EXPR_MAX_HEIGHT)
        return fail_at(p, node.offset,
                       "a chain of more than %d operations: assign a part of it to a name first",
                       WF_EXPR_MAX_HEIGHT);
    WF_TRY(wf_grow(&e->node, &p->node_capacity, (int64_t)e->nnode + 1, sizeof *e->node));
    WF_TRY(wf_grow(&e->child, &p->child_capacity, (int64_t)e->nchild + nchild, sizeof *e->child));
    if (nchild) memcpy(e->child + e->nchild, child, (size_t)nchild * sizeof *child);
    e->nchild += nchild;
    e->node[e->nnode] = node;
    *out = e->nnode++;
    return WEFT_OK;
}

// Adds NODE with the pending children from MARK on, and takes them off the stack.
static weft_status add_pending(parser *p, wf_expr_node node, int32_t mark, int32_t *out)
{
    const int32_t *child = p->pending ? p->pending + mark : NULL;

    WF_TRY(add_node(p, node, p->npending - mark, child, out));
    p->npending = mark;
    return WEFT_OK;
}

// Puts a name into the pool. There is room: the pool has a byte more than the text, and a name that
// needs LENGTH + 1 bytes is followed by another character or the end.
static int32_t add_text(parser *p, const wf_token *token)
{
    int32_t at = p->npool;
    memcpy(p->expr->pool + at, p->lexer.source.text + token->offset, (size_t)token->length);
    p->npool += token->length;
    p->expr->pool[p->npool++] = '\0';
    return at;
}

// --------------------------------------------------------------------------------- inside brackets

// Steps over CLOSE, or says where OPEN was.
static weft_status close_bracket(parser *p, const wf_token *open, char close)
{
    if (!at_symbol(p, WF_SYMBOL1(close))) return fail_unclosed(p, open, close);
    leave(p);
    return advance(p);
}

// Pushes "a, b, c" up to CLOSE. *COMMA says whether any comma stood among them.
static weft_status parse_items(parser *p, const wf_token *open, char close,
                               weft_status (*item)(parser *, int32_t *), bool *comma)
{
    *comma = false;
    while (!at_symbol(p, WF_SYMBOL1(close))) {
        int32_t node;
        WF_TRY(item(p, &node));
        WF_TRY(push_pending(p, node));
        if (!at_symbol(p, ',')) break;
        *comma = true;
        WF_TRY(advance(p));
    }
    return close_bracket(p, open, close);
}

static weft_status parse_keyword(parser *p, int32_t *out)
{
    wf_token name = p->token;
    int32_t value;

    if (is_reserved(p, &name)) return fail_expected(p, "a keyword's name");
    WF_TRY(advance(p));
    WF_TRY(advance(p));
    WF_TRY(parse_expression(p, &value));
    wf_expr_node node = { .kind = WF_EXPR_KEYWORD,
                          .offset = name.offset,
                          .as.text = add_text(p, &name) };
    return add_node(p, node, 1, &value, out);
}

// KEYWORD comes after NKEYWORD others, which are pending.
static weft_status check_keyword(const parser *p, int nkeyword, int32_t keyword)
{
    const wf_expr *e = p->expr;

    if (nkeyword >= MAX_KEYWORDS)
        return fail_at(p, e->node[keyword].offset, "more than %d keyword arguments", MAX_KEYWORDS);
    for (int32_t i = p->npending - nkeyword; i < p->npending; i++)
        if (strcmp(wf_expr_text(e, p->pending[i]), wf_expr_text(e, keyword)) == 0)
            return fail_at(p, e->node[keyword].offset, "keyword %s is given twice",
                           wf_expr_text(e, keyword));
    return WEFT_OK;
}

// Pushes the arguments of a call. The current token is '('.
static weft_status parse_arguments(parser *p)
{
    wf_token open = p->token;
    int32_t node;
    int nkeyword = 0;

    WF_TRY(enter(p));
    WF_TRY(advance(p));
    while (!at_symbol(p, ')')) {
        if (p->token.kind == WF_TOKEN_NAME && next_is(p, '=')) {
            WF_TRY(parse_keyword(p, &node));
            WF_TRY(check_keyword(p, nkeyword++, node));
        } else if (nkeyword) {
            return fail_at(p, p->token.offset, "a positional argument follows a keyword argument");
        } else if (at_symbol(p, '*') || at_symbol(p, WF_SYMBOL2('*', '*'))) {
            return fail_at(p, p->token.offset,
                           "unpacking of arguments is not part of the language");
        } else {
            WF_TRY(parse_expression(p, &node));
        }
        WF_TRY(push_pending(p, node));
        if (!at_symbol(p, ',')) break;
        WF_TRY(advance(p));
    }
    return close_bracket(p, &open, ')');
}

static bool at_slice_end(const parser *p)
{
    return at_symbol(p, ':') || at_symbol(p, ',') || at_symbol(p, ']');
}

static weft_status parse_index_item(parser *p, int32_t *out)
{
    int32_t part[3] = { -1, -1, -1 }, offset = p->token.offset;

    if (at_symbol(p, WF_SYMBOL3('.', '.', '.'))) {
        WF_TRY(advance(p));
        return add_node(p, (wf_expr_node){ .kind = WF_EXPR_ELLIPSIS, .offset = offset }, 0, NULL,
                        out);
    }
    if (!at_symbol(p, ':')) WF_TRY(parse_expression(p, &part[0]));
    if (!at_symbol(p, ':')) {
        *out = part[0];
        return WEFT_OK;
    }
    for (int i = 1; i < 3 && at_symbol(p, ':'); i++) {
        WF_TRY(advance(p));
        if (!at_slice_end(p)) WF_TRY(parse_expression(p, &part[i]));
    }
    return add_node(p, (wf_expr_node){ .kind = WF_EXPR_SLICE, .offset = offset }, 3, part, out);
}

// u[(1, 2)] is u[1, 2]: replaces the only item, a tuple and the last node made, by what it holds.
static weft_status spread_tuple(parser *p)
{
    wf_expr *e = p->expr;
    wf_expr_node tuple = e->node[p->pending[--p->npending]];

    for (int32_t i = 0; i < tuple.nchild; i++) WF_TRY(push_pending(p, e->child[tuple.first + i]));
    e->nnode--;
    e->nchild -= tuple.nchild;
    return WEFT_OK;
}

static weft_status parse_index(parser *p, int32_t object, int32_t *out)
{
    wf_token open = p->token;
    int32_t mark = p->npending;
    bool comma;

    WF_TRY(enter(p));
    WF_TRY(advance(p));
    if (at_symbol(p, ']')) return fail_unexpected(p, "an index");
    WF_TRY(push_pending(p, object));
    WF_TRY(parse_items(p, &open, ']', parse_index_item, &comma));
    if (!comma && p->expr->node[p->pending[mark + 1]].kind == WF_EXPR_TUPLE)
        WF_TRY(spread_tuple(p));
    return add_pending(p, (wf_expr_node){ .kind = WF_EXPR_INDEX, .offset = open.offset }, mark,
                       out);
}

static weft_status parse_parentheses(parser *p, int32_t *out)
{
    wf_token open = p->token;
    int32_t mark = p->npending;
    bool comma;

    WF_TRY(enter(p));
    WF_TRY(advance(p));
    WF_TRY(parse_items(p, &open, ')', parse_expression, &comma));
    if (comma || p->npending == mark)
        return add_pending(p, (wf_expr_node){ .kind = WF_EXPR_TUPLE, .offset = open.offset }, mark,
                           out);
    *out = p->pending[--p->npending];
    return WEFT_OK;
}

static weft_status parse_list(parser *p, int32_t *out)
{
    wf_token open = p->token;
    int32_t mark = p->npending;
    bool comma;

    WF_TRY(enter(p));
    WF_TRY(advance(p));
    WF_TRY(parse_items(p, &open, ']', parse_expression, &comma));
    return add_pending(p, (wf_expr_node){ .kind = WF_EXPR_LIST, .offset = open.offset }, mark, out);
}

// ------------------------------------------------------------------------------------------ values

static weft_status take_name(parser *p, wf_token *out)
{
    if (p->token.kind != WF_TOKEN_NAME || is_reserved(p, &p->token))
        return fail_unexpected(p, "a name after '.'");
    *out = p->token;
    return advance(p);
}

static bool is_one_of(const parser *p, const wf_token *name, const char *a, const char *b,
                      const char *c)
{
    return wf_token_is_word(&p->lexer, name, a) || wf_token_is_word(&p->lexer, name, b) ||
           wf_token_is_word(&p->lexer, name, c);
}

// Reads name, np.name or np.random.name into the pool, without "np."; *OFFSET is where the last
// part stands.
static weft_status parse_name(parser *p, int32_t *text, int32_t *offset)
{
    wf_token name;

    WF_TRY(take_name(p, &name));
    if (at_symbol(p, '.') && is_one_of(p, &name, "np", "numpy", "xp")) {
        WF_TRY(advance(p));
        WF_TRY(take_name(p, &name));
        if (at_symbol(p, '.') && is_one_of(p, &name, "random", "linalg", "fft")) {
            *text = add_text(p, &name);
            p->expr->pool[p->npool - 1] = '.';
            WF_TRY(advance(p));
            WF_TRY(take_name(p, &name));
            add_text(p, &name);
            *offset = name.offset;
            return WEFT_OK;
        }
    }
    *text = add_text(p, &name);
    *offset = name.offset;
    return WEFT_OK;
}

static weft_status parse_name_or_call(parser *p, int32_t *out)
{
    wf_expr_node node = { .kind = WF_EXPR_NAME };
    int32_t mark = p->npending;

    WF_TRY(parse_name(p, &node.as.text, &node.offset));
    if (!at_symbol(p, '(')) return add_node(p, node, 0, NULL, out);
    node.kind = WF_EXPR_CALL;
    WF_TRY(parse_arguments(p));
    return add_pending(p, node, mark, out);
}

static weft_status parse_word(parser *p, int32_t *out)
{
    static const struct {
        const char *word;
        uint8_t kind;
        int64_t value;
    } words[] = { { "True", WF_EXPR_BOOL, 1 },
                  { "False", WF_EXPR_BOOL, 0 },
                  { "None", WF_EXPR_NONE, 0 } };

    for (int i = 0; i < 3; i++) {
        if (!wf_token_is_word(&p->lexer, &p->token, words[i].word)) continue;
        wf_expr_node node = { .kind = words[i].kind,
                              .offset = p->token.offset,
                              .as.i = words[i].value };
        WF_TRY(advance(p));
        return add_node(p, node, 0, NULL, out);
    }
    if (is_reserved(p, &p->token)) return fail_unexpected(p, "a value");
    return parse_name_or_call(p, out);
}

static weft_status parse_integer(parser *p, int32_t *out)
{
    wf_expr_node node = { .kind = WF_EXPR_INT, .offset = p->token.offset };

    if (p->token.as.u <= INT64_MAX) node.as.i = (int64_t)p->token.as.u;
    else if (p->minus_number == p->token.offset)
        node.as.i = INT64_MIN;  // parse_unary checks that the minus is its own
    else
        return fail_at(p, p->token.offset,
                       "integer %" PRIu64
                       " does not fit in int64; a float is written with a point or an exponent",
                       p->token.as.u);
    WF_TRY(advance(p));
    return add_node(p, node, 0, NULL, out);
}

static weft_status parse_literal(parser *p, int32_t *out)
{
    wf_expr_node node = { .offset = p->token.offset };

    switch (p->token.kind) {
    case WF_TOKEN_FLOAT:
    case WF_TOKEN_IMAG:
        node.kind = p->token.kind == WF_TOKEN_FLOAT ? WF_EXPR_FLOAT : WF_EXPR_IMAG;
        node.as.f = p->token.as.f;
        break;
    default:
        node.kind = WF_EXPR_STRING;
        node.as.text = p->npool;
        p->npool += wf_token_decode(&p->lexer, &p->token, p->expr->pool + p->npool);
    }
    WF_TRY(advance(p));
    return add_node(p, node, 0, NULL, out);
}

static weft_status parse_primary(parser *p, int32_t *out)
{
    switch (p->token.kind) {
    case WF_TOKEN_INT: return parse_integer(p, out);
    case WF_TOKEN_FLOAT:
    case WF_TOKEN_IMAG:
    case WF_TOKEN_STRING: return parse_literal(p, out);
    case WF_TOKEN_NAME: return parse_word(p, out);
    default: break;
    }
    if (at_symbol(p, '(')) return parse_parentheses(p, out);
    if (at_symbol(p, '[')) return parse_list(p, out);
    if (at_symbol(p, WF_SYMBOL3('.', '.', '.')))
        return fail_at(p, p->token.offset, "'...' stands only inside an index, as in u[..., 0]");
    return fail_unexpected(p, "a value");
}

// x.name or x.name(arguments); the current token is '.'.
static weft_status parse_attribute(parser *p, int32_t object, int32_t *out)
{
    int32_t mark = p->npending;
    wf_token name = { 0 };

    WF_TRY(advance(p));
    WF_TRY(take_name(p, &name));
    wf_expr_node node = { .kind = WF_EXPR_ATTR,
                          .offset = name.offset,
                          .as.text = add_text(p, &name) };
    WF_TRY(push_pending(p, object));
    if (at_symbol(p, '(')) {
        node.kind = WF_EXPR_METHOD;
        WF_TRY(parse_arguments(p));
    }
    return add_pending(p, node, mark, out);
}

static weft_status parse_postfix(parser *p, int32_t *out)
{
    int32_t node;

    WF_TRY(parse_primary(p, &node));
    for (;;) {
        if (at_symbol(p, '.')) WF_TRY(parse_attribute(p, node, &node));
        else if (at_symbol(p, '[')) WF_TRY(parse_index(p, node, &node));
        else if (at_symbol(p, '('))
            return fail_at(
                p, p->token.offset,
                "only functions and methods can be called; is an operator missing before '('?");
        else break;
    }
    *out = node;
    return WEFT_OK;
}

// --------------------------------------------------------------------------------------- operators

// Finds the operator spelt like TOKEN among FROM..TO.
static bool find_operator(const parser *p, wf_expr_op from, wf_expr_op to, wf_expr_op *out)
{
    if (p->token.kind != WF_TOKEN_SYMBOL) return false;
    for (int op = (int)from; op <= (int)to; op++) {
        const char *s = wf_expr_op_symbol((wf_expr_op)op);
        if (p->token.symbol != WF_SYMBOL2(s[0], s[1])) continue;
        *out = (wf_expr_op)op;
        return true;
    }
    return false;
}

static weft_status parse_power(parser *p, int32_t *out)
{
    wf_expr_node node = { .kind = WF_EXPR_BINARY, .op = WF_EXPR_OP_POW };
    int32_t side[2];

    WF_TRY(parse_postfix(p, &side[0]));
    if (!at_symbol(p, WF_SYMBOL2('*', '*'))) {
        *out = side[0];
        return WEFT_OK;
    }
    node.offset = p->token.offset;
    WF_TRY(enter(p));
    WF_TRY(advance(p));
    WF_TRY(parse_unary(p, &side[1]));
    leave(p);
    return add_node(p, node, 2, side, out);
}

// -1 and -1.5 become literals, so that axis=-1 and u[-1] need no arithmetic. True if NODE now is
// one.
static bool fold_sign(parser *p, wf_expr_op op, int32_t offset, int32_t number)
{
    wf_expr_node *node = &p->expr->node[number];
    bool fresh =
        node->kind == WF_EXPR_INT && node->offset == p->minus_number && node->as.i == INT64_MIN;

    if (op == WF_EXPR_OP_INVERT || (node->kind != WF_EXPR_INT && node->kind != WF_EXPR_FLOAT))
        return false;
    if (op == WF_EXPR_OP_NEGATIVE && node->kind == WF_EXPR_FLOAT) node->as.f = -node->as.f;
    if (op == WF_EXPR_OP_NEGATIVE && node->kind == WF_EXPR_INT && !fresh) {
        if (node->as.i == INT64_MIN) return false;
        node->as.i = -node->as.i;
    }
    node->offset = offset;
    return true;
}

static weft_status parse_unary(parser *p, int32_t *out)
{
    wf_expr_node node = { .kind = WF_EXPR_UNARY, .offset = p->token.offset };
    int32_t operand;
    wf_expr_op op;

    if (!find_operator(p, WF_EXPR_OP_POSITIVE, WF_EXPR_OP_INVERT, &op)) return parse_power(p, out);
    node.op = (uint8_t)op;
    WF_TRY(enter(p));
    WF_TRY(advance(p));
    wf_token first = p->token;
    if (op == WF_EXPR_OP_NEGATIVE) p->minus_number = first.offset;
    WF_TRY(parse_unary(p, &operand));
    leave(p);
    bool huge = op == WF_EXPR_OP_NEGATIVE && first.kind == WF_TOKEN_INT && first.as.u > INT64_MAX;
    // In -2**63 ** 2 the minus does not belong to the number.
    if (huge && p->expr->node[operand].kind != WF_EXPR_INT)
        return fail_at(p, first.offset, "integer %" PRIu64 " does not fit in int64", first.as.u);
    if (fold_sign(p, op, node.offset, operand)) {
        *out = operand;
        return WEFT_OK;
    }
    return add_node(p, node, 1, &operand, out);
}

// Reads operators of at least precedence LEAST and their operands.
static weft_status parse_binary(parser *p, int least, int32_t *out)
{
    int32_t side[2];
    wf_expr_op op;
    bool compared = false;

    WF_TRY(parse_unary(p, &side[0]));
    while (find_operator(p, WF_EXPR_OP_LESS, WF_EXPR_OP_MATMUL, &op) &&
           wf_expr_op_precedence(op) >= least) {
        wf_expr_node node = { .kind = WF_EXPR_BINARY,
                              .op = (uint8_t)op,
                              .offset = p->token.offset };
        if (compared)
            return fail_at(p, p->token.offset, "comparisons do not chain: write (a < b) & (b < c)");
        compared = wf_expr_op_precedence(op) == PRECEDENCE_COMPARE;
        WF_TRY(advance(p));
        WF_TRY(parse_binary(p, wf_expr_op_precedence(op) + 1, &side[1]));
        WF_TRY(add_node(p, node, 2, side, &side[0]));
    }
    *out = side[0];
    return WEFT_OK;
}

static weft_status parse_expression(parser *p, int32_t *out)
{
    return parse_binary(p, PRECEDENCE_COMPARE, out);
}

// -------------------------------------------------------------------------------------- statements

// a, b outside brackets is a tuple, as in Python.
static weft_status parse_value(parser *p, int32_t *out)
{
    wf_expr_node node = { .kind = WF_EXPR_TUPLE, .offset = p->token.offset };
    int32_t mark = p->npending, item;

    WF_TRY(parse_expression(p, &item));
    if (!at_symbol(p, ',')) {
        *out = item;
        return WEFT_OK;
    }
    WF_TRY(push_pending(p, item));
    while (at_symbol(p, ',')) {
        WF_TRY(advance(p));
        if (at_end(p)) break;
        WF_TRY(parse_expression(p, &item));
        WF_TRY(push_pending(p, item));
    }
    return add_pending(p, node, mark, out);
}

static weft_status parse_assignment(parser *p, int32_t *out)
{
    wf_token name = p->token;
    int32_t value;

    if (is_reserved(p, &name)) return fail_expected(p, "a name to assign to");
    WF_TRY(advance(p));
    WF_TRY(advance(p));
    WF_TRY(parse_value(p, &value));
    wf_expr_node node = { .kind = WF_EXPR_ASSIGN,
                          .offset = name.offset,
                          .as.text = add_text(p, &name) };
    return add_node(p, node, 1, &value, out);
}

static weft_status parse_statement(parser *p)
{
    wf_expr *e = p->expr;
    int32_t node;

    if (p->token.kind == WF_TOKEN_NAME && next_is(p, '=')) WF_TRY(parse_assignment(p, &node));
    else WF_TRY(parse_value(p, &node));
    if (at_symbol(p, '='))
        return fail_at(p, p->token.offset, "only a name can be assigned to, as in name = value");
    if (at_symbol(p, ')') || at_symbol(p, ']'))
        return fail_at(p, p->token.offset, "'%c' closes nothing that is open",
                       (char)p->token.symbol);
    if (!at_end(p)) return fail_unexpected(p, "an operator or the end of the statement");
    WF_TRY(wf_grow(&e->statement, &p->statement_capacity, (int64_t)e->nstatement + 1,
                   sizeof *e->statement));
    e->statement[e->nstatement++] = node;
    return WEFT_OK;
}

static weft_status parse_statements(parser *p)
{
    WF_TRY(advance(p));
    while (p->token.kind != WF_TOKEN_END) {
        if (p->token.kind == WF_TOKEN_LINE) WF_TRY(advance(p));
        else WF_TRY(parse_statement(p));
    }
    return p->expr->nstatement ? WEFT_OK : fail_unexpected(p, "an expression");
}

// Makes an empty tree with copies of the text and its name.
static weft_status create_expr(const char *text, int32_t length, const char *where, wf_expr **out)
{
    wf_expr *e = wf_alloc(sizeof *e);

    if (!e) return WEFT_NO_MEMORY;
    e->length = length;
    e->where = wf_strdup(where);
    e->source = wf_alloc((size_t)length + 1);
    e->pool = wf_alloc((size_t)length + 1);
    if (!e->where || !e->source || !e->pool) {
        wf_expr_destroy(e);
        return WEFT_NO_MEMORY;
    }
    memcpy(e->source, text, (size_t)length);
    *out = e;
    return WEFT_OK;
}

weft_status wf_expr_parse(const char *text, int64_t length, const char *where, wf_expr **out)
{
    wf_expr *e;

    if (!where) where = "expression";
    if (!text) return wf_fail(WEFT_INVALID, "%s: the text is NULL", where);
    if (length < 0) length = (int64_t)strlen(text);
    if (length > WF_EXPR_MAX_LENGTH)
        return wf_fail(WEFT_INVALID, "%s: a text of at most %d bytes is accepted, got %" PRId64,
                       where, WF_EXPR_MAX_LENGTH, length);
    WF_TRY(create_expr(text, (int32_t)length, where, &e));

    parser p = { .lexer.source = { e->where, e->source, e->length },
                 .expr = e,
                 .minus_number = -1 };
    weft_status st = parse_statements(&p);
    wf_free(p.pending);
    if (st != WEFT_OK) {
        wf_expr_destroy(e);
        return st;
    }
    *out = e;
    return WEFT_OK;
}
