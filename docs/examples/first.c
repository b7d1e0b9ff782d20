// SPDX-License-Identifier: Apache-2.0
// first - the smallest program: draw an array larger than the memory it is allowed, reduce it, read the result.
#include <stdio.h>

#include <weft.h>

int main(void)
{
    weft_session *s = weft_open(&(weft_options){ .memory_limit = 64 << 20 });
    weft_array *x =
        weft_random_normal(s, WEFT_SHAPE(4000, 10000),
                           &(weft_random_options){ .seed = 7 });  // 320 MB, never in memory
    double mean, spread;

    weft_status st = weft_item_f64(weft_mean(x, WEFT_ALL_AXES, NULL), &mean);
    if (!st) st = weft_item_f64(weft_std(x, WEFT_ALL_AXES, NULL), &spread);
    if (st) fprintf(stderr, "first: %s\n", weft_last_error());
    else printf("mean %.4f, standard deviation %.4f\n", mean, spread);
    weft_close(s);
    return st != WEFT_OK || mean < -0.01 || mean > 0.01 || spread < 0.99 || spread > 1.01;
}
