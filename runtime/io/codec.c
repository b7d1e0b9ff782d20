// SPDX-License-Identifier: Apache-2.0
// codec - one table of codecs: name, limits, encode, decode. What a build lacks stays in the table,
// without functions.
#include "io/codec.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#ifdef WF_HAVE_BLOSC
#include <blosc.h>
#endif
#ifdef WF_HAVE_ZSTD
#include <zstd.h>
#endif
#ifdef WF_HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef WF_HAVE_LZ4
#include <lz4.h>
#endif

// One chunk on its way through a codec.
typedef struct chunk_job {
    const wf_codec *codec;
    const char *where;
    const char *in;
    int64_t in_bytes;
    size_t item;
    char *out;
    int64_t out_bytes;  // encode: room; decode: what must come out
} chunk_job;

typedef struct codec_row {
    wf_codec_kind kind;
    const char *name, *library;
    int level, min_level, max_level;  // level: the default, numcodecs' own
    int64_t max_bytes;
    weft_status (*encode)(const chunk_job *job, int64_t *out_bytes);
    weft_status (*decode)(const chunk_job *job);
} codec_row;

#if defined(WF_HAVE_BLOSC) || defined(WF_HAVE_ZSTD) || defined(WF_HAVE_ZLIB) || defined(WF_HAVE_LZ4)
static weft_status fail_size(const chunk_job *job, const char *name, int64_t found)
{
    return wf_fail(WEFT_FORMAT, "%s: expected %" PRId64 " bytes behind %s, found %" PRId64,
                   job->where, job->out_bytes, name, found);
}

static weft_status fail_damaged(const chunk_job *job, const char *name, const char *why)
{
    return wf_fail(WEFT_FORMAT, "%s: damaged %s data of %" PRId64 " bytes: %s", job->where, name,
                   job->in_bytes, why);
}

static weft_status fail_encode(const chunk_job *job, const char *name, const char *why)
{
    return wf_fail(WEFT_IO, "%s: %s cannot compress %" PRId64 " bytes: %s", job->where, name,
                   job->in_bytes, why);
}
#endif

static weft_status encode_none(const chunk_job *job, int64_t *out_bytes)
{
    memcpy(job->out, job->in, (size_t)job->in_bytes);
    *out_bytes = job->in_bytes;
    return WEFT_OK;
}

static weft_status decode_none(const chunk_job *job)
{
    if (job->in_bytes != job->out_bytes)
        return wf_fail(WEFT_FORMAT, "%s: expected %" PRId64 " bytes, found %" PRId64, job->where,
                       job->out_bytes, job->in_bytes);
    memcpy(job->out, job->in, (size_t)job->in_bytes);
    return WEFT_OK;
}

#ifdef WF_HAVE_ZLIB
static voidpf zlib_alloc(voidpf opaque, uInt count, uInt size)
{
    (void)opaque;
    return wf_calloc(count, size);
}

static void zlib_free(voidpf opaque, voidpf p)
{
    (void)opaque;
    wf_free(p);
}

// zlib counts in 32 bits: hands it the next piece of what is left.
static uInt next_piece(int64_t *left)
{
    uInt piece = *left > (int64_t)(1 << 30) ? 1u << 30 : (uInt)*left;
    *left -= piece;
    return piece;
}

static int zlib_window(const chunk_job *job)
{
    return job->codec->kind == WF_CODEC_GZIP ? MAX_WBITS + 16 : MAX_WBITS;
}

static const char *zlib_name(const chunk_job *job)
{
    return job->codec->kind == WF_CODEC_GZIP ? "gzip" : "zlib";
}

