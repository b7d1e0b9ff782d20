// SPDX-License-Identifier: Apache-2.0
// element - type strings and single values.
#include "io/element.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static weft_dtype find_dtype(char kind, size_t size)
{
    for (int d = 1; d < WEFT_NDTYPES; d++)
        if (d != WEFT_BFLOAT16 && wf_dtype_kind((weft_dtype)d) == kind &&
            wf_dtype_size((weft_dtype)d) == size)
            return (weft_dtype)d;
    return WEFT_DTYPE_DEFAULT;
}

weft_status wf_typestr_parse(const char *where, const char *text, bool void2, weft_dtype *out,
                             bool *swapped)
{
    char order = text[0], kind = order ? text[1] : '\0';
    size_t size = 0, digits = 0;
    if (!order || !strchr("<>=|", order) || !kind || !strchr("biufcSUVOMmt", kind))
        return wf_fail(WEFT_FORMAT, "%s: expected a type such as '<f8', got '%.60s'", where, text);
    for (const char *p = text + 2; *p >= '0' && *p <= '9' && digits < 6; p++, digits++)
        size = size * 10 + (size_t)(*p - '0');
    weft_dtype dtype = find_dtype(kind, size);
    if (void2 && kind == 'V' && size == 2) dtype = WEFT_BFLOAT16;
    if (text[2 + digits] != '\0' || dtype == WEFT_DTYPE_DEFAULT)
        return wf_fail(WEFT_UNSUPPORTED, "%s: elements of type '%.60s' are not supported", where,
                       text);
    *out = dtype;
    *swapped =
        (order == '<' || order == '>') && order != WF_NATIVE_ORDER && wf_dtype_width(dtype) > 1;
    return WEFT_OK;
}

const char *wf_typestr(weft_dtype dtype, char out[8])
{
    size_t size = wf_dtype_size(dtype);
    if (dtype == WEFT_BFLOAT16) snprintf(out, 8, "%cV2", WF_NATIVE_ORDER);
    else
        snprintf(out, 8, "%c%c%u", size == 1 ? '|' : WF_NATIVE_ORDER, wf_dtype_kind(dtype),
                 (unsigned)size & 31u);
    return out;
}

size_t wf_dtype_width(weft_dtype dtype)
{
    return wf_dtype_kind(dtype) == 'c' ? wf_dtype_size(dtype) / 2 : wf_dtype_size(dtype);
}

static double half_to_double(uint16_t h)
{
    int exponent = h >> 10 & 31;
    double magnitude = h & 1023;
    if (exponent == 31) magnitude = magnitude == 0 ? INFINITY : NAN;
    else magnitude = exponent == 0 ? ldexp(magnitude, -24) : ldexp(magnitude + 1024, exponent - 25);
    return h & 0x8000 ? -magnitude : magnitude;
}

// Rounds to nearest, ties to even; what is too large becomes infinity.
static uint16_t half_from_double(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    if (isnan(value)) return sign | 0x7E00;
    if (magnitude >= 65520) return sign | 0x7C00;
    if (magnitude < 0x1p-14) return (uint16_t)(sign | (uint16_t)nearbyint(magnitude * 0x1p24));
    int exponent;
    frexp(magnitude, &exponent);  // magnitude = m * 2^exponent, 0.5 <= m < 1
    uint32_t bits = (uint32_t)nearbyint(
        ldexp(magnitude, 11 - exponent));  // 1024..2048; a carry moves into the exponent
    return (uint16_t)(sign | (((uint32_t)(exponent + 14) << 10) + (bits - 1024)));
}

static uint16_t bfloat_from_double(double value)
{
    float f = (float)value;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// Loads element I of the array at P as a TYPE; P need not be aligned.
#define LOAD(type, p, i)                                                      \
    __extension__({                                                           \
        type v_;                                                              \
        memcpy(&v_, (const char *)(p) + (i) * (int64_t)sizeof v_, sizeof v_); \
        v_;                                                                   \
    })

static double bfloat_to_double(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    return (double)LOAD(float, &bits, 0);
}

double wf_element_get(weft_dtype dtype, const void *p, int64_t i)
{
    switch (dtype) {
    case WEFT_BOOL: return LOAD(uint8_t, p, i) != 0;
    case WEFT_INT8: return LOAD(int8_t, p, i);
    case WEFT_INT16: return LOAD(int16_t, p, i);
    case WEFT_INT32: return LOAD(int32_t, p, i);
    case WEFT_INT64: return (double)LOAD(int64_t, p, i);
    case WEFT_UINT8: return LOAD(uint8_t, p, i);
    case WEFT_UINT16: return LOAD(uint16_t, p, i);
    case WEFT_UINT32: return LOAD(uint32_t, p, i);
    case WEFT_UINT64: return (double)LOAD(uint64_t, p, i);
    case WEFT_FLOAT16: return half_to_double(LOAD(uint16_t, p, i));
    case WEFT_BFLOAT16: return bfloat_to_double(LOAD(uint16_t, p, i));
    case WEFT_FLOAT32: return (double)LOAD(float, p, i);
    case WEFT_FLOAT64: return LOAD(double, p, i);
    case WEFT_COMPLEX64: return (double)LOAD(float, p, 2 * i);
    case WEFT_COMPLEX128: return LOAD(double, p, 2 * i);
    default: return NAN;
    }
}

static bool set_integer(weft_dtype dtype, double value, void *p)
{
    int bits = (int)wf_dtype_size(dtype) * 8;
    bool is_signed = wf_dtype_kind(dtype) == 'i';
    double low = is_signed ? -ldexp(1, bits - 1) : 0, high = ldexp(1, is_signed ? bits - 1 : bits);
    if (!(value >= low && value < high) || value != floor(value)) return false;
    uint64_t word = is_signed ? (uint64_t)(int64_t)value : (uint64_t)value;
    if (WF_NATIVE_ORDER == '>') word <<= 64 - bits;
    memcpy(p, &word, wf_dtype_size(dtype));
    return true;
}

bool wf_element_set(weft_dtype dtype, double value, void *p)
{
    float single[2] = { (float)value, 0 };
    double twice[2] = { value, 0 };
    uint16_t word;
    switch (dtype) {
    case WEFT_BOOL: *(uint8_t *)p = value != 0; return true;
    case WEFT_FLOAT16: word = half_from_double(value); break;
    case WEFT_BFLOAT16: word = bfloat_from_double(value); break;
    case WEFT_FLOAT32: memcpy(p, single, 4); return true;
    case WEFT_FLOAT64: memcpy(p, twice, 8); return true;
    case WEFT_COMPLEX64: memcpy(p, single, 8); return true;
    case WEFT_COMPLEX128: memcpy(p, twice, 16); return true;
    default: return set_integer(dtype, value, p);
    }
    memcpy(p, &word, 2);
    return true;
}
