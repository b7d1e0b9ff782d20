// SPDX-License-Identifier: Apache-2.0
// number - numbers as text, the same under every locale: the host program's setlocale(LC_NUMERIC,
// "de_DE") changes nothing. Any thread may call.
#ifndef WF_BASE_NUMBER_H
#define WF_BASE_NUMBER_H

#include "base/error.h"

#define WF_NUMBER_TEXT 32  // room for any number formatted here

// strtod in the C locale: *END points behind what was read, at TEXT when that is no number. A
// magnitude too large is infinity.
double wf_number_scan(const char *text, const char **end);

// The whole of TEXT, spaces around it aside. They fail with WEFT_INVALID ("expected a number, got
// 'x'", "expected an integer, got '1.5'") or WEFT_OVERFLOW.
weft_status wf_number_parse_f64(const char *text, double *out) WEFT_WARN_UNUSED;
weft_status wf_number_parse_i64(const char *text, int64_t *out) WEFT_WARN_UNUSED;
// A size in bytes: "512MiB", "1.5 GiB", "2e9", "64MB", "100k", "7". KiB and Ki count in 1024, kB
// and k in 1000.
weft_status wf_number_parse_bytes(const char *text, int64_t *out) WEFT_WARN_UNUSED;

// The shortest text that reads back as the same value, laid out as Python's repr: "0.1", "1.0",
// "1e+16", "nan", "-inf". Returns its length.
int wf_number_format_f64(double value, char out[WF_NUMBER_TEXT]);
int wf_number_format_f32(float value, char out[WF_NUMBER_TEXT]);
// For people: "512 B", "1.5 KiB", "64 MiB". Three significant digits at most where the unit is not
// B.
int wf_number_format_bytes(int64_t bytes, char out[WF_NUMBER_TEXT]);
// The same size exactly, in a form that wf_number_parse_bytes reads back: "64MiB", "1000".
int wf_number_format_size(int64_t bytes, char out[WF_NUMBER_TEXT]);

// *OUT = A op B; true, and *OUT untouched, when the result does not fit.
static inline bool wf_mul_overflow(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r)) return true;
    *out = r;
    return false;
}

static inline bool wf_add_overflow(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_add_overflow(a, b, &r)) return true;
    *out = r;
    return false;
}

#endif