static weft_status encode_zlib(const chunk_job *job, int64_t *out_bytes)
{
    z_stream z = { .zalloc = zlib_alloc, .zfree = zlib_free };
    int64_t in_left = job->in_bytes, out_left = job->out_bytes;
    int rc =
        deflateInit2(&z, job->codec->level, Z_DEFLATED, zlib_window(job), 8, Z_DEFAULT_STRATEGY);
    if (rc == Z_MEM_ERROR) return wf_fail(WEFT_NO_MEMORY, "%s: no memory to deflate", job->where);
    if (rc != Z_OK) return fail_encode(job, zlib_name(job), zError(rc));
    z.next_in = (Bytef *)(uintptr_t)job->in;
    z.next_out = (Bytef *)job->out;
    while (rc == Z_OK || rc == Z_BUF_ERROR) {
        if (z.avail_in == 0) z.avail_in = next_piece(&in_left);
        if (z.avail_out == 0) z.avail_out = next_piece(&out_left);
        if (z.avail_out == 0) break;
        rc = deflate(&z, in_left == 0 ? Z_FINISH : Z_NO_FLUSH);
    }
    deflateEnd(&z);
    if (rc != Z_STREAM_END) return fail_encode(job, zlib_name(job), "the output does not fit");
    *out_bytes = (char *)z.next_out - job->out;
    return WEFT_OK;
}

// Inflates until the input ends, the output is full, or something is wrong; a gzip file may have
// several members. *PRODUCED counts what came out, one more than there is room for when there is
// more.
static int inflate_all(const chunk_job *job, z_stream *z, int64_t *produced)
{
    int64_t in_left = job->in_bytes, out_left = job->out_bytes;
    unsigned char surplus;  // where one byte too many would go
    bool full = false;
    for (;;) {
        if (z->avail_in == 0) z->avail_in = next_piece(&in_left);
        if (z->avail_out == 0 && !full) z->avail_out = next_piece(&out_left);
        if (z->avail_out == 0) {
            full = true;
            z->next_out = &surplus;
            z->avail_out = 1;
        }
        int rc = inflate(z, Z_NO_FLUSH);
        *produced =
            full ? job->out_bytes + (z->avail_out == 0) : job->out_bytes - out_left - z->avail_out;
        if (full && z->avail_out == 0) return Z_BUF_ERROR;
        bool more = z->avail_in > 0 || in_left > 0;
        if (rc == Z_STREAM_END && more && job->codec->kind == WF_CODEC_GZIP) rc = inflateReset(z);
        if (rc != Z_OK) return rc;
    }
}

static weft_status judge_inflate(const chunk_job *job, int rc, const char *message,
                                 int64_t produced)
{
    const char *name = zlib_name(job);
    if (rc == Z_MEM_ERROR) return wf_fail(WEFT_NO_MEMORY, "%s: no memory to inflate", job->where);
    if (produced > job->out_bytes)
        return wf_fail(WEFT_FORMAT, "%s: expected %" PRId64 " bytes behind %s, found more",
                       job->where, job->out_bytes, name);
    if (rc == Z_STREAM_END)
        return produced == job->out_bytes ? WEFT_OK : fail_size(job, name, produced);
    if (rc == Z_BUF_ERROR || rc == Z_OK) return fail_damaged(job, name, "the end is missing");
    return fail_damaged(job, name, message ? message : zError(rc));
}

static weft_status decode_zlib(const chunk_job *job)
{
    z_stream z = { .zalloc = zlib_alloc, .zfree = zlib_free };
    int64_t produced = 0;
    if (inflateInit2(&z, zlib_window(job)) != Z_OK)
        return wf_fail(WEFT_NO_MEMORY, "%s: no memory to inflate", job->where);
    z.next_in = (Bytef *)(uintptr_t)job->in;
    z.next_out = (Bytef *)job->out;
    int rc = inflate_all(job, &z, &produced);
    weft_status st = judge_inflate(job, rc, z.msg, produced);
    inflateEnd(&z);
    return st;
}
#endif

#ifdef WF_HAVE_ZSTD
static weft_status encode_zstd(const chunk_job *job, int64_t *out_bytes)
{
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    if (!ctx) return wf_fail(WEFT_NO_MEMORY, "%s: no memory for zstd", job->where);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, job->codec->level);
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag,
                           1);  // every reader checks it, none needs to know
    size_t n =
        ZSTD_compress2(ctx, job->out, (size_t)job->out_bytes, job->in, (size_t)job->in_bytes);
    ZSTD_freeCCtx(ctx);
    if (ZSTD_isError(n)) return fail_encode(job, "zstd", ZSTD_getErrorName(n));
    *out_bytes = (int64_t)n;
    return WEFT_OK;
}

