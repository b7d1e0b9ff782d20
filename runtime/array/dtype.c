// SPDX-License-Identifier: Apache-2.0
// dtype - sizes, names and promotion of element types. Promotion is arithmetic on kinds and sizes;
// the tests hold it against NumPy's own table.
#include "array/dtype.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned char size;
    char kind;
} dtypes[WEFT_NDTYPES] = {
#define DTYPE_ROW(NAME, number, name, bytes, kind) [number] = { #name, bytes, kind },
    WEFT_DTYPE_LIST(DTYPE_ROW)
#undef DTYPE_ROW
};

bool wf_dtype_is_valid(weft_dtype dtype)
{
    return (unsigned)dtype < WEFT_NDTYPES && dtypes[dtype].size > 0;
}

size_t wf_dtype_size(weft_dtype dtype) { return wf_dtype_is_valid(dtype) ? dtypes[dtype].size : 0; }

const char *wf_dtype_name(weft_dtype dtype)
{
    return wf_dtype_is_valid(dtype) ? dtypes[dtype].name : "?";
}

char wf_dtype_kind(weft_dtype dtype) { return wf_dtype_is_valid(dtype) ? dtypes[dtype].kind : 0; }

static const struct {
    const char *text;
    weft_dtype dtype;
} aliases[] = {
    { "bool_", WEFT_BOOL },         { "?", WEFT_BOOL },
    { "int", WEFT_INT64 },          { "uint", WEFT_UINT64 },
    { "half", WEFT_FLOAT16 },       { "single", WEFT_FLOAT32 },
    { "float", WEFT_FLOAT64 },      { "double", WEFT_FLOAT64 },
    { "csingle", WEFT_COMPLEX64 },  { "complex", WEFT_COMPLEX128 },
    { "cdouble", WEFT_COMPLEX128 },
};

static weft_dtype find_name(const char *text)
{
    for (int d = 1; d < WEFT_NDTYPES; d++)
        if (strcmp(text, dtypes[d].name) == 0) return (weft_dtype)d;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(text, aliases[i].text) == 0) return aliases[i].dtype;
    return WEFT_DTYPE_DEFAULT;
}

// "f8" and its like: a kind and a size in bytes. bfloat16 has no such code.
static weft_dtype find_code(const char *text)
{
    for (int d = 1; d < WEFT_NDTYPES; d++) {
        char code[8];
        snprintf(code, sizeof code, "%c%d", dtypes[d].kind, dtypes[d].size);
        if (d != WEFT_BFLOAT16 && strcmp(text, code) == 0) return (weft_dtype)d;
    }
    return WEFT_DTYPE_DEFAULT;
}

weft_status wf_dtype_parse(const char *text, weft_dtype *out)
{
    bool foreign = text[0] == '>';  // big endian: the same thing only for single bytes
    bool ordered = foreign || text[0] == '<' || text[0] == '=' || text[0] == '|';
    const char *code = ordered ? text + 1 : text;
    weft_dtype found = ordered ? WEFT_DTYPE_DEFAULT : find_name(text);

    if (!found) found = strcmp(code, "?") == 0 ? WEFT_BOOL : find_code(code);
    if (!found || (foreign && wf_dtype_size(found) > 1))
        return wf_fail(WEFT_INVALID, "dtype: expected a name such as float32, got '%.40s'", text);
    *out = found;
    return WEFT_OK;
}

weft_dtype wf_dtype_real(weft_dtype d)
{
    return d == WEFT_COMPLEX64 ? WEFT_FLOAT32 : d == WEFT_COMPLEX128 ? WEFT_FLOAT64 : d;
}

weft_dtype wf_dtype_complex(weft_dtype d)
{
    bool narrow = wf_dtype_is_half(d) || d == WEFT_FLOAT32 || d == WEFT_COMPLEX64;
    return narrow ? WEFT_COMPLEX64 : WEFT_COMPLEX128;
}

weft_dtype wf_dtype_float(weft_dtype d)
{
    char kind = wf_dtype_kind(d);

    if (kind == 'f' || kind == 'c') return d;
    size_t size = wf_dtype_size(d);
    return size == 1 ? WEFT_FLOAT16 : size == 2 ? WEFT_FLOAT32 : WEFT_FLOAT64;
}

weft_dtype wf_dtype_compute(weft_dtype d) { return wf_dtype_is_half(d) ? WEFT_FLOAT32 : d; }

static bool is_integer(weft_dtype d) { return dtypes[d].kind == 'i' || dtypes[d].kind == 'u'; }

static weft_dtype larger(weft_dtype a, weft_dtype b)
{
    return dtypes[a].size >= dtypes[b].size ? a : b;
}

static weft_dtype promote_integers(weft_dtype a, weft_dtype b)
{
    if (dtypes[a].kind == dtypes[b].kind) return larger(a, b);
    weft_dtype i = dtypes[a].kind == 'i' ? a : b, u = i == a ? b : a;
    if (dtypes[i].size > dtypes[u].size) return i;
    return u == WEFT_UINT64
               ? WEFT_FLOAT64
               : (weft_dtype)(WEFT_INT8 + (u - WEFT_UINT8) + 1);  // the next wider signed
}

// Both are floats or integers; an integer counts as the smallest float that holds it.
static weft_dtype promote_floats(weft_dtype a, weft_dtype b)
{
    bool byte = dtypes[a].size == 1 || dtypes[b].size == 1;

    if (byte && (a == WEFT_BFLOAT16 || b == WEFT_BFLOAT16)) return WEFT_BFLOAT16;
    a = wf_dtype_float(a), b = wf_dtype_float(b);
    if (wf_dtype_is_half(a) && wf_dtype_is_half(b) && a != b) return WEFT_FLOAT32;
    return larger(a, b);
}

weft_dtype wf_dtype_promote(weft_dtype a, weft_dtype b)
{
    WF_ASSERT(wf_dtype_is_valid(a) && wf_dtype_is_valid(b));
    if (a == b || b == WEFT_BOOL) return a;
    if (a == WEFT_BOOL) return b;
    if (is_integer(a) && is_integer(b)) return promote_integers(a, b);
    if (dtypes[a].kind != 'c' && dtypes[b].kind != 'c') return promote_floats(a, b);
    return wf_dtype_complex(promote_floats(wf_dtype_real(a), wf_dtype_real(b)));
}

bool wf_dtype_can_cast(weft_dtype from, weft_dtype to) { return wf_dtype_promote(from, to) == to; }
