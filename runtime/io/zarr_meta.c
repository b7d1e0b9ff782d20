// SPDX-License-Identifier: Apache-2.0
// zarr_meta - .zarray and .zattrs to structures and back.
#include "io/zarr_meta.h"

#include <string.h>

#include "base/number.h"
#include "io/element.h"
#include "io/format.h"
#include "io/strided.h"

// A value quoted in an error, cut to what a sentence can carry.
#define QUOTED(v) ((int)((v).end - (v).at > 60 ? 60 : (v).end - (v).at)), (v).at

static weft_status require(const char *where, wf_json meta, const char *key, wf_json *out)
{
    if (wf_json_member(meta, key, out)) return WEFT_OK;
    return wf_fail(WEFT_FORMAT, "%s: no '%s'", where, key);
}

static weft_status parse_version(const char *where, wf_json meta)
{
    wf_json value;
    int64_t version = 0;
    WF_TRY(require(where, meta, "zarr_format", &value));
    if (!wf_json_i64(value, &version))
        return wf_fail(WEFT_FORMAT, "%s: zarr_format must be 2, got %.*s", where, QUOTED(value));
    if (version == 2) return WEFT_OK;
    return wf_fail(WEFT_UNSUPPORTED, "%s: Zarr format %" PRId64 " is not supported, 2 is", where,
                   version);
}

static weft_status parse_extents(const char *where, wf_json meta, const char *key, int64_t low,
                                 int *ndim, int64_t *dim)
{
    wf_json list, item;
    const char *at = NULL;
    int n = 0;
    WF_TRY(require(where, meta, key, &list));
    if (wf_json_get_kind(list) != WF_JSON_ARRAY)
        return wf_fail(WEFT_FORMAT, "%s: %s must be a list, got %.*s", where, key, QUOTED(list));
    while (wf_json_next(list, &at, NULL, &item)) {
        if (n == WEFT_MAX_NDIM)
            return wf_fail(WEFT_UNSUPPORTED, "%s: more than %d axes", where, WEFT_MAX_NDIM);
        if (!wf_json_i64(item, &dim[n]) || dim[n] < low)
            return wf_fail(WEFT_FORMAT, "%s: %s must be integers >= %" PRId64 ", got %.*s", where,
                           key, low, QUOTED(item));
        n++;
    }
    *ndim = n;
    return WEFT_OK;
}

static weft_status parse_shape(const char *where, wf_json meta, wf_zarr_meta *out)
{
    int64_t dim[WEFT_MAX_NDIM];
    int ndim, nchunk;
    WF_TRY(parse_extents(where, meta, "shape", 0, &ndim, dim));
    WF_TRY(parse_extents(where, meta, "chunks", 1, &nchunk, out->chunk));
    if (nchunk != ndim)
        return wf_fail(WEFT_FORMAT, "%s: shape has %d extents and chunks %d", where, ndim, nchunk);
    return wf_file_shape(where, ndim, dim, &out->shape);
}

static weft_status parse_dtype(const char *where, wf_json meta, wf_zarr_meta *out)
{
    wf_json value;
    char text[32];
    WF_TRY(require(where, meta, "dtype", &value));
    if (!wf_json_string(value, text, sizeof text))
        return wf_fail(WEFT_UNSUPPORTED, "%s: elements of type %.*s are not supported", where,
                       QUOTED(value));
    return wf_typestr_parse(where, text, false, &out->dtype, &out->swapped);
}

static weft_status parse_filters(const char *where, wf_json meta)
{
    wf_json list, item, id;
    const char *at = NULL;
    if (!wf_json_member(meta, "filters", &list) || wf_json_get_kind(list) == WF_JSON_NULL)
        return WEFT_OK;
    if (wf_json_get_kind(list) != WF_JSON_ARRAY)
        return wf_fail(WEFT_FORMAT, "%s: filters must be null or a list", where);
    if (!wf_json_next(list, &at, NULL, &item)) return WEFT_OK;
    if (!wf_json_member(item, "id", &id)) id = item;
    return wf_fail(WEFT_UNSUPPORTED, "%s: filter %.*s is not supported", where, QUOTED(id));
}

