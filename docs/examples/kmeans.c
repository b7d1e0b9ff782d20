// SPDX-License-Identifier: Apache-2.0
// kmeans - Lloyd's algorithm: distances by broadcasting, the nearest centre by argmin, new centres by group_mean.
#include <stdio.h>

#include <weft.h>

enum { POINTS = 20000, KINDS = 4, DIMS = 2 };

int main(void)
{
    static const double middle[KINDS][DIMS] = { { 0, 0 }, { 8, 0 }, { 0, 8 }, { 8, 8 } },
                        guess[KINDS][DIMS] = { { 1, 2 }, { 6, 1 }, { 2, 6 }, { 9, 9 } };
    weft_session *s = weft_open(NULL);
    weft_array *m = weft_from_memory(s, middle, WEFT_FLOAT64, WEFT_SHAPE(KINDS, 1, DIMS), NULL);
    weft_array *x = weft_add(m, weft_random_normal(s, WEFT_SHAPE(KINDS, POINTS / KINDS, DIMS),
                                                   &(weft_random_options){ .seed = 3 }));
    x = weft_reshape(x, WEFT_SHAPE(POINTS, DIMS));
    weft_array *centre = weft_from_memory(s, guess, WEFT_FLOAT64, WEFT_SHAPE(KINDS, DIMS), NULL);
    double found[KINDS][DIMS], worst = 0;

    if (weft_compute(WEFT_ARRAYS(x, centre), NULL)) goto failed;
    weft_scope *turn = weft_scope_open(s);
    for (int k = 0; k < 10; k++) {
        weft_array *apart = weft_subtract(weft_expand_dims(x, 1), centre);  // (points, kinds, dims)
        weft_array *kind = weft_argmin(weft_sum(weft_square(apart), WEFT_AXES(2), NULL), 1, NULL);
        centre = weft_group_mean(x, kind, KINDS, 0);
        if (weft_scope_reset(turn, WEFT_ARRAYS(centre)) || weft_compute(WEFT_ARRAYS(centre), NULL))
            goto failed;
    }
    if (weft_get(centre, WEFT_FLOAT64, found, sizeof found)) goto failed;
    weft_close(s);
    for (int k = 0; k < KINDS; k++) {
        printf("centre %d: %6.3f %6.3f\n", k, found[k][0], found[k][1]);
        for (int d = 0; d < DIMS; d++) {
            double off = found[k][d] - middle[k][d];
            if (off * off > worst) worst = off * off;
        }
    }
    return worst > 0.01;

failed:
    fprintf(stderr, "kmeans: %s\n", weft_last_error());
    weft_close(s);
    return 1;
}
