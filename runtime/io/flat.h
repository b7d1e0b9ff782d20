// SPDX-License-Identifier: Apache-2.0
// flat - one plain file that holds the elements of one array from some offset on, in C or Fortran
// order: what .npy and raw binary share. Reads by mapping where the file can be mapped, writes
// boxes at their places. Reads and writes may come from several threads at once.
#ifndef WF_IO_FLAT_H
#define WF_IO_FLAT_H

#include "io/format.h"

typedef struct wf_flat {
    const char *format;  // begins errors
    char *path;
    char *temp;  // being built here; NULL: PATH itself
    int fd;
    bool overwrite;
    int64_t offset;  // of the first element
    weft_dtype dtype;
    bool swapped, fortran;
    wf_shape shape;
    int64_t stride[WEFT_MAX_NDIM];
    int64_t stored;  // bytes written, by all threads
    char *map;       // the whole file, or NULL
    int64_t map_bytes;
} wf_flat;

// Opens PATH (a regular file) and gives its size. FLAT has fd, path and format set.
weft_status wf_flat_open(const char *format, const char *path, bool write, wf_flat **out,
                         int64_t *size) WEFT_WARN_UNUSED;
// Offset, dtype, order and shape are set: checks them against SIZE (WEFT_FORMAT: expected and found
// bytes), maps the file, and fills INFO.
weft_status wf_flat_attach(wf_flat *flat, int64_t size, wf_file_info *info) WEFT_WARN_UNUSED;
// Copies bytes from anywhere in the file. WEFT_FORMAT when it ends before.
weft_status wf_flat_read_bytes(const wf_flat *flat, int64_t offset, void *out,
                               int64_t bytes) WEFT_WARN_UNUSED;
// Starts a new file beside PATH with HEADER, and reserves the space of OPTS' whole array, so that a
// full disk shows at once.
weft_status wf_flat_create(const char *format, const char *path, const wf_create_options *opts,
                           const void *header, int64_t header_bytes,
                           wf_flat **out) WEFT_WARN_UNUSED;

// Slots of wf_format_ops; STATE is a wf_flat. Close, abort and a successful commit free it.
weft_status wf_flat_read(void *state, const wf_box *box, void *out, void *scratch,
                         int64_t scratch_bytes) WEFT_WARN_UNUSED;
int64_t wf_flat_read_scratch(void *state);
void wf_flat_prefetch(void *state, const wf_box *box);
void wf_flat_done(void *state, const wf_box *box);
void wf_flat_close(void *state);
weft_status wf_flat_write(void *state, const wf_box *box, const void *data, void *scratch,
                          int64_t scratch_bytes) WEFT_WARN_UNUSED;
int64_t wf_flat_write_scratch(void *state, int64_t block_bytes);
int64_t wf_flat_stored(void *state);
weft_status wf_flat_commit(void *state) WEFT_WARN_UNUSED;
void wf_flat_abort(void *state);

// Fails with WEFT_UNSUPPORTED when OPTS asks for what a flat file cannot hold (codec, attributes,
// dims, chunks).
weft_status wf_flat_check_options(const char *format, const char *path,
                                  const wf_create_options *opts) WEFT_WARN_UNUSED;
// opts->grid, or one block.
weft_status wf_flat_grid(const wf_create_options *opts, wf_grid *out) WEFT_WARN_UNUSED;

#endif
