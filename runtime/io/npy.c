// SPDX-License-Identifier: Apache-2.0
// npy - NumPy's .npy: the header is a Python literal, read by a parser that takes just what NumPy
// writes; the rest is a flat file.
#include "io/npy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/element.h"
#include "io/flat.h"

static const char magic[] = "\x93NUMPY";

weft_status wf_npy_parse_prefix(const char *where, const void *prefix, size_t bytes,
                                int64_t *text_at, int64_t *text_bytes)
{
    const unsigned char *p = prefix;
    if (bytes < 10 || memcmp(p, magic, 6) != 0)
        return wf_fail(WEFT_FORMAT, "%s: no .npy header at its beginning", where);
    if (p[6] < 1 || p[6] > 3)
        return wf_fail(WEFT_FORMAT, "%s: expected version 1, 2 or 3 of .npy, found %d.%d", where,
                       p[6], p[7]);
    if (p[6] > 1 && bytes < 12)
        return wf_fail(WEFT_FORMAT, "%s: truncated within the header", where);
    uint32_t length = p[8] | (uint32_t)p[9] << 8;
    if (p[6] > 1) length |= (uint32_t)p[10] << 16 | (uint32_t)p[11] << 24;
    if (length > WF_NPY_HEADER_MAX)
        return wf_fail(WEFT_FORMAT, "%s: a header of %u bytes; at most %d are expected", where,
                       (unsigned)length, WF_NPY_HEADER_MAX);
    *text_at = p[6] > 1 ? 12 : 10;
    *text_bytes = length;
    return WEFT_OK;
}

typedef struct literal {
    const char *where, *begin, *at, *end;
} literal;

static weft_status fail_literal(const literal *s, const char *wanted)
{
    return wf_fail(WEFT_FORMAT, "%s: header: expected %s at byte %d", s->where, wanted,
                   (int)(s->at - s->begin));
}

static void skip_space(literal *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
}

static bool take(literal *s, const char *word)
{
    size_t n = strlen(word);
    skip_space(s);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0) return false;
    s->at += n;
    return true;
}

// A string in either kind of quotes, without escapes: none of the three keys and no type string has
// any.
static weft_status read_string(literal *s, char *out, size_t capacity)
{
    skip_space(s);
    if (s->at >= s->end || (*s->at != '\'' && *s->at != '"')) return fail_literal(s, "a string");
    char quote = *s->at++;
    size_t n = 0;
    for (; s->at < s->end && *s->at != quote; s->at++) {
        if (*s->at == '\\' || (unsigned char)*s->at < 0x20 || n + 1 >= capacity)
            return fail_literal(s, "the end of a plain string");
        out[n++] = *s->at;
    }
    if (s->at >= s->end) return fail_literal(s, "the end of a string");
    s->at++;
    out[n] = '\0';
    return WEFT_OK;
}

static weft_status read_extent(literal *s, int64_t *out)
{
    int64_t n = 0;
    const char *begin = s->at;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
        if (__builtin_mul_overflow(n, (int64_t)10, &n) ||
            __builtin_add_overflow(n, *s->at - '0', &n))
            return fail_literal(s, "an extent below 2^63");
    if (s->at == begin) return fail_literal(s, "an extent");
    take(s, "L");  // a long of Python 2
    *out = n;
    return WEFT_OK;
}

static weft_status read_shape(literal *s, wf_shape *out)
{
    int64_t dim[WEFT_MAX_NDIM];
    int ndim = 0;
    bool comma = true;
    if (!take(s, "(")) return fail_literal(s, "'('");
    while (!take(s, ")")) {
        if (!comma) return fail_literal(s, "',' or ')'");
        if (ndim == WEFT_MAX_NDIM)
            return wf_fail(WEFT_UNSUPPORTED, "%s: more than %d axes", s->where, WEFT_MAX_NDIM);
        WF_TRY(read_extent(s, &dim[ndim++]));
        comma = take(s, ",");
    }
    if (ndim == 1 && !comma) return fail_literal(s, "',' after the only extent");
    return wf_file_shape(s->where, ndim, dim, out);
}

