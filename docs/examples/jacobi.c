// SPDX-License-Identifier: Apache-2.0
// jacobi - heat in a plate: 2-D Jacobi iteration until it stops moving. Slices of one array are its neighbours; setitem gives the next array.
// usage: jacobi [N]
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 60;
    weft_session *s = weft_open(NULL);
    weft_array *u = weft_zeros(s, WEFT_FLOAT32, WEFT_SHAPE(n, n)), *quarter = weft_num(s, 0.25);
    u = weft_setitem(u, WEFT_CUTS(WEFT_AT(0)), weft_num(s, 100));

    int turns = 0;
    weft_scope *turn = weft_scope_open(s);
    for (double diff = 1; diff > 1e-2; turns++) {
        weft_array *in = weft_multiply(
            quarter,
            weft_add(weft_add(weft_index_text(u, ":-2, 1:-1"), weft_index_text(u, "2:, 1:-1")),
                     weft_add(weft_index_text(u, "1:-1, :-2"), weft_index_text(u, "1:-1, 2:"))));
        weft_array *next = weft_setitem(u, WEFT_CUTS(WEFT_SPAN(1, -1), WEFT_SPAN(1, -1)), in);
        weft_array *d = weft_max(weft_abs(weft_subtract(next, u)), WEFT_ALL_AXES, NULL);
        u = next;
        // Reset before computing: the last turn's arrays are free, so their memory can serve this turn's results.
        if (weft_scope_reset(turn, WEFT_ARRAYS(u, d)) || weft_compute(WEFT_ARRAYS(u, d), NULL) ||
            weft_item_f64(d, &diff))
            goto failed;
    }

    double middle;
    if (weft_item_f64(weft_index(u, WEFT_CUTS(WEFT_AT(n / 2), WEFT_AT(n / 2))), &middle))
        goto failed;
    printf("still after %d turns; the middle has %.2f degrees\n", turns, middle);
    weft_close(s);
    return middle < 1 || middle > 30;

failed:
    fprintf(stderr, "jacobi: %s\n", weft_last_error());
    weft_close(s);
    return 1;
}
