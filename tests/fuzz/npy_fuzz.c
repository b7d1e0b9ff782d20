// SPDX-License-Identifier: Apache-2.0
// npy_fuzz - any bytes as the beginning of a .npy file: no crash, and a header that is accepted can
// be written and read back the same.
#include <string.h>

#include "io/npy.h"

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void check_round_trip(const wf_npy_header *header)
{
    char text[WF_NPY_WRITE_MAX];
    wf_npy_header again;
    int64_t at, length, bytes = wf_npy_format_header(header->dtype, &header->shape, text);
    require(bytes > 0 && bytes <= WF_NPY_WRITE_MAX && bytes % 64 == 0);
    require(wf_npy_parse_prefix("fuzz", text, (size_t)bytes, &at, &length) == WEFT_OK &&
            at + length == bytes);
    require(wf_npy_parse_text("fuzz", text + at, (size_t)length, &again) == WEFT_OK);
    require(again.dtype == header->dtype && !again.fortran && !again.swapped &&
            wf_shape_equal(&again.shape, &header->shape));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wf_npy_header header;
    int64_t at, length;
    if (wf_npy_parse_prefix("fuzz", data, size, &at, &length) != WEFT_OK ||
        at + length > (int64_t)size)
        return 0;
    if (wf_npy_parse_text("fuzz", (const char *)data + at, (size_t)length, &header) != WEFT_OK)
        return 0;
    require(wf_dtype_is_valid(header.dtype) && header.shape.ndim >= 0 &&
            header.shape.ndim <= WEFT_MAX_NDIM);
    require(wf_shape_size(&header.shape) <= INT64_MAX / 16);
    check_round_trip(&header);
    return 0;
}
