// SPDX-License-Identifier: Apache-2.0
// format - array files behind one table: what a file format must do to be read and written block by
// block. A format knows bytes and chunks, nothing of graphs, plans or the store. Formats live in
// runtime/io/<name>*.c and are listed in formats.c; byte stores (where files lie) are behind their
// own table in bytestore.h.
//
// What a save promises. A new array is built under a hidden neighbour of its path,
// ".NAME.weft-HOST-PID-N.tmp", synced, and made visible by one rename; whatever interrupts it
// leaves the old array or none. A neighbour whose process is gone is harmless and is removed by the
// next save into the same folder from the same host. An array that replaces another has its mode. Where the file system cannot exchange two names (RENAME_EXCHANGE:
// some network and FUSE file systems), replacing a Zarr array takes two renames, and a crash
// between them leaves the old array under its hidden name. A .region write changes the existing
// array in place: Zarr chunk by chunk (each replaced atomically), npy and raw without any such
// promise; abort does not undo it. Commit syncs: each file by fsync, a folder of more than a
// thousand chunks by one syncfs of its file system.
//
// A mapped file must not be truncated by others while it is open: its size is checked at open and
// again by each wf_file_read, but a direct access to DATA behind the new end is a SIGBUS, which no
// library can catch without taking over the program's signal handlers.
#ifndef WF_IO_FORMAT_H
#define WF_IO_FORMAT_H

#include "array/dtype.h"
#include "array/shape.h"

struct wf_text;
typedef struct wf_file wf_file;      // one array opened for reading
typedef struct wf_writer wf_writer;  // one array being written

typedef struct wf_file_info {
    weft_dtype dtype;
    wf_shape shape;
    wf_grid grid;  // the file's chunks; one block when it has none
    bool chunked;  // false: any region reads equally well
    bool mapped;   // data and stride are set: the whole array is addressable memory (mmap), aligned
                   // to its element size, valid until close
    const void *data;
    int64_t stride[WEFT_MAX_NDIM];  // bytes
    char *attributes;      // JSON object text as stored (Zarr: with _ARRAY_DIMENSIONS, bare NaN
                           // possible) or NULL, owned by the file
    char *dims;            // "time,lat,lon" or NULL, owned by the file
    uint64_t fingerprint;  // of size, modification time and metadata: changes when the file does
} wf_file_info;

typedef struct wf_open_options {
    bool raw;  // raw binary: dtype and shape are given
    weft_dtype dtype;
    wf_shape shape;
} wf_open_options;

typedef struct wf_create_options {
    weft_dtype dtype;
    wf_shape shape;
    const wf_grid *
        grid;  // in, or NULL for one block: blocks that will be written; a chunked format takes its
               // chunks from it unless chunk is set (irregular axes: their largest block)
    int nchunk;  // 0, or shape.ndim entries
    int64_t chunk[WEFT_MAX_NDIM];
    const char *codec;       // NULL: the format's default.
                             // "none|zlib[:level]|gzip[:level]|zstd[:level]|lz4[:acceleration]|
                             // blosc[:cname[:level[:noshuffle|shuffle|bitshuffle]]]"
    const char *dims;        // "time,lat,lon" or NULL
    const char *attributes;  // the text of a JSON object, stored as it is, or NULL
    bool overwrite;
    bool region;  // write into an existing array: dtype and shape are the existing array's; nothing
                  // is created or renamed
} wf_create_options;

// Opens the array at PATH for reading; the format is recognised by what is there, or by the path's
// ending. "file://" is accepted, other schemes are not. A path inside a store, "x.zarr/u", must not
// climb out of it by ".." or links. The result is thread safe for reads. OPTS may be NULL. Errors:
// WEFT_NOT_FOUND, WEFT_FORMAT (hostile or truncated: names path, expected, found), WEFT_UNSUPPORTED
// (names the missing library or feature).
weft_status wf_file_open(const char *path, const wf_open_options *opts,
                         wf_file **out) WEFT_WARN_UNUSED;
void wf_file_close(wf_file *file);  // accepts NULL
const wf_file_info *wf_file_get_info(const wf_file *file);
const char *wf_file_path(const wf_file *file);
const char *wf_file_format(const wf_file *file);  // "npy", "zarr", "raw"

// Reads BOX (inside the shape, any number of chunks) into OUT, C order, contiguous. SCRATCH is
// SCRATCH_BYTES of the caller's for compressed bytes and partial chunks, 16-byte aligned;
// wf_file_scratch says how much any read needs at most. The file allocates nothing large. Errors:
// WEFT_FORMAT (truncated or corrupt: names the chunk), WEFT_IO, WEFT_INVALID (box outside, too
// little scratch).
int64_t wf_file_scratch(const wf_file *file);
// The same for reading one block of the file's grid.
int64_t wf_file_block_scratch(const wf_file *file);
weft_status wf_file_read(wf_file *file, const wf_box *box, void *out, void *scratch,
                         int64_t scratch_bytes) WEFT_WARN_UNUSED;
// Hints that BOX will be read soon (readahead); never fails, never blocks for long. Done: BOX's
// mapped pages may be dropped from this process (neighbouring ones too); whoever still uses them
// finds them again, at the price of a page fault.
void wf_file_prefetch(wf_file *file, const wf_box *box);
void wf_file_done(wf_file *file, const wf_box *box);

