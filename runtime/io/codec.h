// SPDX-License-Identifier: Apache-2.0
// codec - compressing and decompressing chunks as numcodecs does: Blosc, Zstandard, zlib, gzip,
// LZ4. Each library is optional when Weft is built; without it its codec fails with
// WEFT_UNSUPPORTED and says so. Sizes found in compressed data are never trusted. Any thread may
// call; no state is shared.
#ifndef WF_IO_CODEC_H
#define WF_IO_CODEC_H

#include "base/text.h"
#include "io/json.h"

typedef enum wf_codec_kind {
    WF_CODEC_NONE,
    WF_CODEC_ZLIB,
    WF_CODEC_GZIP,
    WF_CODEC_ZSTD,
    WF_CODEC_LZ4,
    WF_CODEC_BLOSC,
} wf_codec_kind;

typedef struct wf_codec {
    wf_codec_kind kind;
    int level;    // LZ4: its acceleration
    int shuffle;  // Blosc: 0 none, 1 bytes, 2 bits, -1 bits for single bytes and bytes for others
    int64_t blocksize;  // Blosc; 0: its own choice
    char cname[16];     // Blosc: "lz4", "zstd", ...
} wf_codec;

// TEXT as in wf_create_options.codec; NULL gives zarr-python 2's default, Blosc(lz4, 5, shuffle),
// or the best this build has. Errors: WEFT_INVALID naming TEXT and what is wrong, WEFT_UNSUPPORTED
// naming the missing library.
weft_status wf_codec_parse(const char *text, wf_codec *out) WEFT_WARN_UNUSED;
// The "compressor" of a .zarray. WHERE begins the error: WEFT_FORMAT, or WEFT_UNSUPPORTED naming
// the codec or the library.
weft_status wf_codec_from_json(const char *where, wf_json value, wf_codec *out) WEFT_WARN_UNUSED;
void wf_codec_to_json(const wf_codec *codec, wf_text *out);
// For people: "blosc (lz4, level 5, shuffle)".
void wf_codec_describe(const wf_codec *codec, wf_text *out);

// The most bytes a sane encoder makes of BYTES; what wf_codec_encode needs, and what readers
// accept. Below INT64_MAX / 2.
int64_t wf_codec_bound(int64_t bytes);
// The largest chunk the codec can hold: some count bytes in 32 bits.
int64_t wf_codec_max_bytes(const wf_codec *codec);
// Compresses BYTES of ITEM-byte elements. CAPACITY is at least wf_codec_bound(BYTES). WHERE names
// the chunk in errors.
weft_status wf_codec_encode(const wf_codec *codec, const char *where, const void *in, int64_t bytes,
                            size_t item, void *out, int64_t capacity,
                            int64_t *out_bytes) WEFT_WARN_UNUSED;
// Decompresses IN_BYTES into exactly BYTES. WEFT_FORMAT "WHERE: expected 1024 bytes behind blosc,
// found 512", also for damaged data. OUT's contents are undefined after a failure.
weft_status wf_codec_decode(const wf_codec *codec, const char *where, const void *in,
                            int64_t in_bytes, void *out, int64_t bytes) WEFT_WARN_UNUSED;

#endif