static weft_status parse_word(const char *where, wf_json meta, const char *key, const char *first,
                              const char *second, bool *is_second)
{
    wf_json value;
    if (!wf_json_member(meta, key, &value) || wf_json_get_kind(value) == WF_JSON_NULL)
        return WEFT_OK;
    *is_second = wf_json_equals(value, second);
    if (*is_second || wf_json_equals(value, first)) return WEFT_OK;
    return wf_fail(WEFT_FORMAT, "%s: %s must be \"%s\" or \"%s\", got %.*s", where, key, first,
                   second, QUOTED(value));
}

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

// The bytes of one element, in the file's order, as base64.
static bool decode_base64(const char *text, size_t item, unsigned char *out)
{
    uint32_t bits = 0;
    int nbits = 0;
    size_t n = 0;
    for (; *text && *text != '='; text++) {
        int digit = base64_digit(*text);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        nbits += 6;
        if (nbits < 8) continue;
        nbits -= 8;
        if (n == item) return false;
        out[n++] = (unsigned char)(bits >> nbits);
    }
    return n == item;
}

static bool fill_from_text(wf_json value, const wf_zarr_meta *meta, void *out)
{
    char text[64];
    size_t item = wf_dtype_size(meta->dtype), width = wf_dtype_width(meta->dtype);
    char kind = wf_dtype_kind(meta->dtype);
    bool real = kind == 'f' || kind == 'c';
    if (real && wf_json_equals(value, "NaN"))
        return wf_element_set(meta->dtype, (double)__builtin_nan(""), out);
    if (real && wf_json_equals(value, "Infinity"))
        return wf_element_set(meta->dtype, (double)__builtin_inf(), out);
    if (real && wf_json_equals(value, "-Infinity"))
        return wf_element_set(meta->dtype, -(double)__builtin_inf(), out);
    if (!wf_json_string(value, text, sizeof text) || !decode_base64(text, item, out)) return false;
    if (meta->swapped) wf_bytes_swap(out, (int64_t)(item / width), width);
    return true;
}

// Integers are read as such: a double would lose the last digits of 64 bits.
static bool fill_from_integer(wf_json value, weft_dtype dtype, void *out)
{
    size_t item = wf_dtype_size(dtype);
    bool is_signed = wf_dtype_kind(dtype) == 'i';
    int64_t i = 0;
    uint64_t u = 0;
    double d;
    if (is_signed && wf_json_i64(value, &i)) {
        int64_t limit = item == 8 ? INT64_MAX : ((int64_t)1 << (item * 8 - 1)) - 1;
        if (i > limit || i < -limit - 1) return false;
        u = (uint64_t)i;
    } else if (!is_signed && wf_json_u64(value, &u)) {
        if (item < 8 && u >> (item * 8)) return false;
    } else {
        return wf_json_f64(value, &d) && wf_element_set(dtype, d, out);
    }
    if (WF_NATIVE_ORDER == '>') u <<= 64 - item * 8;
    memcpy(out, &u, item);
    return true;
}

static bool fill_from_scalar(wf_json value, const wf_zarr_meta *meta, weft_dtype dtype, void *out)
{
    wf_zarr_meta part = *meta;
    double d = 0;
    part.dtype = dtype;
    switch (wf_json_get_kind(value)) {
    case WF_JSON_STRING: return fill_from_text(value, &part, out);
    case WF_JSON_BOOL: return wf_element_set(dtype, wf_json_is_true(value), out);
    case WF_JSON_NUMBER:
        if (wf_dtype_kind(dtype) == 'i' || wf_dtype_kind(dtype) == 'u')
            return fill_from_integer(value, dtype, out);
        return wf_json_f64(value, &d) && wf_element_set(dtype, d, out);
    default: return false;
    }
}

// A complex fill value is a pair; anything else is one value.
static bool fill_from_json(wf_json value, const wf_zarr_meta *meta, unsigned char *out)
{
    wf_json part;
    const char *at = NULL;
    size_t width = wf_dtype_width(meta->dtype);
    if (wf_dtype_kind(meta->dtype) != 'c' || wf_json_get_kind(value) != WF_JSON_ARRAY)
        return fill_from_scalar(value, meta, meta->dtype, out);
    for (int i = 0; i < 2; i++)
        if (!wf_json_next(value, &at, NULL, &part) ||
            !fill_from_scalar(part, meta, wf_dtype_real(meta->dtype), out + (size_t)i * width))
            return false;
    return !wf_json_next(value, &at, NULL, &part);
}

