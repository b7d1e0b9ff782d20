// SPDX-License-Identifier: Apache-2.0
// program - the same from C++: the header, its macros included, is C++ as it stands.
#include <weft.h>

#include <cstdio>
#include <string>

int main()
{
    weft_session *s = weft_open(nullptr);
    weft_array *total = weft_sum(
        weft_add(weft_zeros(s, WEFT_FLOAT64, WEFT_SHAPE(300, 400)), weft_num(s, 0.5)), WEFT_ALL_AXES, nullptr);
    double value = 0;

    if (weft_item_f64(total, &value) != WEFT_OK) {
        std::fprintf(stderr, "program: %s\n", weft_last_error());
        weft_close(s);
        return 1;
    }
    std::printf("weft %s: %g\n", weft_version(), value);
    weft_close(s);
    return value == 60000.0 && std::string(weft_version()) == EXPECTED_VERSION ? 0 : 1;
}