// Creates the array beside PATH (a hidden temporary neighbour) unless .region. The format is chosen
// by the path's ending (.npy, .zarr, .png, .raw/.bin). Errors: WEFT_EXISTS unless .overwrite;
// WEFT_DENIED; WEFT_NO_SPACE; WEFT_UNSUPPORTED.
weft_status wf_writer_create(const char *path, const wf_create_options *opts,
                             wf_writer **out) WEFT_WARN_UNUSED;
// The grid on which wf_writer_write should be called: whole chunks (edge chunks clipped). For an
// unchunked format any boxes will do and this is opts->grid. A box that covers a chunk in part is
// read, merged and rewritten atomically: right, but slow.
const wf_grid *wf_writer_grid(const wf_writer *writer);
bool wf_writer_any_box(
    const wf_writer *writer);  // true: boxes need not be chunks (unchunked, or .region)
int64_t wf_writer_scratch(const wf_writer *writer, int64_t block_bytes);
// The same for writing one block of the writer's grid.
int64_t wf_writer_block_scratch(const wf_writer *writer, int64_t block_bytes);
// Writes BOX from DATA (C order, contiguous). Any thread; no two calls may overlap. SCRATCH as for
// wf_file_read. Errors: WEFT_NO_SPACE, WEFT_IO, WEFT_DENIED; the writer stays usable, and is to be
// aborted.
weft_status wf_writer_write(wf_writer *writer, const wf_box *box, const void *data, void *scratch,
                            int64_t scratch_bytes) WEFT_WARN_UNUSED;
// Makes the array appear at PATH with one rename (an overwritten one is exchanged, then removed),
// after syncing. The writer is spent whatever the result.
weft_status wf_writer_commit(wf_writer *writer) WEFT_WARN_UNUSED;
// The same; *STORED is the bytes that were written to files for the array, compressed ones as such.
weft_status wf_writer_finish(wf_writer *writer, int64_t *stored) WEFT_WARN_UNUSED;
void wf_writer_abort(wf_writer *writer);  // removes what was written; accepts NULL

// The table a format fills. Everything may be called from any thread unless noted.
typedef struct wf_format_ops {
    uint32_t abi;  // WF_FORMAT_ABI
    const char *name;
    const char *suffixes;  // ".npy" or ".zarr .zr"; "" for none
    bool container;        // a path may go on behind the suffix: store.zarr/u
    // Looks at what is there; *OUT false when nothing is. NULL for a format that is only asked for
    // by name.
    weft_status (*claims)(const char *path, bool *out);
    // Reading; NULL open means write-only. INFO comes zeroed; what it is given is the caller's to
    // free, on failure too.
    weft_status (*open)(const char *path, const wf_open_options *opts, void **state,
                        wf_file_info *info);
    weft_status (*read)(void *state, const wf_box *box, void *out, void *scratch,
                        int64_t scratch_bytes);
    int64_t (*read_scratch)(void *state);
    int64_t (*read_block_scratch)(void *state);        // optional: read_scratch
    void (*prefetch)(void *state, const wf_box *box);  // optional
    void (*done)(void *state, const wf_box *box);      // optional
    void (*close)(void *state);
    // Writing; NULL create means read-only. A failed commit is followed by abort; a successful one
    // leaves nothing to free.
    weft_status (*create)(const char *path, const wf_create_options *opts, void **state,
                          wf_grid *grid, bool *any_box);
    weft_status (*write)(void *state, const wf_box *box, const void *data, void *scratch,
                         int64_t scratch_bytes);
    int64_t (*write_scratch)(void *state, int64_t block_bytes);
    int64_t (*write_block_scratch)(void *state);  // optional: write_scratch
    int64_t (*stored)(void *state);  // optional, before commit; NULL: the size of the file
    weft_status (*commit)(void *state);
    void (*abort)(void *state);
    weft_status (*describe)(const char *path,
                            struct wf_text *out);  // optional; NULL: what wf_file_info says
    weft_status (*details)(void *state, struct wf_text *out);  // optional: of wf_file_details
} wf_format_ops;
#define WF_FORMAT_ABI 1

extern const wf_format_ops wf_npy_format, wf_raw_format, wf_zarr_format, wf_png_format;

// Writes the lines of `weft info PATH`: format, shape, dtype, chunks, codec, attributes; for a
// group its arrays.
weft_status wf_file_describe(const char *path, struct wf_text *out) WEFT_WARN_UNUSED;
// Appends what the format knows beyond wf_file_info, as JSON members: `, "codec": ..., "order": "C"`.
weft_status wf_file_details(const wf_file *file, struct wf_text *out) WEFT_WARN_UNUSED;
// The part of those lines that any array file has.
void wf_describe_info(const char *format, const wf_file_info *info, struct wf_text *out);
void wf_file_info_fini(wf_file_info *info);  // frees grid, attributes and dims

// A shape that a file claims. WEFT_FORMAT when the elements cannot be counted in 64 bits, zero
// extents taken as 1: strides and grids multiply what stands beside a zero too.
weft_status wf_file_shape(const char *where, int ndim, const int64_t *dim,
                          wf_shape *out) WEFT_WARN_UNUSED;

// Records what went wrong with PATH from ERRNO, as wf_fail_errno does, but calls a read-only file
// system WEFT_DENIED.
weft_status wf_file_fail(int err, const char *format, const char *verb, const char *path);

#endif
