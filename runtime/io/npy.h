// SPDX-License-Identifier: Apache-2.0
// npy - the header of NumPy's .npy files, versions 1 to 3. Pure functions on bytes; the file itself
// is flat.h's.
#ifndef WF_IO_NPY_H
#define WF_IO_NPY_H

#include "array/dtype.h"
#include "array/shape.h"

#define WF_NPY_PREFIX 12         // bytes that say how long the header is: magic, version, length
#define WF_NPY_HEADER_MAX 65536  // the longest header text accepted
#define WF_NPY_WRITE_MAX 1024    // the longest header that is written

typedef struct wf_npy_header {
    weft_dtype dtype;
    bool swapped, fortran;
    wf_shape shape;
    int64_t offset;  // where the elements begin
} wf_npy_header;

// PREFIX is the first min(WF_NPY_PREFIX, file size) bytes: gives where the header's text begins and
// how long it is. WEFT_FORMAT naming WHERE.
weft_status wf_npy_parse_prefix(const char *where, const void *prefix, size_t bytes,
                                int64_t *text_at, int64_t *text_bytes) WEFT_WARN_UNUSED;
// The text: a Python dictionary of exactly descr, fortran_order and shape, and nothing else. Sets
// all but offset. WEFT_FORMAT with the byte where it went wrong, or WEFT_UNSUPPORTED for element
// types Weft has not.
weft_status wf_npy_parse_text(const char *where, const char *text, size_t bytes,
                              wf_npy_header *out) WEFT_WARN_UNUSED;
// Writes a version 1 header, padded to 64 bytes, into OUT; returns its length.
int64_t wf_npy_format_header(weft_dtype dtype, const wf_shape *shape, char out[WF_NPY_WRITE_MAX]);

#endif
