// SPDX-License-Identifier: Apache-2.0
// json - a strict checker by recursive descent (bounded depth), and readers that rely on the text
// having been checked.
#include "io/json.h"

#include <math.h>
#include <string.h>

#include "base/number.h"

#define MAX_DEPTH 64

typedef struct scanner {
    const char *begin, *at, *end;
    const char *wanted;  // what was expected where the check failed
} scanner;

static bool want(scanner *s, const char *what)
{
    if (!s->wanted) s->wanted = what;
    return false;
}

static void skip_space(scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(scanner *s, char c)
{
    if (s->at >= s->end || *s->at != c) return false;
    s->at++;
    return true;
}

static bool take_word(scanner *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0) return false;
    s->at += n;
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool check_digits(scanner *s)
{
    if (s->at >= s->end || !is_digit(*s->at)) return want(s, "a digit");
    while (s->at < s->end && is_digit(*s->at)) s->at++;
    return true;
}

static bool check_number(scanner *s)
{
    take(s, '-');
    if (take_word(s, "Infinity")) return true;
    if (take(s, '0')) {
        if (s->at < s->end && is_digit(*s->at)) return want(s, "no digit after a leading 0");
    } else if (!check_digits(s)) {
        return false;
    }
    if (take(s, '.') && !check_digits(s)) return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+')) take(s, '-');
        return check_digits(s);
    }
    return true;
}

static bool check_escape(scanner *s)
{
    if (s->at >= s->end || !*s->at || !strchr("\"\\/bfnrtu", *s->at))
        return want(s, "an escape such as \\n or \\u0041");
    if (*s->at++ != 'u') return true;
    for (int i = 0; i < 4; i++, s->at++)
        if (s->at >= s->end || hex_value(*s->at) < 0) return want(s, "four hexadecimal digits");
    return true;
}

static bool check_string(scanner *s)
{
    if (!take(s, '"')) return want(s, "'\"'");
    while (s->at < s->end && *s->at != '"') {
        if ((unsigned char)*s->at < 0x20) return want(s, "no control character in a string");
        if (*s->at++ == '\\' && !check_escape(s)) return false;
    }
    return take(s, '"') || want(s, "'\"'");
}

static bool check_value(scanner *s, int depth);

static bool check_items(scanner *s, char close, bool keyed, int depth)
{
    skip_space(s);
    if (take(s, close)) return true;
    for (;;) {
        skip_space(s);
        if (keyed && !check_string(s)) return false;
        if (keyed) skip_space(s);
        if (keyed && !take(s, ':')) return want(s, "':'");
        if (!check_value(s, depth)) return false;
        skip_space(s);
        if (take(s, close)) return true;
        if (!take(s, ',')) return want(s, keyed ? "',' or '}'" : "',' or ']'");
    }
}

static bool check_value(scanner *s, int depth)
{
    if (depth == 0) return want(s, "fewer than 64 nested values");
    skip_space(s);
    if (s->at >= s->end) return want(s, "a value");
    switch (*s->at) {
    case '{': s->at++; return check_items(s, '}', true, depth - 1);
    case '[': s->at++; return check_items(s, ']', false, depth - 1);
    case '"': return check_string(s);
    case 't': return take_word(s, "true") || want(s, "a value");
    case 'f': return take_word(s, "false") || want(s, "a value");
    case 'n': return take_word(s, "null") || want(s, "a value");
    case 'N': return take_word(s, "NaN") || want(s, "a value");
    case 'I': return take_word(s, "Infinity") || want(s, "a value");
    default: return *s->at == '-' || is_digit(*s->at) ? check_number(s) : want(s, "a value");
    }
}

weft_status wf_json_check(const char *where, const char *text, size_t length, wf_json *out)
{
    scanner s = { .begin = text, .at = text, .end = text + length };
    skip_space(&s);
    wf_json value = { .at = s.at };
    bool good = check_value(&s, MAX_DEPTH);
    value.end = s.at;
    skip_space(&s);
    if (good && s.at < s.end) good = want(&s, "nothing after the value");
    if (!good)
        return wf_fail(WEFT_FORMAT, "%s: malformed JSON: expected %s at byte %" PRId64, where,
                       s.wanted, (int64_t)(s.at - s.begin));
    *out = value;
    return WEFT_OK;
}

wf_json_kind wf_json_get_kind(wf_json value)
{
    switch (*value.at) {
    case '{': return WF_JSON_OBJECT;
    case '[': return WF_JSON_ARRAY;
    case '"': return WF_JSON_STRING;
    case 't':
    case 'f': return WF_JSON_BOOL;
    case 'n': return WF_JSON_NULL;
    default: return WF_JSON_NUMBER;
    }
}

bool wf_json_is_true(wf_json value) { return *value.at == 't'; }

bool wf_json_next(wf_json value, const char **at, wf_json *key, wf_json *out)
{
    wf_json_kind kind = wf_json_get_kind(value);
    if (kind != WF_JSON_ARRAY && kind != WF_JSON_OBJECT) return false;
    scanner s = { .at = *at ? *at : value.at + 1, .end = value.end };
    wf_json name = { 0 };
    skip_space(&s);
    take(&s, ',');
    skip_space(&s);
    if (*s.at == '}' || *s.at == ']') return false;
    if (kind == WF_JSON_OBJECT) {
        name.at = s.at;
        check_string(&s);
        name.end = s.at;
        skip_space(&s);
        take(&s, ':');
        skip_space(&s);
    }
    out->at = s.at;
    check_value(&s, MAX_DEPTH);
    out->end = s.at;
    if (key) *key = name;
    *at = s.at;
    return true;
}