static weft_status decode_zstd(const chunk_job *job)
{
    unsigned long long claim = ZSTD_getFrameContentSize(job->in, (size_t)job->in_bytes);
    if (claim == ZSTD_CONTENTSIZE_ERROR) return fail_damaged(job, "zstd", "no Zstandard frame");
    size_t n = ZSTD_decompress(job->out, (size_t)job->out_bytes, job->in, (size_t)job->in_bytes);
    if (!ZSTD_isError(n))
        return (int64_t)n == job->out_bytes ? WEFT_OK : fail_size(job, "zstd", (int64_t)n);
    if (claim != ZSTD_CONTENTSIZE_UNKNOWN && claim > (unsigned long long)job->out_bytes)
        return fail_size(job, "zstd", claim > INT64_MAX ? INT64_MAX : (int64_t)claim);
    return fail_damaged(job, "zstd", ZSTD_getErrorName(n));
}
#endif

#ifdef WF_HAVE_LZ4
// numcodecs puts the size before the block, 32 bits, little-endian.
static weft_status encode_lz4(const chunk_job *job, int64_t *out_bytes)
{
    int64_t room = job->out_bytes - 4;
    unsigned char *out = (unsigned char *)job->out;
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(job->in_bytes >> (8 * i));
    int n = LZ4_compress_fast(job->in, job->out + 4, (int)job->in_bytes,
                              room > INT_MAX ? INT_MAX : (int)room, job->codec->level);
    if (n <= 0) return fail_encode(job, "lz4", "the output does not fit");
    *out_bytes = n + 4;
    return WEFT_OK;
}

static weft_status decode_lz4(const chunk_job *job)
{
    const unsigned char *in = (const unsigned char *)job->in;
    if (job->in_bytes < 4 || job->in_bytes > INT_MAX)
        return fail_damaged(job, "lz4", "no size and block");
    uint32_t claim = in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
    if ((int64_t)claim != job->out_bytes) return fail_size(job, "lz4", claim);
    int n =
        LZ4_decompress_safe(job->in + 4, job->out, (int)(job->in_bytes - 4), (int)job->out_bytes);
    if (n < 0) return fail_damaged(job, "lz4", "malformed block");
    return n == job->out_bytes ? WEFT_OK : fail_size(job, "lz4", n);
}
#endif

#ifdef WF_HAVE_BLOSC
// What Blosc cannot do it also prints, so it is asked first.
static weft_status check_cname(const chunk_job *job, const char *name)
{
    if (blosc_compname_to_compcode(name) >= 0) return WEFT_OK;
    return wf_fail(WEFT_UNSUPPORTED, "%s: the blosc of this build lacks '%s' (it has %s)",
                   job->where, name, blosc_list_compressors());
}

// Contexts of one thread each: Blosc's own pool is one per process behind a lock, and Weft's
// threads call concurrently anyway.
static weft_status encode_blosc(const chunk_job *job, int64_t *out_bytes)
{
    const wf_codec *c = job->codec;
    int shuffle = c->shuffle >= 0 ? c->shuffle : job->item == 1 ? BLOSC_BITSHUFFLE : BLOSC_SHUFFLE;
    WF_TRY(check_cname(job, c->cname));
    int n = blosc_compress_ctx(c->level, shuffle, job->item, (size_t)job->in_bytes, job->in,
                               job->out, (size_t)job->out_bytes, c->cname, (size_t)c->blocksize, 1);
    if (n <= 0)
        return fail_encode(job, "blosc",
                           n == 0 ? "the output does not fit" : "it reports an error");
    *out_bytes = n;
    return WEFT_OK;
}

// The chunk names its compressor's library; in small letters that is the compressor, LZ4HC's chunks
// being LZ4's.
static weft_status check_library(const chunk_job *job)
{
    const char *library = blosc_cbuffer_complib(job->in);
    char name[16] = "";
    for (size_t i = 0; library && library[i] && i < sizeof name - 1; i++)
        name[i] =
            (char)(library[i] >= 'A' && library[i] <= 'Z' ? library[i] - 'A' + 'a' : library[i]);
    return library ? check_cname(job, name) : fail_damaged(job, "blosc", "it names no compressor");
}

