// SPDX-License-Identifier: Apache-2.0
// program - what a stranger's C program looks like: one header, one library, no flag beyond what the package gives.
#include <stdio.h>
#include <string.h>

#include <weft.h>

int main(void)
{
    weft_session *s = weft_open(NULL);
    weft_array *total =
        weft_sum(weft_add(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(300, 400)), weft_num(s, 0.5)),
                 WEFT_ALL_AXES, NULL);
    double value = 0;

    if (weft_item_f64(total, &value) != WEFT_OK) {
        fprintf(stderr, "program: %s\n", weft_last_error());
        weft_close(s);
        return 1;
    }
    printf("weft %s: %g\n", weft_version(), value);
    weft_close(s);
    return value == 60000.0 && strcmp(weft_version(), EXPECTED_VERSION) == 0 ? 0 : 1;
}
