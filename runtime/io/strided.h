// SPDX-License-Identifier: Apache-2.0
// strided - copies of boxes between differently ordered memories on the host, and byte order. Pure
// functions of their arguments.
#ifndef WF_IO_STRIDED_H
#define WF_IO_STRIDED_H

#include "array/shape.h"

// Strides in bytes of a contiguous array of COUNT elements of ITEM bytes: C order, or Fortran
// order.
void wf_strides_fill(int ndim, const int64_t *count, size_t item, bool fortran, int64_t *out);

// Copies COUNT elements of ITEM (1, 2, 4, 8 or 16) bytes. Strides in bytes, never negative; neither
// side need be aligned; the two do not overlap.
void wf_strided_copy(int ndim, const int64_t *count, size_t item, void *out,
                     const int64_t *out_stride, const void *in, const int64_t *in_stride);
// Stores ELEMENT (ITEM bytes) at every place.
void wf_strided_fill(int ndim, const int64_t *count, size_t item, void *out,
                     const int64_t *out_stride, const void *element);

// True when PART, inside WHOLE's extents, is one run of bytes of a C-ordered WHOLE.
bool wf_counts_contiguous(int ndim, const int64_t *part, const int64_t *whole);
// Bytes from the first element of an array with STRIDE to the one at PART, relative to ORIGIN.
int64_t wf_strided_offset(int ndim, const int64_t *part, const int64_t *origin,
                          const int64_t *stride);

// Reverses the bytes of each of COUNT numbers of WIDTH (1, 2, 4 or 8) bytes.
void wf_bytes_swap(void *data, int64_t count, size_t width);

#endif
