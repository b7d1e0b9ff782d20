// SPDX-License-Identifier: Apache-2.0
// rows_test - reductions across rows that lie far apart in memory: read several rows at a time where the operand is
// large, one at a time where it is small, with the same bits.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "weft.h"

namespace {

enum { ROWS = 2003, COLS = 1201, PITCH = 1300 };  // tiles of more than a MiB

// The value of EXPRESSION over x (ROWS x COLS, rows PITCH elements apart), in blocks of BLOCK rows and columns.
std::vector<double> run(const std::vector<double> &x, const char *expression, const char *blocks, int64_t count, bool half) {
    const std::string settings = std::string("blocks=") + blocks;
    weft_options o = {};
    o.settings = settings.c_str();
    weft_session *s = weft_open(&o);
    const int64_t shape[] = {ROWS, COLS}, strides[] = {PITCH * 8, 8};
    weft_memory_options lend = {};
    lend.borrow = true;
    lend.strides = strides;
    weft_array *a = weft_from_memory(s, x.data(), WEFT_FLOAT64, 2, shape, &lend);
    if (half) {
        a = weft_astype(a, WEFT_FLOAT16);
        EXPECT_EQ(weft_compute(1, &a, nullptr), WEFT_OK) << weft_last_error();
    }
    const char *names[] = {"x"};
    weft_array *y = weft_astype(weft_expr(s, expression, 1, names, &a), WEFT_FLOAT64);
    std::vector<double> out(count, NAN);
    EXPECT_EQ(weft_get(y, WEFT_FLOAT64, out.data(), count * 8), WEFT_OK) << weft_last_error();
    weft_close(s);
    return out;
}

TEST(Rows, FarApartGiveTheSameBitsSeveralAtATime) {
    std::vector<double> x(ROWS * PITCH);
    for (size_t i = 0; i < x.size(); i++) x[i] = std::sin(static_cast<double>(i) * 0.37) + 1.5;
    for (const char *e : {"sum(sqrt(x) * 1.5, axis=0)", "sum(x + x[::-1], axis=0)", "std(x * x, axis=0)", "argmax(x * -1.0, axis=0)", "mean(exp(-x)[:, 3:1190], axis=0)"})
        for (bool half : {false, true}) {
            const int64_t count = std::string(e).find("3:1190") == std::string::npos ? COLS : 1187;
            const std::vector<double> whole = run(x, e, "2003,1201", count, half), small = run(x, e, "60,70", count, half);
            for (int64_t i = 0; i < count; i++) ASSERT_EQ(whole[i], small[i]) << e << " column " << i;
        }
    double first = 0;
    const std::vector<double> sums = run(x, "sum(x * 2.0, axis=0)", "2003,1201", COLS, false);
    for (int64_t r = 0; r < ROWS; r++) first += 2 * x[r * PITCH + 1200];
    EXPECT_NEAR(sums[1200], first, 1e-9);
}

}  // namespace
