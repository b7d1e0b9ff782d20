// SPDX-License-Identifier: Apache-2.0
// expr_lex - the expression language's text cut into tokens, and errors that name a place in a
// text. Used by the parsers of this folder (expr.c, cut.c) and nobody else. A lexer is a plain
// value: copying it is looking ahead.
#ifndef WF_ARRAY_EXPR_LEX_H
#define WF_ARRAY_EXPR_LEX_H

#include "array/expr.h"

// A text with the name that errors give it.
typedef struct wf_expr_source {
    const char *where;  // "expression"
    const char *text;
    int32_t length;
} wf_expr_source;

typedef enum wf_token_kind {
    WF_TOKEN_END,
    WF_TOKEN_LINE,    // ';', or a newline outside all brackets
    WF_TOKEN_INT,     // u: its value, at most 2**63
    WF_TOKEN_FLOAT,   // f
    WF_TOKEN_IMAG,    // f
    WF_TOKEN_STRING,  // with its quotes; well formed, escapes not decoded
    WF_TOKEN_NAME,    // includes every word of Python's
    WF_TOKEN_SYMBOL,  // symbol: its characters, "**" is '*' | '*' << 8
} wf_token_kind;

#define WF_SYMBOL1(a) ((uint32_t)(a))
#define WF_SYMBOL2(a, b) ((uint32_t)(a) | (uint32_t)(b) << 8)
#define WF_SYMBOL3(a, b, c) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16)

typedef struct wf_token {
    uint8_t kind;
    int32_t offset, length;
    uint32_t symbol;
    union {
        uint64_t u;
        double f;
    } as;
} wf_token;

typedef struct wf_lexer {
    wf_expr_source source;
    int32_t offset;
    int32_t nesting;  // brackets open: newlines inside are blanks
} wf_lexer;

// Reads the token at the lexer and steps over it. At the end it keeps giving WF_TOKEN_END.
weft_status wf_lexer_next(wf_lexer *lexer, wf_token *out) WEFT_WARN_UNUSED;
// Whether TOKEN is a NAME spelt WORD.
bool wf_token_is_word(const wf_lexer *lexer, const wf_token *token, const char *word);
static inline bool wf_token_is(const wf_token *token, uint32_t symbol)
{
    return token->kind == WF_TOKEN_SYMBOL && token->symbol == symbol;
}

// Writes how an error names TOKEN: "'foo'", "end of text", "end of line".
void wf_token_describe(const wf_lexer *lexer, const wf_token *token, char out[64]);

// Decodes a STRING token's escapes into OUT, which holds at least the token's length; returns the
// bytes written, with the NUL.
int32_t wf_token_decode(const wf_lexer *lexer, const wf_token *token, char *out);

// The 1-based line and column of byte OFFSET.
void wf_source_place(const wf_expr_source *source, int32_t offset, int *line, int *column);
bool wf_source_has_lines(const wf_expr_source *source);  // more than one line

// Records CODE with the place of byte OFFSET before the sentence; returns CODE.
weft_status wf_source_fail(const wf_expr_source *source, int32_t offset, weft_status code,
                           const char *fmt, ...) WEFT_PRINTF(4, 5);
weft_status wf_source_vfail(const wf_expr_source *source, int32_t offset, weft_status code,
                            const char *fmt, va_list args) WEFT_PRINTF(4, 0);

#endif