static weft_status parse_fill(const char *where, wf_json meta, wf_zarr_meta *out)
{
    wf_json value;
    if (!wf_json_member(meta, "fill_value", &value) || wf_json_get_kind(value) == WF_JSON_NULL)
        return WEFT_OK;
    out->has_fill = true;
    if (fill_from_json(value, out, out->fill)) return WEFT_OK;
    return wf_fail(WEFT_FORMAT, "%s: fill_value must be a value of %s, got %.*s", where,
                   wf_dtype_name(out->dtype), QUOTED(value));
}

weft_status wf_zarr_meta_measure(const char *where, wf_zarr_meta *meta)
{
    int64_t bytes = (int64_t)wf_dtype_size(meta->dtype);
    for (int i = 0; i < meta->shape.ndim; i++)
        if (__builtin_mul_overflow(bytes, meta->chunk[i], &bytes) || bytes > INT64_MAX / 4)
            return wf_fail(WEFT_OVERFLOW, "%s: the bytes of one chunk do not fit in 64 bits",
                           where);
    if (bytes > wf_codec_max_bytes(&meta->codec))
        return wf_fail(WEFT_INVALID,
                       "%s: a chunk has %" PRId64 " bytes, the codec holds %" PRId64 " at most",
                       where, bytes, wf_codec_max_bytes(&meta->codec));
    meta->chunk_bytes = bytes;
    return WEFT_OK;
}

weft_status wf_zarr_meta_parse(const char *where, const char *text, size_t bytes, wf_zarr_meta *out)
{
    wf_zarr_meta meta = { .separator = '.' };
    bool slash = false;
    wf_json root, compressor;
    WF_TRY(wf_json_check(where, text, bytes, &root));
    if (wf_json_get_kind(root) != WF_JSON_OBJECT)
        return wf_fail(WEFT_FORMAT, "%s: must be a JSON object", where);
    WF_TRY(parse_version(where, root));
    WF_TRY(parse_shape(where, root, &meta));
    WF_TRY(parse_dtype(where, root, &meta));
    WF_TRY(parse_filters(where, root));
    WF_TRY(parse_word(where, root, "order", "C", "F", &meta.fortran));
    WF_TRY(parse_word(where, root, "dimension_separator", ".", "/", &slash));
    WF_TRY(parse_fill(where, root, &meta));
    WF_TRY(require(where, root, "compressor", &compressor));
    WF_TRY(wf_codec_from_json(where, compressor, &meta.codec));
    if (slash) meta.separator = '/';
    if (meta.shape.ndim <= 1) meta.fortran = false;
    if (wf_zarr_meta_measure(where, &meta) != WEFT_OK)
        return wf_fail(WEFT_FORMAT, "%s", wf_last_error());
    *out = meta;
    return WEFT_OK;
}

static void add_extents(wf_text *out, const char *key, int ndim, const int64_t *dim)
{
    wf_text_add(out, "    \"%s\": [", key);
    for (int i = 0; i < ndim; i++) wf_text_add(out, "%s\n        %" PRId64, i ? "," : "", dim[i]);
    wf_text_add(out, ndim ? "\n    ],\n" : "],\n");
}

weft_status wf_zarr_meta_format(const char *where, const wf_zarr_meta *meta, wf_text *out)
{
    char type[8];
    if (meta->dtype == WEFT_BFLOAT16)
        return wf_fail(WEFT_UNSUPPORTED, "%s: Zarr v2 has no dtype for bfloat16", where);
    wf_text_add(out, "{\n");
    add_extents(out, "chunks", meta->shape.ndim, meta->chunk);
    wf_text_add(out, "    \"compressor\": ");
    wf_codec_to_json(&meta->codec, out);
    wf_text_add(out,
                ",\n    \"dtype\": \"%s\",\n    \"fill_value\": null,\n    \"filters\": null,\n",
                wf_typestr(meta->dtype, type));
    wf_text_add(out, "    \"order\": \"C\",\n");
    add_extents(out, "shape", meta->shape.ndim, meta->shape.dim);
    wf_text_add(out, "    \"zarr_format\": 2\n}");
    return wf_text_status(out);
}