static weft_status read_descr(literal *s, wf_npy_header *out)
{
    char text[64];
    skip_space(s);
    if (s->at < s->end && *s->at == '[')
        return wf_fail(WEFT_UNSUPPORTED, "%s: elements that are records are not supported",
                       s->where);
    WF_TRY(read_string(s, text, sizeof text));
    return wf_typestr_parse(s->where, text, true, &out->dtype, &out->swapped);
}

static weft_status read_order(literal *s, bool *out)
{
    bool yes = take(s, "True");
    if (!yes && !take(s, "False")) return fail_literal(s, "True or False");
    *out = yes;
    return WEFT_OK;
}

static weft_status read_entry(literal *s, unsigned *seen, wf_npy_header *out)
{
    static const char *const names[] = { "descr", "fortran_order", "shape" };
    char key[32];
    int which = 0;
    WF_TRY(read_string(s, key, sizeof key));
    while (which < 3 && strcmp(key, names[which]) != 0) which++;
    if (which == 3 || *seen & 1u << which)
        return fail_literal(s, "descr, fortran_order and shape, once each,");
    *seen |= 1u << which;
    if (!take(s, ":")) return fail_literal(s, "':'");
    if (which == 0) return read_descr(s, out);
    return which == 1 ? read_order(s, &out->fortran) : read_shape(s, &out->shape);
}

weft_status wf_npy_parse_text(const char *where, const char *text, size_t bytes, wf_npy_header *out)
{
    literal s = { where, text, text, text + bytes };
    wf_npy_header header = { 0 };
    unsigned seen = 0;
    if (!take(&s, "{")) return fail_literal(&s, "'{'");
    for (bool comma = true; !take(&s, "}");) {
        if (!comma) return fail_literal(&s, "',' or '}'");
        WF_TRY(read_entry(&s, &seen, &header));
        comma = take(&s, ",");
    }
    if (seen != 7) return fail_literal(&s, "descr, fortran_order and shape, once each,");
    skip_space(&s);
    if (s.at < s.end) return fail_literal(&s, "nothing after the dictionary");
    *out = header;
    return WEFT_OK;
}

int64_t wf_npy_format_header(weft_dtype dtype, const wf_shape *shape, char out[WF_NPY_WRITE_MAX])
{
    char type[8];
    int at = 10;
    at += snprintf(out + at, WF_NPY_WRITE_MAX - 10,
                   "{'descr': '%s', 'fortran_order': False, 'shape': (", wf_typestr(dtype, type));
    for (int i = 0; i < shape->ndim; i++)
        at += snprintf(out + at, (size_t)(WF_NPY_WRITE_MAX - at), "%s%" PRId64, i ? ", " : "",
                       shape->dim[i]);
    at +=
        snprintf(out + at, (size_t)(WF_NPY_WRITE_MAX - at), "%s), }", shape->ndim == 1 ? "," : "");
    while (at % 64 != 63) out[at++] = ' ';
    out[at++] = '\n';
    memcpy(out, magic, 6);
    out[6] = 1;
    out[7] = 0;
    out[8] = (char)((at - 10) & 255);
    out[9] = (char)((at - 10) >> 8);
    return at;
}

