// SPDX-License-Identifier: Apache-2.0
// expr_lex - see expr_lex.h. Tokens follow Python's lexical rules; nothing here depends on the
// locale.
#include "array/expr_lex.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

enum { MAX_NUMBER = 400 };  // characters of one number, underscores not counted

// ------------------------------------------------------------------------------- places and errors

bool wf_source_has_lines(const wf_expr_source *source)
{
    const char *line = memchr(source->text, '\n', (size_t)source->length);

    for (const char *c = line; c && c < source->text + source->length; c++)
        if (!strchr(" \t\r\n\f", *c) || *c == '\0') return true;
    return false;
}

void wf_source_place(const wf_expr_source *source, int32_t offset, int *line, int *column)
{
    *line = *column = 1;
    for (int32_t i = 0; i < offset; i++) {
        if (source->text[i] == '\n') *column = 1, ++*line;
        else if (((unsigned char)source->text[i] & 0xc0) !=
                 0x80)  // a UTF-8 continuation byte is no character
            ++*column;
    }
}

weft_status wf_source_vfail(const wf_expr_source *source, int32_t offset, weft_status code,
                            const char *fmt, va_list args)
{
    char sentence[400];
    int line, column;

    vsnprintf(sentence, sizeof sentence, fmt, args);
    wf_source_place(source, offset, &line, &column);
    if (wf_source_has_lines(source))
        return wf_fail(code, "%s, line %d, column %d: %s", source->where, line, column, sentence);
    return wf_fail(code, "%s, column %d: %s", source->where, column, sentence);
}

weft_status wf_source_fail(const wf_expr_source *source, int32_t offset, weft_status code,
                           const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weft_status st = wf_source_vfail(source, offset, code, fmt, args);
    va_end(args);
    return st;
}

static weft_status fail_here(const wf_lexer *lexer, const char *fmt, ...) WEFT_PRINTF(2, 3);
static weft_status fail_here(const wf_lexer *lexer, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weft_status st = wf_source_vfail(&lexer->source, lexer->offset, WEFT_INVALID, fmt, args);
    va_end(args);
    return st;
}

// -------------------------------------------------------------------------------------- characters

// The character I bytes on; '\0' past the end.
static char look(const wf_lexer *lexer, int32_t i)
{
    return lexer->source.length - lexer->offset > i ? lexer->source.text[lexer->offset + i] : '\0';
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c) { return is_letter(c) || is_digit(c); }

static int digit_value(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    return 99;
}

// The bytes of the UTF-8 character at BYTES, of which COUNT exist, and its code point; 0 if it is
// malformed.
static int decode_utf8(const char *bytes, int32_t count, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *b = (const unsigned char *)bytes;
    int n = b[0] < 0x80   ? 1
            : b[0] < 0xc0 ? 0
            : b[0] < 0xe0 ? 2
            : b[0] < 0xf0 ? 3
            : b[0] < 0xf8 ? 4
                          : 0;

    if (n == 0 || n > count) return 0;
    uint32_t value = n == 1 ? b[0] : b[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (b[i] & 0x3f);
    }
    if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0;
    *code = value;
    return n;
}

static weft_status fail_character(const wf_lexer *lexer)
{
    const char *at = lexer->source.text + lexer->offset;
    uint32_t code = 0;
    int n = decode_utf8(at, lexer->source.length - lexer->offset, &code);

    if (n == 0) return fail_here(lexer, "byte 0x%02x is not valid UTF-8", (unsigned char)*at);
    if (n > 1)
        return fail_here(
            lexer,
            "character '%.*s' (U+%04X) outside a string: names are ASCII letters, digits and _", n,
            at, code);
    if (code < 0x20 || code == 0x7f)
        return fail_here(lexer, "unexpected control character 0x%02x", code);
    if (*at == '!') return fail_here(lexer, "unexpected '!': write ~a or logical_not(a)");
    return fail_here(lexer, "unexpected character '%c'", *at);
}

// ----------------------------------------------------------------------------------------- numbers

typedef struct scanned {
    int32_t length;  // bytes of source read so far
    int count;       // characters kept
    char text[MAX_NUMBER + 1];
} scanned;

static bool keep_char(scanned *s, char c)
{
    s->length++;
    if (s->count >= MAX_NUMBER) return false;
    s->text[s->count++] = c;
    s->text[s->count] = '\0';
    return true;
}

// Keeps a run of digits of BASE with single underscores between them. False when a number is too
// long.
static bool scan_digits(const wf_lexer *lexer, int base, scanned *s)
{
    for (;; s->length++) {
        while (digit_value(look(lexer, s->length)) < base)
            if (!keep_char(s, look(lexer, s->length))) return false;
        bool between = s->count > 0 && digit_value(s->text[s->count - 1]) < base;
        if (!between || look(lexer, s->length) != '_' ||
            digit_value(look(lexer, s->length + 1)) >= base)
            return true;
    }
}

