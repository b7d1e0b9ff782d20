// SPDX-License-Identifier: Apache-2.0
// spill - the disk tier: one big file in a folder, made at the first write and nameless from its
// first moment, so that nothing of it outlives the process. Bytes go in and come out in checksummed
// chunks, past the page cache, compressed when that saves time. It knows no blocks and no budgets.
// Any thread may call; no bytes are transferred under its lock.
#ifndef WF_MEMORY_SPILL_H
#define WF_MEMORY_SPILL_H

#include "base/error.h"

typedef struct wf_spill wf_spill;
typedef struct wf_extent wf_extent;  // bytes on disk; reference counted

// Bytes under one checksum; what a partial read reads at least
#define WF_SPILL_CHUNK ((int64_t)1 << 20)
// The same for extents that many small blocks share
#define WF_SPILL_SMALL_CHUNK ((int64_t)16 << 10)

typedef enum wf_spill_compress {
    WF_COMPRESS_AUTO,
    WF_COMPRESS_NEVER,
    WF_COMPRESS_ALWAYS
} wf_spill_compress;

// Where bytes come from: host memory at DATA, or, when DATA is NULL, FETCH, called for ascending
// pieces.
typedef struct wf_spill_source {
    const void *data;
    weft_status (*fetch)(void *context, int64_t offset, int64_t bytes, void *out);
    void *context;
} wf_spill_source;

// Opens nothing yet. DIR is copied.
weft_status wf_spill_create(const char *dir, wf_spill **out) WEFT_WARN_UNUSED;
void wf_spill_destroy(wf_spill *spill);  // every extent must be gone; accepts NULL
// AUTO at first: where it saves time
void wf_spill_set_compress(wf_spill *spill, wf_spill_compress how);
bool wf_spill_is_memory(const wf_spill *spill);  // DIR lies on tmpfs: its files are memory

// Writes BYTES (>= 1) from SOURCE with a checksum per CHUNK bytes (a multiple of 4096, at most
// WF_SPILL_CHUNK); gives an extent with one reference. Errors, with nothing kept: WEFT_NO_SPACE,
// WEFT_IO and others of the file system, naming the folder; what FETCH returned; WEFT_NO_MEMORY.
weft_status wf_spill_write(wf_spill *spill, const wf_spill_source *source, int64_t bytes,
                           int64_t chunk, wf_extent **out) WEFT_WARN_UNUSED;
// Reads BYTES at OFFSET of what was written; every chunk touched is verified whole. WEFT_LOST when
// one is damaged (says which, and both checksums), WEFT_IO when the disk fails. OUT may be partly
// written on failure.
weft_status wf_spill_read(wf_spill *spill, const wf_extent *extent, int64_t offset, int64_t bytes,
                          void *out) WEFT_WARN_UNUSED;
void wf_extent_retain(wf_extent *extent);
int64_t wf_extent_stored(const wf_extent *extent);  // bytes it takes on disk
// The last frees the space; accepts NULL
void wf_extent_release(wf_spill *spill, wf_extent *extent);

typedef struct wf_spill_usage {
    int64_t file_bytes;                 // length of the file
    int64_t bytes_written, bytes_read;  // ever, as stored
    bool direct;                        // past the page cache
} wf_spill_usage;
void wf_spill_get_usage(wf_spill *spill, wf_spill_usage *out);
// Drops cached buffers, and the file's contents if no extent is left.
void wf_spill_trim(wf_spill *spill);

#endif