static weft_status npy_claims(const char *path, bool *out)
{
    char begin[sizeof magic - 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // no waiting on a pipe
    *out = fd >= 0 && pread(fd, begin, sizeof begin, 0) == (ssize_t)sizeof begin &&
           memcmp(begin, magic, sizeof begin) == 0;
    if (fd >= 0) close(fd);
    return WEFT_OK;
}

static weft_status read_text(wf_flat *flat, const char *where, int64_t at, int64_t bytes,
                             int64_t size)
{
    wf_npy_header header;
    if (at + bytes > size)
        return wf_fail(WEFT_FORMAT,
                       "%s: truncated: its header needs %" PRId64 " bytes, the file has %" PRId64,
                       where, at + bytes, size);
    char *text = wf_alloc((size_t)bytes);
    if (!text) return WEFT_NO_MEMORY;
    weft_status st = wf_flat_read_bytes(flat, at, text, bytes);
    if (st == WEFT_OK) st = wf_npy_parse_text(where, text, (size_t)bytes, &header);
    wf_free(text);
    if (st != WEFT_OK) return st;
    flat->offset = at + bytes;
    flat->dtype = header.dtype;
    flat->swapped = header.swapped;
    flat->fortran = header.fortran;
    flat->shape = header.shape;
    return WEFT_OK;
}

static weft_status read_header(wf_flat *flat, int64_t size)
{
    char prefix[WF_NPY_PREFIX];
    int64_t n = size < WF_NPY_PREFIX ? size : WF_NPY_PREFIX, at, bytes;
    char *where = wf_format("npy: '%s'", flat->path);
    if (!where) return WEFT_NO_MEMORY;
    weft_status st = wf_flat_read_bytes(flat, 0, prefix, n);
    if (st == WEFT_OK) st = wf_npy_parse_prefix(where, prefix, (size_t)n, &at, &bytes);
    if (st == WEFT_OK) st = read_text(flat, where, at, bytes, size);
    wf_free(where);
    return st;
}

static weft_status open_flat(const char *path, bool write, wf_flat **out, wf_file_info *info)
{
    int64_t size = 0;
    wf_flat *flat;
    WF_TRY(wf_flat_open("npy", path, write, &flat, &size));
    weft_status st = read_header(flat, size);
    if (st == WEFT_OK) st = wf_flat_attach(flat, size, info);
    if (st != WEFT_OK) {
        wf_flat_close(flat);
        return st;
    }
    *out = flat;
    return WEFT_OK;
}

static weft_status npy_open(const char *path, const wf_open_options *opts, void **state,
                            wf_file_info *info)
{
    wf_flat *flat;
    (void)opts;
    WF_TRY(open_flat(path, false, &flat, info));
    *state = flat;
    return WEFT_OK;
}

static weft_status open_region(const char *path, const wf_create_options *opts, wf_flat **out)
{
    wf_file_info info = { 0 };
    wf_flat *flat;
    char want[512], have[512];
    WF_TRY(open_flat(path, true, &flat, &info));
    wf_file_info_fini(&info);
    if (flat->dtype == opts->dtype && wf_shape_equal(&flat->shape, &opts->shape)) {
        *out = flat;
        return WEFT_OK;
    }
    weft_status st = wf_fail(WEFT_INVALID, "npy: '%s' holds %s %s, the region is of %s %s", path,
                             wf_dtype_name(flat->dtype), wf_shape_text(&flat->shape, have),
                             wf_dtype_name(opts->dtype), wf_shape_text(&opts->shape, want));
    wf_flat_close(flat);
    return st;
}

static weft_status create_new(const char *path, const wf_create_options *opts, wf_flat **out)
{
    char header[WF_NPY_WRITE_MAX];
    int64_t bytes = wf_npy_format_header(opts->dtype, &opts->shape, header);
    return wf_flat_create("npy", path, opts, header, bytes, out);
}

static weft_status npy_create(const char *path, const wf_create_options *opts, void **state,
                              wf_grid *grid, bool *any_box)
{
    wf_flat *flat;
    WF_TRY(wf_flat_check_options("npy", path, opts));
    WF_TRY(opts->region ? open_region(path, opts, &flat) : create_new(path, opts, &flat));
    weft_status st = wf_flat_grid(opts, grid);
    if (st != WEFT_OK) {
        wf_flat_abort(flat);
        return st;
    }
    *any_box = true;
    *state = flat;
    return WEFT_OK;
}

const wf_format_ops wf_npy_format = {
    .abi = WF_FORMAT_ABI,
    .name = "npy",
    .suffixes = ".npy",
    .claims = npy_claims,
    .open = npy_open,
    .read = wf_flat_read,
    .read_scratch = wf_flat_read_scratch,
    .prefetch = wf_flat_prefetch,
    .done = wf_flat_done,
    .close = wf_flat_close,
    .create = npy_create,
    .write = wf_flat_write,
    .write_scratch = wf_flat_write_scratch,
    .stored = wf_flat_stored,
    .commit = wf_flat_commit,
    .abort = wf_flat_abort,
};