static weft_status fail_number(const wf_lexer *lexer, const scanned *s)
{
    if (s->count >= MAX_NUMBER)
        return fail_here(lexer, "a number has more than %d characters", MAX_NUMBER);
    int32_t length = s->length;
    while (is_word(look(lexer, length))) length++;
    return fail_here(lexer, "invalid number '%.*s'", length < 40 ? (int)length : 40,
                     lexer->source.text + lexer->offset);
}

static weft_status read_integer(const wf_lexer *lexer, const scanned *s, int base, wf_token *out)
{
    const uint64_t most = (uint64_t)1 << 63;  // a minus may stand before it
    uint64_t value = 0;

    for (int i = 0; i < s->count; i++) {
        uint64_t digit = (uint64_t)digit_value(s->text[i]);
        if (value > (most - digit) / (uint64_t)base)
            return fail_here(
                lexer,
                "integer %.40s%s does not fit in int64; a float is written with a point or "
                "an exponent",
                s->text, s->count > 40 ? "..." : "");
        value = value * (uint64_t)base + digit;
    }
    out->kind = WF_TOKEN_INT;
    out->as.u = value;
    return WEFT_OK;
}

static weft_status read_based(wf_lexer *lexer, int base, wf_token *out)
{
    scanned s = { .length = 2 };

    if (look(lexer, 2) == '_') s.length++;  // 0x_ff, as in Python
    if (!scan_digits(lexer, base, &s) || s.count == 0 || is_word(look(lexer, s.length)))
        return fail_number(lexer, &s);
    out->length = s.length;
    return read_integer(lexer, &s, base, out);
}

// Keeps ".5e-3" and the like; false if the number is too long. *FLOATING says whether there was
// any.
static bool scan_fraction(const wf_lexer *lexer, scanned *s, bool *floating)
{
    *floating = false;
    if (look(lexer, s->length) == '.') {
        *floating = true;
        if (!keep_char(s, '.') || !scan_digits(lexer, 10, s)) return false;
    }
    char e = look(lexer, s->length), sign = look(lexer, s->length + 1);
    if (e != 'e' && e != 'E') return true;
    bool has_sign = sign == '+' || sign == '-';
    if (!is_digit(look(lexer, s->length + 1 + has_sign)))
        return true;  // the caller sees a letter after a number
    *floating = true;
    return keep_char(s, 'e') && (!has_sign || keep_char(s, sign)) && scan_digits(lexer, 10, s);
}

static weft_status read_number(wf_lexer *lexer, wf_token *out)
{
    scanned s = { 0 };
    bool floating;
    char second = look(lexer, 1);

    if (look(lexer, 0) == '0') {
        int base = second == 'x' || second == 'X'   ? 16
                   : second == 'o' || second == 'O' ? 8
                   : second == 'b' || second == 'B' ? 2
                                                    : 0;
        if (base) return read_based(lexer, base, out);
    }
    if (!scan_digits(lexer, 10, &s) || !scan_fraction(lexer, &s, &floating))
        return fail_number(lexer, &s);
    bool imaginary = look(lexer, s.length) == 'j' || look(lexer, s.length) == 'J';
    s.length += imaginary;
    if (is_word(look(lexer, s.length))) return fail_number(lexer, &s);

    out->length = s.length;
    if (floating || imaginary) {
        out->kind = imaginary ? WF_TOKEN_IMAG : WF_TOKEN_FLOAT;
        const char *end;
        out->as.f = wf_number_scan(s.text, &end);
        return *end ? fail_number(lexer, &s) : WEFT_OK;
    }
    if (s.text[0] == '0' && strspn(s.text, "0") != (size_t)s.count)
        return fail_here(lexer, "integer %.40s has leading zeros", s.text);
    return read_integer(lexer, &s, 10, out);
}

// ----------------------------------------------------------------------------------------- strings

static weft_status read_string(wf_lexer *lexer, wf_token *out)
{
    wf_lexer at = *lexer;
    char quote = look(&at, 0);

    for (at.offset++; look(&at, 0) != quote;) {
        uint32_t code;
        if (at.offset >= at.source.length || look(&at, 0) == '\n')
            return fail_here(lexer, "the string is not closed");
        int n = decode_utf8(at.source.text + at.offset, at.source.length - at.offset, &code);
        if (n == 0)
            return fail_here(&at, "byte 0x%02x is not valid UTF-8", (unsigned char)look(&at, 0));
        if (code == 0) return fail_here(&at, "unexpected control character 0x00");
        if (code == '\\' && (look(&at, 1) == '\0' || !strchr("\\'\"ntr", look(&at, 1))))
            return fail_here(
                &at, "unknown escape in a string: \\\\, \\', \\\", \\n, \\r and \\t are known");
        at.offset += code == '\\' ? 2 : n;
    }
    out->kind = WF_TOKEN_STRING;
    out->length = at.offset + 1 - lexer->offset;
    return WEFT_OK;
}