static weft_status decode_blosc(const chunk_job *job)
{
    size_t claim = 0;
    if (job->in_bytes < BLOSC_MIN_HEADER_LENGTH ||
        blosc_cbuffer_validate(job->in, (size_t)job->in_bytes, &claim) != 0)
        return fail_damaged(job, "blosc", "its header does not fit it");
    if ((int64_t)claim != job->out_bytes) return fail_size(job, "blosc", (int64_t)claim);
    WF_TRY(check_library(job));
    int n = blosc_decompress_ctx(job->in, job->out, (size_t)job->out_bytes, 1);
    if (n <= 0) return fail_damaged(job, "blosc", "it does not decompress");
    return n == job->out_bytes ? WEFT_OK : fail_size(job, "blosc", n);
}
#endif

#ifdef WF_HAVE_ZLIB
#define ZLIB_FUNCTIONS encode_zlib, decode_zlib
#else
#define ZLIB_FUNCTIONS NULL, NULL
#endif
#ifdef WF_HAVE_ZSTD
#define ZSTD_FUNCTIONS encode_zstd, decode_zstd
#else
#define ZSTD_FUNCTIONS NULL, NULL
#endif
#ifdef WF_HAVE_LZ4
#define LZ4_FUNCTIONS encode_lz4, decode_lz4
#else
#define LZ4_FUNCTIONS NULL, NULL
#endif
#ifdef WF_HAVE_BLOSC
#define BLOSC_FUNCTIONS encode_blosc, decode_blosc
#else
#define BLOSC_FUNCTIONS NULL, NULL
#endif

static const codec_row rows[] = {
    { WF_CODEC_NONE, "none", "", 0, 0, 0, INT64_MAX / 4, encode_none, decode_none },
    { WF_CODEC_ZLIB, "zlib", "zlib", 1, 0, 9, INT64_MAX / 4, ZLIB_FUNCTIONS },
    { WF_CODEC_GZIP, "gzip", "zlib", 1, 0, 9, INT64_MAX / 4, ZLIB_FUNCTIONS },
    { WF_CODEC_ZSTD, "zstd", "zstd", 1, -131072, 22, INT64_MAX / 4, ZSTD_FUNCTIONS },
    { WF_CODEC_LZ4, "lz4", "lz4", 1, 1, 65537, 0x7E000000, LZ4_FUNCTIONS },
    { WF_CODEC_BLOSC, "blosc", "c-blosc", 5, 0, 9, INT_MAX - 16, BLOSC_FUNCTIONS },
};
#define NROWS (sizeof rows / sizeof *rows)

static const codec_row *find_row(const char *name, size_t length)
{
    for (size_t i = 0; i < NROWS; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    return NULL;
}

static weft_status check_row(const char *where, const codec_row *row)
{
    if (row->encode) return WEFT_OK;
    return wf_fail(WEFT_UNSUPPORTED, "%s: codec %s needs %s, which this build lacks", where,
                   row->name, row->library);
}

static weft_status check_level(const char *where, const codec_row *row, int64_t level)
{
    if (level >= row->min_level && level <= row->max_level) return WEFT_OK;
    return wf_fail(WEFT_INVALID, "%s: the level of %s must be %d..%d, got %" PRId64, where,
                   row->name, row->min_level, row->max_level, level);
}

static const char *const shuffle_names[] = { "noshuffle", "shuffle", "bitshuffle" };

static weft_status parse_cname(const char *where, const char *word, wf_codec *out)
{
    static const char *const cnames[] = { "lz4", "blosclz", "lz4hc", "zlib", "zstd", "snappy" };
    for (size_t i = 0; i < sizeof cnames / sizeof *cnames; i++) {
        if (strcmp(word, cnames[i]) != 0) continue;
#ifdef WF_HAVE_BLOSC
        if (blosc_compname_to_compcode(word) < 0)
            return wf_fail(WEFT_UNSUPPORTED, "%s: the blosc of this build lacks %s (it has %s)",
                           where, word, blosc_list_compressors());
#endif
        strcpy(out->cname, word);
        return WEFT_OK;
    }
    return wf_fail(
        WEFT_INVALID,
        "%s: blosc's compressors are lz4, blosclz, lz4hc, zlib, zstd and snappy, got '%s'", where,
        word);
}

static weft_status parse_shuffle(const char *where, const char *word, wf_codec *out)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(word, shuffle_names[i]) == 0) {
            out->shuffle = i;
            return WEFT_OK;
        }
    return wf_fail(WEFT_INVALID,
                   "%s: blosc's filters are noshuffle, shuffle and bitshuffle, got '%s'", where,
                   word);
}

