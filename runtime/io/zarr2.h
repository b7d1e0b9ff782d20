// SPDX-License-Identifier: Apache-2.0
// zarr2 - what the files that make up the Zarr v2 format share: paths into stores, groups, and an
// open array's chunks.
#ifndef WF_IO_ZARR2_H
#define WF_IO_ZARR2_H

#include "base/thread.h"
#include "io/bytestore.h"
#include "io/format.h"
#include "io/zarr_meta.h"

// "data/x.zarr/a/u" taken apart: the store ROOT "data/x.zarr" and what is INSIDE it, "a/u" or "".
// The store is the outermost folder whose name ends in .zarr or that holds Zarr metadata; the whole
// path where there is none.
typedef struct wf_zarr_path {
    char *root, *inside;
    char *full;  // ROOT, or ROOT/INSIDE
} wf_zarr_path;

// ".." inside the store is taken lexically; one that leaves it is WEFT_INVALID.
weft_status wf_zarr_path_init(wf_zarr_path *path, const char *text) WEFT_WARN_UNUSED;
void wf_zarr_path_fini(wf_zarr_path *path);

typedef enum wf_zarr_node {
    WF_ZARR_NOTHING,
    WF_ZARR_FOLDER,
    WF_ZARR_GROUP,
    WF_ZARR_ARRAY,
    WF_ZARR_V3
} wf_zarr_node;
// What is at PATH, a folder of the file system, by the metadata in it.
wf_zarr_node wf_zarr_look(const char *path);
// Names of the arrays directly in the group at PATH, "u, v, z", the groups with a slash behind;
// "none" when empty. At most ~300 bytes.
weft_status wf_zarr_list(const char *path, wf_text *out) WEFT_WARN_UNUSED;
// Makes PATH->root and the folders on the way to PATH->inside groups where they are not.
weft_status wf_zarr_make_groups(const wf_zarr_path *path) WEFT_WARN_UNUSED;
// Brings the store's .zmetadata up to date with the array INSIDE it, whose .zarray and .zattrs (or
// NULL) are given; does nothing where the store keeps none.
weft_status wf_zarr_consolidate(const wf_zarr_path *path, const char *zarray,
                                const char *zattrs) WEFT_WARN_UNUSED;

// An array whose chunks can be read and written.
typedef struct wf_zarr {
    wf_bytestore *store;
    wf_zarr_meta meta;
    wf_grid grid;                         // its chunks
    int64_t chunk_stride[WEFT_MAX_NDIM];  // of a raw chunk, bytes
    int64_t *stored;                      // of a writer: bytes of chunks stored, by all threads
} wf_zarr;

// Sets grid and strides from meta. Cannot fail on metadata that was parsed.
weft_status wf_zarr_prepare(wf_zarr *zarr) WEFT_WARN_UNUSED;
// Opens the array at PATH: store, metadata, grid. *ATTRIBUTES gives the text of .zattrs or NULL.
weft_status wf_zarr_open(const wf_zarr_path *path, wf_zarr *out,
                         char **attributes) WEFT_WARN_UNUSED;
void wf_zarr_fini(wf_zarr *zarr);

// Scratch: room for a packed chunk, unless chunks are stored as they are, then for a raw one, which
// whole native chunks do without.
int64_t wf_zarr_scratch(const wf_zarr *zarr);
int64_t wf_zarr_box_scratch(const wf_zarr *zarr, const wf_box *box, bool write);
// What any single chunk takes.
int64_t wf_zarr_chunk_scratch(const wf_zarr *zarr, bool write);
weft_status wf_zarr_check_scratch(const wf_zarr *zarr, const wf_box *box, bool write,
                                  const void *scratch, int64_t bytes) WEFT_WARN_UNUSED;
char *wf_zarr_raw(const wf_zarr *zarr, void *scratch);
// The key of the chunk at COORD.
const char *wf_zarr_key(const wf_zarr *zarr, const int64_t *coord, char key[WF_KEY_MAX]);
// Reads a chunk, decompressed, in native byte order, the elements in the array's order; filled
// where it is missing. PACKED holds wf_codec_bound(chunk_bytes).
weft_status wf_zarr_load(const wf_zarr *zarr, const int64_t *coord, void *raw,
                         char *packed) WEFT_WARN_UNUSED;

// The chunks that a box touches, one after the other.
typedef struct wf_chunk_walk {
    int64_t first[WEFT_MAX_NDIM], last[WEFT_MAX_NDIM], coord[WEFT_MAX_NDIM];
    int64_t origin[WEFT_MAX_NDIM];  // of the chunk, elements
    wf_box piece;                   // of the box, in this chunk
    bool whole;                     // the piece is the chunk, none of it outside the array
    bool covers;                    // the piece is all of the chunk that lies inside the array
} wf_chunk_walk;
void wf_chunk_walk_start(wf_chunk_walk *walk, const wf_zarr *zarr, const wf_box *box);
bool wf_chunk_walk_next(wf_chunk_walk *walk, const wf_zarr *zarr, const wf_box *box);

// Slots of wf_format_ops, defined in zarr2_write.c.
weft_status wf_zarr_create(const char *path, const wf_create_options *opts, void **state,
                           wf_grid *grid, bool *any_box) WEFT_WARN_UNUSED;
weft_status wf_zarr_write(void *state, const wf_box *box, const void *data, void *scratch,
                          int64_t scratch_bytes) WEFT_WARN_UNUSED;
int64_t wf_zarr_write_scratch(void *state, int64_t block_bytes);
int64_t wf_zarr_write_block_scratch(void *state);
int64_t wf_zarr_stored(void *state);
weft_status wf_zarr_commit(void *state) WEFT_WARN_UNUSED;
void wf_zarr_abort(void *state);

#endif
