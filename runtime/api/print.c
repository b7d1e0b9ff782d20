// SPDX-License-Identifier: Apache-2.0
// print - arrays as text, as NumPy prints them: up to 1000 elements whole, else the first and last
// three along each axis, which are all that is computed.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/session.h"
#include "base/number.h"

enum { THRESHOLD = 1000, EDGE = 3, LINE = 75, PRECISION = 8, MAX_DIGITS = 400 };

// --- numbers as text ---

// One element: both parts of a complex number, else the first. Floats narrower than float64 know
// it, for their shortest digits.
typedef struct element {
    double part[2];
    uint64_t integer;
} element;

typedef struct style {
    weft_dtype dtype;
    bool exponent;    // 1.5e+10
    bool plus;        // a sign before positive numbers: imaginary parts
    int left, right;  // widths before and behind the point
    int digits;       // exponent form: behind the point, padded with 0
    int exponent_digits;
} style;

static float half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                      : exponent == 0 ? ldexpf((float)fraction, -24)
                                      : ldexpf((float)(fraction + 1024), exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static float bfloat_value(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

// The distance from |X| to the next float of DTYPE.
static double step_above(double x, weft_dtype dtype)
{
    int exponent, bits, lowest;

    switch (dtype) {
    case WEFT_FLOAT16: bits = 11, lowest = -24; break;
    case WEFT_BFLOAT16: bits = 8, lowest = -133; break;
    case WEFT_FLOAT32: bits = 24, lowest = -149; break;
    default: bits = 53, lowest = -1074; break;
    }
    frexp(x, &exponent);
    return ldexp(1, exponent - bits > lowest ? exponent - bits : lowest);
}

// Whether VALUE, any positive number, rounds to the float X of DTYPE. Below a power of two floats
// lie closer together.
static bool rounds_to(double value, double x, weft_dtype dtype)
{
    int exponent;
    double half = step_above(x, dtype) / 2;

    if (dtype == WEFT_FLOAT64) return value == x;
    if (dtype == WEFT_FLOAT32) return (float)value == (float)x;
    if (frexp(x, &exponent) == 0.5 && value < x) half /= 2;
    return fabs(value - x) < half;
}

// snprintf in the C locale.
static void print_float(char *out, size_t size, const char *format, int precision, double value)
{
    snprintf(out, size, format, precision, value);
    for (char *p = out; *p; p++)
        if (!strchr("0123456789+-e", *p)) {
            size_t n = strcspn(p, "0123456789");  // a point of any locale, in any encoding
            *p = '.';
            memmove(p + 1, p + n, strlen(p + n) + 1);
        }
}

// The digits of |VALUE|, finite, as a decimal: D[0].D[1]D[2]... times 10**EXPONENT; the fewest that
// are VALUE again.
typedef struct decimal {
    char digit[24];
    int count, exponent;
} decimal;

// Whether the number in TEXT is VALUE again.
static bool reads_back(const char *text, double value, weft_dtype dtype)
{
    return rounds_to(wf_number_scan(text, &(const char *){ NULL }), value, dtype);
}

static decimal shortest(double value, weft_dtype dtype)
{
    decimal d = { .count = 0 };
    char text[64];
    int exponent;

    value = fabs(value);
    bool power = dtype != WEFT_FLOAT64 && frexp(value, &exponent) == 0.5;
    for (int precision = 0; precision < 17; precision++) {
        print_float(text, sizeof text, "%.*e", precision, value);
        if (value == 0 || reads_back(text, value, dtype)) break;
        if (!power) continue;
        // There is more room above a power of two than below: rounding up may do where rounding to
        // nearest does not.
        print_float(text, sizeof text, "%.*e", precision, value + 0.49 * step_above(value, dtype));
        if (reads_back(text, value, dtype)) break;
    }
    for (const char *p = text; *p != 'e'; p++)
        if (*p != '.') d.digit[d.count++] = *p;
    d.exponent = atoi(strchr(text, 'e') + 1);
    while (d.count > 1 && d.digit[d.count - 1] == '0') d.count--;
    return d;
}

// VALUE, finite, without an exponent, digits behind the point as they are needed, at most LIMIT:
// "12.5", "3.".
static void print_positional(double value, weft_dtype dtype, int limit, bool plus,
                             char out[MAX_DIGITS])
{
    decimal d = shortest(value, dtype);
    const char *sign = signbit(value) ? "-" : plus ? "+" : "";
    int fraction = d.count - 1 - d.exponent;
    char digits[MAX_DIGITS - 8];

    if (fraction > limit) {  // cut: by the exact value
        print_float(digits, sizeof digits, "%.*f", limit, fabs(value));
    } else if (fraction <= 0) {  // NumPy fills with zeros behind the shortest digits
        int n = d.exponent + 1 < MAX_DIGITS - 16 ? d.exponent + 1 : MAX_DIGITS - 16;
        for (int i = 0; i < n; i++) digits[i] = i < d.count ? d.digit[i] : '0';
        strcpy(digits + n, ".");
    } else {
        int at = 0;
        for (int i = d.exponent < 0 ? d.exponent : 0; i < d.count; i++) {
            digits[at++] = i < 0 ? '0' : d.digit[i];
            if (i == d.exponent) digits[at++] = '.';
        }
        digits[at] = '\0';
    }
    size_t length = strlen(digits);
    if (strchr(digits, '.'))
        while (digits[length - 1] == '0') digits[--length] = '\0';
    snprintf(out, MAX_DIGITS, "%s%s", sign, digits);
}

// VALUE, finite, as "1.5e+10": LEAST to MOST digits behind the point.
static void print_scientific(double value, weft_dtype dtype, int least, int most,
                             int exponent_digits, bool plus, char out[MAX_DIGITS])
{
    decimal d = shortest(value, dtype);
    const char *sign = signbit(value) ? "-" : plus ? "+" : "";
    char digits[48];

    if (d.count - 1 > most ||
        d.count - 1 < least) {  // more digits than make it unique are digits of the exact value
        print_float(digits, sizeof digits, "%.*e", d.count - 1 > most ? most : least, fabs(value));
        d.exponent = atoi(strchr(digits, 'e') + 1);
        *strchr(digits, 'e') = '\0';
        if (!strchr(digits, '.')) strcat(digits, ".");
    } else {
        snprintf(digits, sizeof digits, "%c.%.*s", d.digit[0], d.count - 1, d.digit + 1);
    }
    size_t length = strlen(digits);
    while (digits[length - 1] == '0') digits[--length] = '\0';
    for (int have = (int)(digits + length - strchr(digits, '.') - 1); have < least; have++)
        digits[length++] = '0';
    digits[length] = '\0';
    snprintf(out, MAX_DIGITS, "%s%se%c%0*d", sign, digits, d.exponent < 0 ? '-' : '+',
             exponent_digits, abs(d.exponent));
}

// --- the common style of many floats ---

static weft_dtype real_of(weft_dtype dtype) { return wf_dtype_real(dtype); }

static bool wants_exponent(double least, double most, weft_dtype dtype)
{
    bool narrow = dtype != WEFT_FLOAT64;
    double limit = dtype == WEFT_FLOAT64   ? 1e8
                   : dtype == WEFT_FLOAT32 ? 1e6
                                           : 1e3,
           small = narrow ? (double)0.0001f : 0.0001;
    double ratio = narrow ? (double)((float)most / (float)least) : most / least;
    return most >= limit || least < small || ratio > 1000;
}

static int max_int(int a, int b) { return a > b ? a : b; }

// Widths of "-12.5", or of "-1.5e+10", among what STYLE has seen.
static void measure(style *s, const char *text)
{
    const char *point = strchr(text, '.'), *e = strchr(text, 'e'),
               *end = e ? e : text + strlen(text);

    s->left = max_int(s->left, (int)(point - text));
    if (e) {
        s->digits = max_int(s->digits, (int)(end - point - 1));
        s->exponent_digits = max_int(s->exponent_digits, (int)strlen(e + 2));
    } else {
        s->right = max_int(s->right, (int)(end - point - 1));
    }
}

static style choose_style(weft_dtype dtype, bool plus, int part, int64_t n, const element *x)
{
    style s = { .dtype = real_of(dtype), .plus = plus };
    double least = INFINITY, most = 0;
    bool nan = false, inf = false, minus_inf = false;
    char text[MAX_DIGITS];

    for (int64_t i = 0; i < n; i++) {
        double v = fabs(x[i].part[part]);
        nan |= isnan(v) != 0;
        inf |= isinf(v) != 0;
        minus_inf |= isinf(v) && x[i].part[part] < 0;
        if (!isfinite(v) || v == 0) continue;
        least = fmin(least, v);
        most = fmax(most, v);
    }
    s.exponent = most > 0 && wants_exponent(least, most, s.dtype);
    for (int64_t i = 0; i < n; i++) {
        double v = x[i].part[part];
        if (!isfinite(v)) continue;
        if (s.exponent) print_scientific(v, s.dtype, 0, PRECISION, 2, plus, text);
        else print_positional(v, s.dtype, PRECISION, plus, text);
        measure(&s, text);
    }
    if (s.exponent) s.right = s.exponent_digits + 2 + s.digits;
    if (nan || inf) {
        int offset = s.right + 1;
        s.left = max_int(s.left, max_int(3 - offset, 3 + (plus || minus_inf) - offset));
    }
    return s;
}

static void add_spaces(wf_text *out, int n)
{
    if (n > 0) wf_text_add(out, "%*s", n, "");
}

// VALUE in its column; SUFFIX ("j") before the blanks that end it.
static void add_float(const style *s, double value, const char *suffix, wf_text *out)
{
    char text[MAX_DIGITS];
    int trail = 0;

    if (!isfinite(value)) {
        snprintf(text, sizeof text, "%s%s",
                 !isnan(value) && value < 0 ? "-"
                 : s->plus                  ? "+"
                                            : "",
                 isnan(value) ? "nan" : "inf");
        add_spaces(out, s->left + s->right + 1 - (int)strlen(text));
    } else {
        if (s->exponent)
            print_scientific(value, s->dtype, s->digits, s->digits, s->exponent_digits, s->plus,
                             text);
        else print_positional(value, s->dtype, PRECISION, s->plus, text);
        const char *point = strchr(text, '.');
        add_spaces(out, s->left - (int)(point - text));
        if (!s->exponent) trail = s->right - (int)strlen(point + 1);
    }
    wf_text_add(out, "%s%s", text, suffix);
    add_spaces(out, trail);
}

// --- elements ---

static void read_element(weft_dtype dtype, const void *data, int64_t i, element *out)
{
    *out = (element){ 0 };
    switch (dtype) {
    case WEFT_BOOL:
    case WEFT_UINT8: out->integer = ((const uint8_t *)data)[i]; break;
    case WEFT_INT8: out->integer = (uint64_t)(int64_t)((const int8_t *)data)[i]; break;
    case WEFT_INT16: out->integer = (uint64_t)(int64_t)((const int16_t *)data)[i]; break;
    case WEFT_INT32: out->integer = (uint64_t)(int64_t)((const int32_t *)data)[i]; break;
    case WEFT_UINT16: out->integer = ((const uint16_t *)data)[i]; break;
    case WEFT_UINT32: out->integer = ((const uint32_t *)data)[i]; break;
    case WEFT_INT64:
    case WEFT_UINT64: out->integer = ((const uint64_t *)data)[i]; break;
    case WEFT_FLOAT16: out->part[0] = (double)half_value(((const uint16_t *)data)[i]); break;
    case WEFT_BFLOAT16: out->part[0] = (double)bfloat_value(((const uint16_t *)data)[i]); break;
    case WEFT_FLOAT32: out->part[0] = (double)((const float *)data)[i]; break;
    case WEFT_FLOAT64: out->part[0] = ((const double *)data)[i]; break;
    case WEFT_COMPLEX64:
        for (int k = 0; k < 2; k++) out->part[k] = (double)((const float *)data)[2 * i + k];
        break;
    default:
        for (int k = 0; k < 2; k++) out->part[k] = ((const double *)data)[2 * i + k];
        break;
    }
}

static int print_integer(weft_dtype dtype, uint64_t bits, char out[24])
{
    if (wf_dtype_kind(dtype) == 'i') return snprintf(out, 24, "%" PRId64, (int64_t)bits);
    return snprintf(out, 24, "%" PRIu64, bits);
}

// How the elements of one array are written.
typedef struct layout {
    weft_dtype dtype;
    int ndim;
    int64_t shape[WEFT_MAX_NDIM];  // of what was read
    bool cut[WEFT_MAX_NDIM];       // the middle is left out
    element *element;
    int width;  // integers
    style real, imag;
    wf_text *out;
} layout;

static void add_element(const layout *l, int64_t i, wf_text *out)
{
    const element *x = &l->element[i];
    char text[24];

    switch (wf_dtype_kind(l->dtype)) {
    case 'b': wf_text_add(out, "%s", x->integer ? " True" : "False"); break;
    case 'i':
    case 'u':
        add_spaces(out, l->width - print_integer(l->dtype, x->integer, text));
        wf_text_add(out, "%s", text);
        break;
    case 'f': add_float(&l->real, x->part[0], "", out); break;
    default:
        add_float(&l->real, x->part[0], "", out);
        add_float(&l->imag, x->part[1], "j", out);
        break;
    }
}

static void choose_layout(layout *l, int64_t n)
{
    char text[24];
    char kind = wf_dtype_kind(l->dtype);

    if (kind == 'i' || kind == 'u')
        for (int64_t i = 0; i < n; i++)
            l->width = max_int(l->width, print_integer(l->dtype, l->element[i].integer, text));
    if (kind == 'f' || kind == 'c') l->real = choose_style(l->dtype, false, 0, n, l->element);
    if (kind == 'c') l->imag = choose_style(l->dtype, true, 1, n, l->element);
}

// --- lines and brackets ---

// The line being filled: where it began in the text, and how much of that is indentation.
typedef struct line {
    int64_t begin;
    int indent, width;
} line;

static void trim_end(wf_text *out)
{
    while (out->length > 0 && out->data[out->length - 1] == ' ') out->data[--out->length] = '\0';
}

static void add_word(line *at, const char *word, int length, wf_text *out)
{
    int64_t used = out->length - at->begin;

    if (used + length > at->width && used > at->indent) {
        trim_end(out);
        wf_text_add(out, "\n");
        at->begin = out->length;
        add_spaces(out, at->indent);
    }
    wf_text_add(out, "%s", word);
}

// Elements OFFSET.. of the last axis. What stands before the row's bracket on its line counts as
// the indentation it has.
static void add_row(const layout *l, int64_t offset)
{
    int axis = l->ndim - 1;
    int64_t n = l->shape[axis];
    wf_text word = { 0 };
    line at = { .begin = l->out->length - l->ndim, .indent = l->ndim, .width = LINE - axis - 1 };

    for (int64_t i = 0; i < n; i++) {
        if (i > 0) wf_text_add(l->out, " ");
        if (l->cut[axis] && i == EDGE) {
            add_word(&at, "...", 3, l->out);
            wf_text_add(l->out, " ");
        }
        word.length = 0;
        add_element(l, offset + i, &word);
        if (!word.data) {
            l->out->failed = true;
            return;
        }
        add_word(&at, word.data, (int)word.length, l->out);
    }
    wf_text_fini(&word);
}

static void add_array(const layout *l, int axis, int64_t offset, int64_t size)
{
    wf_text_add(l->out, "[");
    if (axis == l->ndim - 1) {
        add_row(l, offset);
    } else {
        int64_t n = l->shape[axis], part = size / n;
        for (int64_t i = 0; i < n; i++) {
            bool gap = l->cut[axis] && i == EDGE;
            for (int turn = 0; turn < (i > 0) + gap; turn++) {
                if (turn > 0) wf_text_add(l->out, "...");
                for (int k = axis; k < l->ndim - 1; k++) wf_text_add(l->out, "\n");
                add_spaces(l->out, axis + 1);
            }
            add_array(l, axis + 1, offset + i * part, part);
        }
    }
    wf_text_add(l->out, "]");
}

// A single number, as Python's str() of it.
static void add_scalar(weft_dtype dtype, const element *x, wf_text *out)
{
    char text[2][MAX_DIGITS];

    switch (wf_dtype_kind(dtype)) {
    case 'b': wf_text_add(out, "%s", x->integer ? "True" : "False"); return;
    case 'i':
    case 'u':
        print_integer(dtype, x->integer, text[0]);
        wf_text_add(out, "%s", text[0]);
        return;
    default: break;
    }
    bool complex_kind = wf_dtype_kind(dtype) == 'c';
    for (int k = 0; k < (complex_kind ? 2 : 1); k++) {
        double v = x->part[k], m = fabs(v);
        double limit = dtype == WEFT_FLOAT64 || dtype == WEFT_COMPLEX128 ? 1e16
                       : wf_dtype_is_half(dtype)                         ? 1e3
                                                                         : 1e6;
        if (!isfinite(v))
            snprintf(text[k], MAX_DIGITS, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        else if (m != 0 && (m < 1e-4 || m >= limit)) {
            print_scientific(v, real_of(dtype), 0, 17, 2, false, text[k]);
            char *point = strchr(text[k], '.');
            if (point && point[1] == 'e') memmove(point, point + 1, strlen(point));
        } else {
            print_positional(v, real_of(dtype), 40, false, text[k]);
            size_t length = strlen(text[k]);
            if (complex_kind && text[k][length - 1] == '.') text[k][length - 1] = '\0';
            else if (text[k][length - 1] == '.') strcat(text[k], "0");
        }
    }
    if (!complex_kind) wf_text_add(out, "%s", text[0]);
    else if (x->part[0] == 0 && !signbit(x->part[0])) wf_text_add(out, "%sj", text[1]);
    else wf_text_add(out, "(%s%s%sj)", text[0], text[1][0] == '-' ? "" : "+", text[1]);
}

// --- reading what is printed ---

// X without the middle of its long axes. A large array is never computed as a whole for this.
static weft_array *corners(weft_array *x, layout *l)
{
    for (int a = 0; a < l->ndim && x; a++) {
        weft_cut first[WEFT_MAX_NDIM], last[WEFT_MAX_NDIM];
        if (l->shape[a] <= 2 * EDGE) continue;
        for (int i = 0; i < l->ndim; i++) first[i] = last[i] = weft_cut_all();
        first[a] = weft_cut_slice(0, EDGE, 1);
        last[a] = weft_cut_slice(l->shape[a] - EDGE, l->shape[a], 1);
        x = weft_concat(
            2, (weft_array *[]){ weft_index(x, l->ndim, first), weft_index(x, l->ndim, last) }, a);
        l->shape[a] = 2 * EDGE;
        l->cut[a] = true;
    }
    return x;
}

static weft_status read_elements(weft_array *x, layout *l)
{
    int64_t n = 1;

    for (int a = 0; a < l->ndim; a++) n *= l->shape[a];
    void *data = wf_calloc((size_t)n, wf_dtype_size(l->dtype));
    l->element = wf_calloc((size_t)n, sizeof *l->element);
    weft_status st = data && l->element ? weft_get(x, WEFT_DTYPE_DEFAULT, data,
                                                   (size_t)n * wf_dtype_size(l->dtype))
                                        : WEFT_NO_MEMORY;
    for (int64_t i = 0; st == WEFT_OK && i < n; i++)
        read_element(l->dtype, data, i, &l->element[i]);
    wf_free(data);
    return st;
}

static weft_status print_elements(weft_array *x, layout *l)
{
    int64_t n = 1;

    WF_TRY(read_elements(x, l));
    for (int a = 0; a < l->ndim; a++) n *= l->shape[a];
    if (l->ndim == 0) {
        add_scalar(l->dtype, &l->element[0], l->out);
        return WEFT_OK;
    }
    choose_layout(l, n);
    add_array(l, 0, 0, n);
    return WEFT_OK;
}

static weft_status print_array(weft_array *x, wf_text *out)
{
    layout l = { .dtype = weft_array_dtype(x), .ndim = weft_array_ndim(x), .out = out };

    if (weft_array_size(x) == 0) {
        wf_text_add(out, "[]");
        return WEFT_OK;
    }
    for (int a = 0; a < l.ndim; a++) l.shape[a] = weft_array_dim(x, a);
    weft_scope *scope = weft_scope_open(x->session);
    if (!scope) return weft_error_take();
    if (weft_array_size(x) > THRESHOLD) x = corners(x, &l);
    weft_status st = x ? print_elements(x, &l) : weft_error_take();
    wf_error error = { .status = WEFT_OK };
    if (st != WEFT_OK) wf_error_take(&error);
    (void)!weft_scope_close(scope, 0, NULL);
    wf_free(l.element);
    return wf_error_raise(&error);
}

weft_status weft_print(FILE *file, weft_array *x)
{
    wf_text text = { 0 };

    if (!file) return wf_fail(WEFT_INVALID, "print: the file is NULL");
    WF_TRY(wf_array_check("print", x));
    if (x->node->kind == WF_NODE_SINK)
        return wf_fail(WEFT_INVALID, "print: a sink has no elements");
    weft_status st = print_array(x, &text);
    wf_text_add(&text, "\n");
    if (st == WEFT_OK) st = wf_text_status(&text);
    errno = 0;
    if (st == WEFT_OK && fwrite(text.data, 1, (size_t)text.length, file) != (size_t)text.length)
        st = wf_fail_errno(errno ? errno : EIO, "print: cannot write");
    wf_text_fini(&text);
    return st;
}