static weft_status parse_level(const char *where, const codec_row *row, const char *word,
                               wf_codec *out)
{
    int64_t level;
    if (wf_number_parse_i64(word, &level) != WEFT_OK)
        return wf_fail(WEFT_INVALID, "%s: the level of %s must be a number, got '%s'", where,
                       row->name, word);
    WF_TRY(check_level(where, row, level));
    out->level = (int)level;
    return WEFT_OK;
}

// WORD is part NUMBER of the text, counted from the one behind the name.
static weft_status parse_part(const char *where, const codec_row *row, int number, const char *word,
                              wf_codec *out)
{
    bool blosc = row->kind == WF_CODEC_BLOSC;
    if (blosc && number == 0) return parse_cname(where, word, out);
    if (blosc && number == 2) return parse_shuffle(where, word, out);
    if (row->max_level > 0 && number == (blosc ? 1 : 0)) return parse_level(where, row, word, out);
    return wf_fail(WEFT_INVALID, "%s: unexpected ':%s'", where, word);
}

static weft_status parse_parts(const char *where, const codec_row *row, const char *parts,
                               wf_codec *out)
{
    char word[32];
    for (int number = 0; *parts == ':'; number++) {
        size_t n = strcspn(parts + 1, ":");
        if (n >= sizeof word)
            return wf_fail(WEFT_INVALID, "%s: unexpected ':%.40s'", where, parts + 1);
        memcpy(word, parts + 1, n);
        word[n] = '\0';
        WF_TRY(parse_part(where, row, number, word, out));
        parts += n + 1;
    }
    return WEFT_OK;
}

static const char *default_text(void)
{
    if (rows[WF_CODEC_BLOSC].encode) return "blosc";
    return rows[WF_CODEC_ZLIB].encode ? "zlib" : "none";
}

weft_status wf_codec_parse(const char *text, wf_codec *out)
{
    char where[64];
    if (!text || !*text) text = default_text();
    size_t n = strcspn(text, ":");
    snprintf(where, sizeof where, "codec '%.40s'", text);
    const codec_row *row = find_row(text, n);
    if (!row)
        return wf_fail(WEFT_INVALID, "%s: expected none, zlib, gzip, zstd, lz4 or blosc", where);
    wf_codec codec = { .kind = row->kind,
                       .level = row->level,
                       .shuffle = row->kind == WF_CODEC_BLOSC };
    if (row->kind == WF_CODEC_BLOSC) strcpy(codec.cname, "lz4");
    WF_TRY(check_row(where, row));
    WF_TRY(parse_parts(where, row, text + n, &codec));
    *out = codec;
    return WEFT_OK;
}

static weft_status read_int(const char *where, wf_json value, const char *key, int64_t low,
                            int64_t high, int64_t *out)
{
    wf_json item;
    if (!wf_json_member(value, key, &item) || wf_json_get_kind(item) == WF_JSON_NULL)
        return WEFT_OK;
    int64_t n;
    if (!wf_json_i64(item, &n) || n < low || n > high)
        return wf_fail(WEFT_FORMAT,
                       "%s: compressor's %s must be an integer from %" PRId64 " to %" PRId64
                       ", got %.*s",
                       where, key, low, high,
                       (int)(item.end - item.at > 40 ? 40 : item.end - item.at), item.at);
    *out = n;
    return WEFT_OK;
}

static weft_status read_blosc(const char *where, wf_json value, wf_codec *out)
{
    int64_t shuffle = 1, blocksize = 0;
    wf_json cname;
    WF_TRY(read_int(where, value, "shuffle", -1, 2, &shuffle));
    WF_TRY(read_int(where, value, "blocksize", 0, INT_MAX, &blocksize));
    strcpy(out->cname, "lz4");
    if (wf_json_member(value, "cname", &cname) &&
        !wf_json_string(cname, out->cname, sizeof out->cname))
        return wf_fail(WEFT_FORMAT, "%s: compressor's cname is no short string", where);
    out->shuffle = (int)shuffle;
    out->blocksize = blocksize;
    return WEFT_OK;
}