static void describe_number(weft_dtype dtype, const unsigned char *p, wf_text *out)
{
    char text[WF_NUMBER_TEXT];
    int64_t i;
    uint64_t u;
    if (wf_dtype_size(dtype) == 8 && wf_dtype_kind(dtype) == 'i') {
        memcpy(&i, p, 8);
        wf_text_add(out, "%" PRId64, i);
    } else if (wf_dtype_size(dtype) == 8 && wf_dtype_kind(dtype) == 'u') {
        memcpy(&u, p, 8);
        wf_text_add(out, "%" PRIu64, u);
    } else if (wf_dtype_kind(dtype) == 'f') {
        if (dtype == WEFT_FLOAT64) wf_number_format_f64(wf_element_get(dtype, p, 0), text);
        else wf_number_format_f32((float)wf_element_get(dtype, p, 0), text);
        wf_text_add(out, "%s", text);
    } else {
        wf_text_add(out, "%" PRId64, (int64_t)wf_element_get(dtype, p, 0));
    }
}

void wf_zarr_meta_describe_fill(const wf_zarr_meta *meta, wf_text *out)
{
    size_t width = wf_dtype_width(meta->dtype);
    if (!meta->has_fill) {
        wf_text_add(out, "none");
    } else if (wf_dtype_kind(meta->dtype) == 'c') {
        wf_text_add(out, "(");
        describe_number(wf_dtype_real(meta->dtype), meta->fill, out);
        wf_text_add(out, ", ");
        describe_number(wf_dtype_real(meta->dtype), meta->fill + width, out);
        wf_text_add(out, ")");
    } else {
        describe_number(meta->dtype, meta->fill, out);
    }
}

static weft_status add_dims(const char *where, const char *dims, int ndim, wf_text *out)
{
    char name[256];
    int n = 0;
    wf_text_add(out, "    \"_ARRAY_DIMENSIONS\": [");
    for (const char *p = dims; *p || n; n++) {
        size_t length = strcspn(p, ",");
        if (length == 0 || length >= sizeof name)
            return wf_fail(WEFT_INVALID, "%s: dims '%.60s' are no names of 1 to 255 bytes", where,
                           dims);
        memcpy(name, p, length);
        name[length] = '\0';
        wf_text_add(out, "%s\n        ", n ? "," : "");
        wf_json_quote(out, name);
        if (p[length] == '\0') {
            n++;
            break;
        }
        p += length + 1;
    }
    wf_text_add(out, n ? "\n    ]" : "]");
    if (n == ndim) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: dims '%.60s' are %d names for %d axes", where, dims, n, ndim);
}

weft_status wf_zarr_attrs_format(const char *where, const char *attributes, const char *dims,
                                 int ndim, wf_text *out)
{
    wf_json root = { 0 }, key, value;
    const char *at = NULL;
    bool some = dims != NULL;
    if (!attributes && !dims) return WEFT_OK;
    if (attributes &&
        (wf_json_check(where, attributes, strlen(attributes), &root) != WEFT_OK || *root.at != '{'))
        return wf_fail(WEFT_INVALID, "%s: attributes must be a JSON object, got '%.60s'", where,
                       attributes);
    wf_text_add(out, "{\n");
    if (dims) WF_TRY(add_dims(where, dims, ndim, out));
    while (attributes && wf_json_next(root, &at, &key, &value)) {
        if (dims && wf_json_equals(key, "_ARRAY_DIMENSIONS")) continue;
        wf_text_add(out, "%s    ", some ? ",\n" : "");
        wf_text_add_bytes(out, key.at, (size_t)(key.end - key.at));
        wf_text_add(out, ": ");
        wf_text_add_bytes(out, value.at, (size_t)(value.end - value.at));
        some = true;
    }
    wf_text_add(out, "\n}");
    return wf_text_status(out);
}

weft_status wf_zarr_attrs_dims(wf_json attributes, int ndim, char **out)
{
    wf_json list, item;
    const char *at = NULL;
    wf_text text = { 0 };
    char name[256];
    int n = 0;
    bool plain = true;
    *out = NULL;
    if (!wf_json_member(attributes, "_ARRAY_DIMENSIONS", &list) ||
        wf_json_get_kind(list) != WF_JSON_ARRAY)
        return WEFT_OK;
    for (; plain && wf_json_next(list, &at, NULL, &item); n++) {
        plain = wf_json_string(item, name, sizeof name) && *name && !strchr(name, ',');
        if (plain) wf_text_add(&text, "%s%s", n ? "," : "", name);
    }
    if (!plain || n != ndim || n == 0) {
        wf_text_fini(&text);
        return WEFT_OK;
    }
    *out = wf_text_take(&text);
    return *out ? WEFT_OK : WEFT_NO_MEMORY;
}