int32_t wf_token_decode(const wf_lexer *lexer, const wf_token *token, char *out)
{
    const char *in = lexer->source.text + token->offset;
    int32_t n = 0;

    for (int32_t i = 1; i < token->length - 1; i++) {
        char c = in[i];
        if (c == '\\') {
            c = in[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        out[n++] = c;
    }
    out[n++] = '\0';
    return n;
}

// ----------------------------------------------------------------------------------------- symbols

// How many characters the symbol at the lexer has; 0 if none begins there. Symbols that only other
// languages or Python's statements have are read whole, so that the parser can say what to write
// instead.
static int symbol_length(const wf_lexer *lexer)
{
    static const char *const three[] = { "...", "**=", "//=", "<<=", ">>=" };
    static const char *const two[] = { "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||",
                                       ":=", "+=", "-=", "*=", "/=", "%=", "@=", "&=", "|=", "^=" };
    char c[4] = { look(lexer, 0), look(lexer, 1), look(lexer, 2), 0 };

    for (size_t i = 0; i < sizeof three / sizeof *three; i++)
        if (strcmp(c, three[i]) == 0) return 3;
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (strncmp(c, two[i], 2) == 0) return 2;
    return c[0] && strchr("()[]{},:=.+-*/%@<>&|^~", c[0]) ? 1 : 0;
}

static weft_status read_symbol(wf_lexer *lexer, wf_token *out)
{
    int n = symbol_length(lexer);

    if (n == 0) return fail_character(lexer);
    out->kind = WF_TOKEN_SYMBOL;
    out->length = n;
    out->symbol =
        WF_SYMBOL3(look(lexer, 0), n > 1 ? look(lexer, 1) : 0, n > 2 ? look(lexer, 2) : 0);
    if (n == 1 && strchr("([{", look(lexer, 0))) lexer->nesting++;
    if (n == 1 && strchr(")]}", look(lexer, 0)) && lexer->nesting > 0) lexer->nesting--;
    return WEFT_OK;
}

// ------------------------------------------------------------------------------------------ tokens

static void skip_blanks(wf_lexer *lexer)
{
    for (;;) {
        char c = look(lexer, 0);
        int32_t cr = look(lexer, 1) == '\r';
        if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || (c == '\n' && lexer->nesting > 0))
            lexer->offset++;
        else if (c == '\\' && look(lexer, 1 + cr) == '\n') lexer->offset += 2 + cr;
        else if (c == '#')
            while (lexer->offset < lexer->source.length && look(lexer, 0) != '\n') lexer->offset++;
        else return;
    }
}

// Where "end of text" is reported: after the last character that is no blank.
static int32_t end_of_text(const wf_expr_source *source)
{
    int32_t end = source->length;
    while (end > 0 && source->text[end - 1] && strchr(" \t\r\n\f", source->text[end - 1])) end--;
    return end;
}

static weft_status read_token(wf_lexer *lexer, wf_token *out)
{
    char c = look(lexer, 0);

    if (c == '\n' || c == ';') {
        out->kind = WF_TOKEN_LINE;
        out->length = 1;
        return WEFT_OK;
    }
    if (is_digit(c) || (c == '.' && is_digit(look(lexer, 1)))) return read_number(lexer, out);
    if (c == '\'' || c == '"') return read_string(lexer, out);
    if (!is_letter(c)) return read_symbol(lexer, out);
    out->kind = WF_TOKEN_NAME;
    while (is_word(look(lexer, out->length))) out->length++;
    return WEFT_OK;
}

weft_status wf_lexer_next(wf_lexer *lexer, wf_token *out)
{
    skip_blanks(lexer);
    wf_token token = { .offset = lexer->offset };
    if (lexer->offset >= lexer->source.length) token.offset = end_of_text(&lexer->source);
    else WF_TRY(read_token(lexer, &token));
    lexer->offset += token.length;
    *out = token;
    return WEFT_OK;
}

bool wf_token_is_word(const wf_lexer *lexer, const wf_token *token, const char *word)
{
    return token->kind == WF_TOKEN_NAME && strlen(word) == (size_t)token->length &&
           memcmp(lexer->source.text + token->offset, word, (size_t)token->length) == 0;
}

void wf_token_describe(const wf_lexer *lexer, const wf_token *token, char out[64])
{
    const char *text = lexer->source.text + token->offset;
    int32_t length = token->length;

    if (token->kind == WF_TOKEN_END) {
        snprintf(out, 64, "end of text");
    } else if (token->kind == WF_TOKEN_LINE && *text == '\n') {
        snprintf(out, 64, "end of line");
    } else if (length <= 40) {
        snprintf(out, 64, "'%.*s'", (int)length, text);
    } else {
        for (length = 37; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;) length--;
        snprintf(out, 64, "'%.*s...'", (int)length, text);
    }
}