weft_status wf_codec_from_json(const char *where, wf_json value, wf_codec *out)
{
    wf_codec codec = { .kind = WF_CODEC_NONE };
    char name[64] = "";
    wf_json id;
    if (wf_json_get_kind(value) == WF_JSON_NULL) {
        *out = codec;
        return WEFT_OK;
    }
    if (!wf_json_member(value, "id", &id) || !wf_json_string(id, name, sizeof name))
        return wf_fail(WEFT_FORMAT, "%s: compressor must be null or an object with an id", where);
    const codec_row *row = find_row(name, strlen(name));
    if (!row || row->kind == WF_CODEC_NONE)
        return wf_fail(WEFT_UNSUPPORTED, "%s: codec '%s' is not supported", where, name);
    WF_TRY(check_row(where, row));
    int64_t level = row->level;
    const char *key = row->kind == WF_CODEC_BLOSC ? "clevel"
                      : row->kind == WF_CODEC_LZ4 ? "acceleration"
                                                  : "level";
    WF_TRY(read_int(where, value, key, INT_MIN, INT_MAX, &level));
    codec.kind = row->kind;
    // Reading needs no level, so an odd one is no error; writing into the array takes the nearest
    // there is.
    codec.level = (int)(level < row->min_level   ? row->min_level
                        : level > row->max_level ? row->max_level
                                                 : level);
    if (row->kind == WF_CODEC_BLOSC) WF_TRY(read_blosc(where, value, &codec));
    *out = codec;
    return WEFT_OK;
}

void wf_codec_to_json(const wf_codec *codec, wf_text *out)
{
    switch (codec->kind) {
    case WF_CODEC_NONE: wf_text_add(out, "null"); break;
    case WF_CODEC_BLOSC:
        wf_text_add(out,
                    "{\n        \"blocksize\": %" PRId64
                    ",\n        \"clevel\": %d,\n        \"cname\": \"%s\",\n",
                    codec->blocksize, codec->level, codec->cname);
        wf_text_add(out, "        \"id\": \"blosc\",\n        \"shuffle\": %d\n    }",
                    codec->shuffle);
        break;
    case WF_CODEC_LZ4:
        wf_text_add(out, "{\n        \"acceleration\": %d,\n        \"id\": \"lz4\"\n    }",
                    codec->level);
        break;
    default:
        wf_text_add(out, "{\n        \"id\": \"%s\",\n        \"level\": %d\n    }",
                    rows[codec->kind].name, codec->level);
        break;
    }
}

void wf_codec_describe(const wf_codec *codec, wf_text *out)
{
    const char *shuffle = codec->shuffle < 0 ? "autoshuffle" : shuffle_names[codec->shuffle];
    if (codec->kind == WF_CODEC_NONE) wf_text_add(out, "none");
    else if (codec->kind == WF_CODEC_BLOSC)
        wf_text_add(out, "blosc (%s, level %d, %s)", codec->cname, codec->level, shuffle);
    else
        wf_text_add(out, "%s (%s %d)", rows[codec->kind].name,
                    codec->kind == WF_CODEC_LZ4 ? "acceleration" : "level", codec->level);
}

int64_t wf_codec_bound(int64_t bytes)
{
    return bytes + bytes / 128 +
           4096;  // over every library's own bound; LZ4's, the loosest, is 1/255
}

int64_t wf_codec_max_bytes(const wf_codec *codec) { return rows[codec->kind].max_bytes; }

weft_status wf_codec_encode(const wf_codec *codec, const char *where, const void *in, int64_t bytes,
                            size_t item, void *out, int64_t capacity, int64_t *out_bytes)
{
    const chunk_job job = { codec, where, in, bytes, item, out, capacity };
    return rows[codec->kind].encode(&job, out_bytes);
}

weft_status wf_codec_decode(const wf_codec *codec, const char *where, const void *in,
                            int64_t in_bytes, void *out, int64_t bytes)
{
    const chunk_job job = { codec, where, in, in_bytes, 0, out, bytes };
    if (bytes > wf_codec_max_bytes(codec))
        return wf_fail(WEFT_FORMAT,
                       "%s: expected %" PRId64 " bytes behind %s, which holds %" PRId64 " at most",
                       where, bytes, rows[codec->kind].name, wf_codec_max_bytes(codec));
    return rows[codec->kind].decode(&job);
}
