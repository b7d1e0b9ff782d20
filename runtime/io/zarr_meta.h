// SPDX-License-Identifier: Apache-2.0
// zarr_meta - the .zarray of a Zarr v2 array: reading it with suspicion, and writing it as
// zarr-python 2 does. Pure functions on text.
#ifndef WF_IO_ZARR_META_H
#define WF_IO_ZARR_META_H

#include "array/dtype.h"
#include "array/shape.h"
#include "io/codec.h"

#define WF_ZARR_META_MAX (1 << 20)  // the longest .zarray or .zgroup accepted
#define WF_ZARR_ATTRS_MAX (16 << 20)

typedef struct wf_zarr_meta {
    weft_dtype dtype;
    bool swapped;            // chunks are in the other byte order
    bool fortran;            // chunks are in Fortran order
    char separator;          // between the numbers of a chunk's key: '.' or '/'
    bool has_fill;           // false: null, taken as 0
    unsigned char fill[16];  // native byte order
    wf_shape shape;
    int64_t chunk[WEFT_MAX_NDIM];
    int64_t chunk_bytes;
    wf_codec codec;
} wf_zarr_meta;

// WHERE names the file in errors. WEFT_FORMAT for what Zarr forbids, WEFT_UNSUPPORTED naming the
// dtype, codec or filter.
weft_status wf_zarr_meta_parse(const char *where, const char *text, size_t bytes,
                               wf_zarr_meta *out) WEFT_WARN_UNUSED;
// Bytes of one chunk. WEFT_OVERFLOW, or WEFT_INVALID when the codec cannot hold so many.
weft_status wf_zarr_meta_measure(const char *where, wf_zarr_meta *meta) WEFT_WARN_UNUSED;
// Appends the text. META has no fill value (null): every chunk of an array that Weft writes is
// stored, and xarray would take a 0 for "missing here". bfloat16 fails with WEFT_UNSUPPORTED.
weft_status wf_zarr_meta_format(const char *where, const wf_zarr_meta *meta,
                                wf_text *out) WEFT_WARN_UNUSED;
// Appends the fill value as people read it: "NaN", "0", "none".
void wf_zarr_meta_describe_fill(const wf_zarr_meta *meta, wf_text *out);

// The text of .zattrs: ATTRIBUTES (a JSON object, or NULL) with DIMS ("time,lat", or NULL; NDIM
// names) as _ARRAY_DIMENSIONS, as xarray writes it. Appends nothing when both are NULL.
// WEFT_INVALID for bad text or a wrong number of names.
weft_status wf_zarr_attrs_format(const char *where, const char *attributes, const char *dims,
                                 int ndim, wf_text *out) WEFT_WARN_UNUSED;
// The other way: "time,lat" from _ARRAY_DIMENSIONS; NULL in *OUT when there is none or it is not
// NDIM plain names.
weft_status wf_zarr_attrs_dims(wf_json attributes, int ndim, char **out) WEFT_WARN_UNUSED;

#endif
