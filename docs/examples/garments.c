// SPDX-License-Identifier: Apache-2.0
// garments - the mean picture of each kind of garment in Fashion-MNIST: raw files in, a Zarr store out.
// usage: garments [IMAGES LABELS]    raw bytes, 60000 x 28 x 28 and 60000; without them it draws its own at random
#include <stdio.h>

#include <weft.h>

int main(int argc, char **argv)
{
    const weft_load_options image = {
        .raw = true, .dtype = WEFT_UINT8, .ndim = 3, .shape = (const int64_t[]){ 60000, 28, 28 }
    };
    const weft_load_options label = {
        .raw = true, .dtype = WEFT_UINT8, .ndim = 1, .shape = (const int64_t[]){ 60000 }
    };
    weft_session *s = weft_open(&(weft_options){ .memory_limit = 64 << 20 });
    weft_array *x = argc > 2 ? weft_load(s, argv[1], &image)
                             : weft_random_integers(s, 0, 256, WEFT_SHAPE(60000, 28, 28), NULL);
    weft_array *kind = argc > 2 ? weft_load(s, argv[2], &label)
                                : weft_random_integers(s, 0, 10, WEFT_SHAPE(60000), NULL);

    weft_array *mean = weft_group_mean(weft_rechunk(x, WEFT_SHAPE(4000, 28, 28)), kind, 10, 0);

    weft_status st = weft_save(mean, "garments.zarr", &(weft_save_options){ .overwrite = true });
    if (st) fprintf(stderr, "garments: %s\n", weft_last_error());
    weft_close(s);
    return st != WEFT_OK;
}
