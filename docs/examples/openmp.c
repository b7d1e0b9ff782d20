// SPDX-License-Identifier: Apache-2.0
// openmp - a host program with loops of its own: it lends an array to Weft without copying, and takes the result back into its own memory.
// Weft leaves the program's threads, BLAS and signal handlers alone.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

int main(void)
{
    int64_t n = 2000000;
    double *x = malloc((size_t)n * sizeof *x), *y = malloc((size_t)n * sizeof *y), worst = 0;
    if (!x || !y) return 1;
#pragma omp parallel for
    for (int64_t i = 0; i < n; i++) x[i] = (double)i / (double)n;

    weft_session *s = weft_open(NULL);
    weft_array *a = weft_from_memory(s, x, WEFT_FLOAT64, WEFT_SHAPE(n),
                                     &(weft_memory_options){ .borrow = true });
    weft_status st = weft_get(weft_multiply(weft_sqrt(a), weft_exp(weft_negative(a))), WEFT_FLOAT64,
                              y, (size_t)n * sizeof *y);
    if (st) fprintf(stderr, "openmp: %s\n", weft_last_error());
    weft_close(s);  // from here on x is the program's alone again

#pragma omp parallel for reduction(max : worst)
    for (int64_t i = 0; i < n; i++) {
        double off = fabs(y[i] - sqrt(x[i]) * exp(-x[i]));
        if (off > worst) worst = off;
    }
    printf("largest difference %.1e\n", worst);
    free(x);
    free(y);
    return st != WEFT_OK || worst > 1e-15;
}
