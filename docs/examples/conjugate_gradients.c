// SPDX-License-Identifier: Apache-2.0
// conjugate_gradients - solves A x = b for a symmetric positive definite A: four results of one plan per turn, and from the second turn on
// the plan is only bound to new blocks.
// usage: conjugate_gradients [N]
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 500;
    weft_session *s = weft_open(NULL);
    weft_array *noise =
        weft_random_uniform(s, 0, 1, WEFT_SHAPE(n, n), &(weft_random_options){ .seed = 1 });
    weft_array *A =
        weft_add(weft_add(noise, weft_matrix_transpose(noise)),
                 weft_multiply(weft_num(s, 2.0 * (double)n), weft_eye(s, n, n, 0, WEFT_FLOAT64)));
    weft_array *b = weft_ones(s, WEFT_FLOAT64, WEFT_SHAPE(n)),
               *x = weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(n));
    weft_array *r = b, *p = b, *rr = weft_vecdot(b, b);
    double norm = 1, error;
    int k;

    if (weft_compute(WEFT_ARRAYS(A, b, x, rr), NULL)) goto failed;
    weft_scope *turn = weft_scope_open(s);
    for (k = 0; k < 1000 && norm > 1e-10; k++) {
        weft_array *Ap = weft_matmul(A, p), *alpha = weft_divide(rr, weft_vecdot(p, Ap)), *old = rr;
        x = weft_add(x, weft_multiply(alpha, p));
        r = weft_subtract(r, weft_multiply(alpha, Ap));
        rr = weft_vecdot(r, r);
        p = weft_add(r, weft_multiply(weft_divide(rr, old), p));
        if (weft_scope_reset(turn, WEFT_ARRAYS(x, r, p, rr)) ||
            weft_compute(WEFT_ARRAYS(x, r, p, rr), NULL) || weft_item_f64(rr, &norm))
            goto failed;
        norm = sqrt(norm);
    }
    if (weft_item_f64(weft_max(weft_abs(weft_subtract(weft_matmul(A, x), b)), WEFT_ALL_AXES, NULL),
                      &error))
        goto failed;
    printf("%d turns, largest residual %.1e\n", k, error);
    weft_close(s);
    return !(error < 1e-8);

failed:
    fprintf(stderr, "conjugate_gradients: %s\n", weft_last_error());
    weft_close(s);
    return 1;
}