bool wf_json_member(wf_json value, const char *key, wf_json *out)
{
    const char *at = NULL;
    wf_json name, item;
    bool found = false;
    if (wf_json_get_kind(value) != WF_JSON_OBJECT) return false;
    while (wf_json_next(value, &at, &name, &item)) {
        if (!wf_json_equals(name, key)) continue;
        *out = item;
        found = true;
    }
    return found;
}

bool wf_json_u64(wf_json value, uint64_t *out)
{
    uint64_t n = 0;
    for (const char *p = value.at; p < value.end; p++) {
        if (!is_digit(*p)) return false;
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}

bool wf_json_i64(wf_json value, int64_t *out)
{
    bool negative = *value.at == '-';
    uint64_t n;
    if (negative) value.at++;
    if (value.at == value.end || !wf_json_u64(value, &n)) return false;
    if (n > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
    *out = negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

bool wf_json_f64(wf_json value, double *out)
{
    char text[64], *copy = text;
    size_t n = (size_t)(value.end - value.at);
    const char *end;
    if (wf_json_get_kind(value) != WF_JSON_NUMBER || n >= sizeof text) return false;
    memcpy(copy, value.at, n);
    copy[n] = '\0';
    bool negative = *copy == '-';
    if (strcmp(copy, "NaN") == 0) *out = NAN;
    else if (strcmp(copy + negative, "Infinity") == 0) *out = negative ? -INFINITY : INFINITY;
    else *out = wf_number_scan(copy, &end);
    return true;
}

static uint32_t read_hex4(const char *p)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) code = code * 16 + (uint32_t)hex_value(p[i]);
    return code;
}

static size_t encode_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(lead[n] | code);
    return n;
}

// Decodes the character at P, which an escape may stand for. Gives the bytes of source; OUT gets *N
// bytes. A lone half of a surrogate pair becomes U+FFFD.
static size_t decode_char(const char *p, const char *end, char out[4], size_t *n)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    *n = 1;
    out[0] = *p;
    if (*p != '\\') return 1;
    const char *short_form = strchr(from, p[1]);
    out[0] = short_form ? to[short_form - from] : p[1];
    if (p[1] != 'u') return 2;

    uint32_t code = read_hex4(p + 2);
    size_t used = 6;
    if (code >= 0xD800 && code < 0xDC00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        uint32_t low = read_hex4(p + 8);
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            used = 12;
        }
    }
    if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
    *n = encode_utf8(code, out);
    return used;
}

bool wf_json_string(wf_json value, char *out, size_t capacity)
{
    if (wf_json_get_kind(value) != WF_JSON_STRING) return false;
    const char *end = value.end - 1;
    size_t length = 0, n;
    char piece[4];
    for (const char *p = value.at + 1; p < end;) {
        p += decode_char(p, end, piece, &n);
        if (length + n >= capacity || (n == 1 && piece[0] == '\0')) return false;
        memcpy(out + length, piece, n);
        length += n;
    }
    out[length] = '\0';
    return true;
}

bool wf_json_equals(wf_json value, const char *text)
{
    if (wf_json_get_kind(value) != WF_JSON_STRING) return false;
    const char *end = value.end - 1;
    size_t left = strlen(text), n;
    char piece[4];
    for (const char *p = value.at + 1; p < end; text += n, left -= n) {
        p += decode_char(p, end, piece, &n);
        if (n > left || memcmp(piece, text, n) != 0) return false;
    }
    return left == 0;
}

void wf_json_quote(wf_text *out, const char *text)
{
    wf_text_add(out, "\"");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') wf_text_add(out, "\\%c", *p);
        else if ((unsigned char)*p < 0x20) wf_text_add(out, "\\u%04x", (unsigned)(unsigned char)*p);
        else wf_text_add_bytes(out, p, 1);
    }
    wf_text_add(out, "\"");
}

// The end of the string that begins at P.
static const char *end_of_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) p += *p == '\\';
    return p + 1;
}

// How long the name at P is that Python writes for no number; 0: there is none.
static size_t count_not_finite(const char *p, const char *end)
{
    static const char *const names[] = { "NaN", "Infinity", "-Infinity" };
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(names[i]);
        if ((size_t)(end - p) >= n && memcmp(p, names[i], n) == 0) return n;
    }
    return 0;
}

void wf_json_compact(wf_text *out, wf_json value)
{
    for (const char *p = value.at; p < value.end;) {
        const char *from = p;
        size_t n = count_not_finite(p, value.end);
        if (*p == '"') p = end_of_string(p, value.end);
        else p += n ? n : 1;
        if (strchr(" \t\r\n", *from)) continue;
        if (n) wf_text_add_bytes(out, "\"", 1);
        wf_text_add_bytes(out, from, (size_t)(p - from));
        if (n) wf_text_add_bytes(out, "\"", 1);
        if (*from == ',' || *from == ':') wf_text_add_bytes(out, " ", 1);
    }
}
