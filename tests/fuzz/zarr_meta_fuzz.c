// SPDX-License-Identifier: Apache-2.0
// zarr_meta_fuzz - any bytes as a .zarray and as a .zattrs: no crash, and what is accepted is sound
// and can be written again.
#include <string.h>

#include "io/zarr_meta.h"

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void check_array(const char *text, size_t size)
{
    wf_zarr_meta meta, again;
    wf_text out = { 0 };
    if (wf_zarr_meta_parse("fuzz", text, size, &meta) != WEFT_OK) return;
    require(wf_dtype_is_valid(meta.dtype) && meta.chunk_bytes > 0 &&
            wf_shape_size(&meta.shape) <= INT64_MAX / 16);
    for (int i = 0; i < meta.shape.ndim; i++) require(meta.chunk[i] >= 1 && meta.shape.dim[i] >= 0);
    wf_zarr_meta_describe_fill(&meta, &out);
    wf_text_add(&out, "\n");
    wf_codec_describe(&meta.codec, &out);
    int64_t begin = out.length;
    if (wf_zarr_meta_format("fuzz", &meta, &out) == WEFT_OK && !strpbrk(meta.codec.cname, "\"\\")) {
        require(wf_zarr_meta_parse("fuzz", out.data + begin, (size_t)(out.length - begin),
                                   &again) == WEFT_OK);
        require(again.chunk_bytes == meta.chunk_bytes && wf_shape_equal(&again.shape, &meta.shape));
    }
    wf_text_fini(&out);
}

static void check_attributes(const char *text, size_t size)
{
    wf_json root;
    char *dims = NULL;
    if (wf_json_check("fuzz", text, size, &root) != WEFT_OK ||
        wf_json_get_kind(root) != WF_JSON_OBJECT)
        return;
    for (int ndim = 0; ndim < 4; ndim++) {
        require(wf_zarr_attrs_dims(root, ndim, &dims) == WEFT_OK);
        wf_free(dims);
    }
    wf_text copy = { 0 }, out = { 0 };
    wf_text_add_bytes(&copy, root.at, (size_t)(root.end - root.at));
    if (copy.data && strlen(copy.data) == (size_t)copy.length) {
        require(wf_zarr_attrs_format("fuzz", copy.data, "x,y", 2, &out) == WEFT_OK);
        require(wf_json_check("fuzz", out.data, (size_t)out.length, &root) == WEFT_OK);
        require(wf_zarr_attrs_dims(root, 2, &dims) == WEFT_OK && dims && strcmp(dims, "x,y") == 0);
        wf_free(dims);
    }
    wf_text_fini(&copy);
    wf_text_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_array((const char *)data, size);
    check_attributes((const char *)data, size);
    require(wf_alloc_live() == 0);
    return 0;
}
