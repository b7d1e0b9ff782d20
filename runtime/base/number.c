// SPDX-License-Identifier: Apache-2.0
// number - numbers as text. Conversions go through the C library in its "C" locale, which is made
// once and kept; digits are found by trying ever more of them, each time correctly rounded, and
// laid out here.
#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C",
                         (locale_t)0);  // a constant object in glibc and musl: cannot fail
}

static locale_t plain_locale(void)
{
    pthread_once(&c_locale_once, make_locale);
    return c_locale;
}

double wf_number_scan(const char *text, const char **end)
{
    char *stop;
    double value = strtod_l(text, &stop, plain_locale());
    *end = stop;
    return value;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static const char *skip_spaces(const char *text)
{
    while (is_space(*text)) text++;
    return text;
}

weft_status wf_number_parse_f64(const char *text, double *out)
{
    const char *end;
    double value = wf_number_scan(text, &end);

    if (end == text || *skip_spaces(end))
        return wf_fail(WEFT_INVALID, "expected a number, got '%.80s'", text);
    *out = value;
    return WEFT_OK;
}

weft_status wf_number_parse_i64(const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *skip_spaces(end))
        return wf_fail(WEFT_INVALID, "expected an integer, got '%.80s'", text);
    if (errno == ERANGE)
        return wf_fail(WEFT_OVERFLOW, "expected an integer of 64 bits, got '%.80s'", text);
    *out = value;
    return WEFT_OK;
}

// The factor that the unit at *TEXT stands for, and moves past it; 0 when it is none.
static double read_unit(const char **text)
{
    static const char prefix[] = "kmgtpe";
    const char *p = *text;
    double factor = 1;
    const char *found = *p ? strchr(prefix, *p | 0x20) : NULL;

    bool binary = *p && p[1] == 'i';
    if (found && *found == 'e' && !binary && (p[1] | 0x20) != 'b')
        return 0;  // "1e" is half a number, not an exabyte
    if (found) {
        factor = pow(binary ? 1024 : 1000, (double)(found - prefix + 1));
        p += binary ? 2 : 1;
    }
    if (*p == 'B' || *p == 'b') p++;
    p = skip_spaces(p);
    *text = p;
    return *p ? 0 : factor;
}

weft_status wf_number_parse_bytes(const char *text, int64_t *out)
{
    const char *end;
    char *stop;

    errno = 0;
    long long whole = strtoll(text, &stop, 10);
    if (stop != text && errno == 0 && whole >= 0 && *skip_spaces(stop) == '\0') {
        *out = whole;  // plain digits stay exact beyond 2**53
        return WEFT_OK;
    }
    double value = wf_number_scan(text, &end);
    bool is_number = end != text && value >= 0;
    end = skip_spaces(end);
    double factor = read_unit(&end);
    if (!is_number || factor == 0)
        return wf_fail(WEFT_INVALID, "expected a size such as 512MiB, got '%.80s'", text);
    if (value * factor >= 9223372036854775808.0)
        return wf_fail(WEFT_OVERFLOW, "expected a size below 8 EiB, got '%.80s'", text);
    *out = (int64_t)(value * factor);
    return WEFT_OK;
}

typedef struct digits {
    char digit[20];  // significant digits, no point
    int count;
    int exponent;  // of the first digit, decimal
} digits;

// The COUNT correctly rounded digits of a positive finite VALUE.
static void take_digits(double value, int count, char text[40], digits *out)
{
    locale_t before = uselocale(plain_locale());
    snprintf(text, 40, "%.*e", count - 1, value);
    uselocale(before);

    out->count = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.') out->digit[out->count++] = *p;
    out->exponent = (int)strtol(p + 1, NULL, 10);
    while (out->count > 1 && out->digit[out->count - 1] == '0') out->count--;
}

static bool reads_back(const char *text, double value, bool single)
{
    if (single) return strtof_l(text, NULL, plain_locale()) == (float)value;
    return strtod_l(text, NULL, plain_locale()) == value;
}

static int lay_out(const digits *d, bool negative, char *out)
{
    char *p = out;
    int e = d->exponent;
    bool fixed = e >= -4 && e < 16;

    if (negative) *p++ = '-';
    if (fixed && e < 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = -1; i > e; i--) *p++ = '0';
        e = -1;  // the point is behind us
    }
    for (int i = 0; i < d->count; i++) {
        if (i > 0 && i == (fixed ? e + 1 : 1)) *p++ = '.';
        *p++ = d->digit[i];
    }
    if (fixed && e >= 0 && d->count <= e + 1) {
        for (int i = d->count; i <= e; i++) *p++ = '0';
        *p++ = '.';
        *p++ = '0';
    }
    if (!fixed) p += sprintf(p, "e%c%02d", e < 0 ? '-' : '+', abs(e));
    *p = '\0';
    return (int)(p - out);
}

static int format_float(double value, bool single, char *out)
{
    digits d = { 0 };
    char text[40];
    int most = single ? 9 : 17;

    if (isnan(value)) return (int)strlen(strcpy(out, "nan"));
    if (isinf(value)) return (int)strlen(strcpy(out, value < 0 ? "-inf" : "inf"));
    // Every decimal of 15 (6) digits survives a normal double (float): there, trailing zeros
    // dropped, that is the shortest.
    bool normal = single ? isnormal((float)value) : isnormal(value);
    for (int count = !normal ? 1 : single ? 6 : 15; count <= most; count++) {
        take_digits(fabs(value), count, text, &d);
        if (reads_back(text, fabs(value), single)) break;
    }
    return lay_out(&d, signbit(value), out);
}

int wf_number_format_f64(double value, char out[WF_NUMBER_TEXT])
{
    return format_float(value, false, out);
}

int wf_number_format_f32(float value, char out[WF_NUMBER_TEXT])
{
    return format_float(value, true, out);
}

static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

int wf_number_format_bytes(int64_t bytes, char out[WF_NUMBER_TEXT])
{
    double value = (double)bytes;
    int unit = 0;

    for (; fabs(value) >= 1024 && unit < 6; unit++) value /= 1024;
    if (unit == 0) return snprintf(out, WF_NUMBER_TEXT, "%" PRId64 " B", bytes);
    locale_t before = uselocale(plain_locale());
    int length = snprintf(out, WF_NUMBER_TEXT, fabs(value) >= 99.95 ? "%.0f %s" : "%.3g %s", value,
                          units[unit]);
    uselocale(before);
    return length;
}

int wf_number_format_size(int64_t bytes, char out[WF_NUMBER_TEXT])
{
    int unit = 0;

    for (; bytes != 0 && bytes % 1024 == 0 && unit < 6; unit++) bytes /= 1024;
    return snprintf(out, WF_NUMBER_TEXT, "%" PRId64 "%s", bytes, unit ? units[unit] : "");
}
