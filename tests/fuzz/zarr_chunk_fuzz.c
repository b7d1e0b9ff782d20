// SPDX-License-Identifier: Apache-2.0
// zarr_chunk_fuzz - any bytes as a compressed chunk: the first byte says which codec, the second
// how large the chunk should be. No crash, nothing written behind the end, and what does not
// decompress to the exact size is an error.
#include <stdlib.h>
#include <string.h>

#include "io/codec.h"

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "none", "zlib", "gzip", "zstd", "lz4", "blosc" };
    wf_codec codec;
    if (size < 2 || wf_codec_parse(names[data[0] % 6], &codec) != WEFT_OK) return 0;
    int64_t bytes = (int64_t)(data[1] + 1) * 16, packed_bytes = 0;
    char *out = malloc((size_t)bytes), *packed = malloc((size_t)wf_codec_bound(bytes)),
         *again = malloc((size_t)bytes);
    if (out && packed && again) {
        weft_status st = wf_codec_decode(&codec, "fuzz", data + 2, (int64_t)size - 2, out, bytes);
        require(st == WEFT_OK || st == WEFT_FORMAT || st == WEFT_UNSUPPORTED ||
                st == WEFT_NO_MEMORY);
        if (st != WEFT_OK) memset(out, (int)size, (size_t)bytes);
        require(wf_codec_encode(&codec, "fuzz", out, bytes, 4, packed, wf_codec_bound(bytes),
                                &packed_bytes) == WEFT_OK);
        require(wf_codec_decode(&codec, "fuzz", packed, packed_bytes, again, bytes) == WEFT_OK);
        require(memcmp(out, again, (size_t)bytes) == 0);
    }
    free(out);
    free(packed);
    free(again);
    return 0;
}
