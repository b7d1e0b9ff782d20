// SPDX-License-Identifier: Apache-2.0
// cast_test - conversions between all dtypes against long double, and 16-bit floats against a search for the nearest.


#include "kernels/tables.h"

namespace {

using real = long double;

int size_of(int d) {
    static const int sizes[] = {0,
#define SIZE(NAME, number, name, bytes, kind) bytes,
                                WEFT_DTYPE_LIST(SIZE)
#undef SIZE
    };
    return sizes[d];
}

bool is_integer(int d) { return d >= WEFT_INT8 && d <= WEFT_UINT64; }
bool is_half(int d) { return d == WEFT_FLOAT16 || d == WEFT_BFLOAT16; }

// The value of 16 bits by the definition of the formats.
real half_value(uint16_t h, int d) {
    const int mantissa_bits = d == WEFT_FLOAT16 ? 10 : 7, bias = d == WEFT_FLOAT16 ? 15 : 127;
    const int mantissa = h & ((1 << mantissa_bits) - 1), exponent = (h & 0x7fff) >> mantissa_bits;
    const int top = d == WEFT_FLOAT16 ? 31 : 255;
    real value;
    if (exponent == top)
        value = mantissa ? std::numeric_limits<real>::quiet_NaN() : std::numeric_limits<real>::infinity();
    else if (exponent == 0)
        value = std::ldexp(static_cast<real>(mantissa), 1 - bias - mantissa_bits);
    else
        value = std::ldexp(static_cast<real>(mantissa + (1 << mantissa_bits)), exponent - bias - mantissa_bits);
    return h & 0x8000 ? -value : value;
}

// The nearest 16-bit float by binary search over the positive ones, ties to the even pattern.
uint16_t nearest_half(real x, int d) {
    const uint16_t infinity = d == WEFT_FLOAT16 ? 0x7c00 : 0x7f80, sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x)) return 0x7fff;
    const real a = std::fabs(x);
    // What would follow the largest number decides where infinity begins.
    const real beyond = d == WEFT_FLOAT16 ? 65536.0L : std::ldexp(1.0L, 128);
    uint16_t low = 0, high = infinity;
    while (high - low > 1) {
        const uint16_t middle = static_cast<uint16_t>((low + high) / 2);
        (half_value(middle, d) <= a ? low : high) = middle;
    }
    const real below = half_value(low, d), above = high == infinity ? beyond : half_value(high, d);
    if (a - below < above - a) return sign | low;
    if (a - below > above - a) return sign | high;
    return sign | (low % 2 == 0 ? low : high);
}

struct Value {
    real re = 0, im = 0;
};

Value load(int d, const unsigned char *p) {
    switch (d) {
    case WEFT_BOOL: return {static_cast<real>(*p)};
    case WEFT_INT8: return {static_cast<real>(*reinterpret_cast<const int8_t *>(p))};
    case WEFT_INT16: return {static_cast<real>(*reinterpret_cast<const int16_t *>(p))};
    case WEFT_INT32: return {static_cast<real>(*reinterpret_cast<const int32_t *>(p))};
    case WEFT_INT64: return {static_cast<real>(*reinterpret_cast<const int64_t *>(p))};
    case WEFT_UINT8: return {static_cast<real>(*p)};
    case WEFT_UINT16: return {static_cast<real>(*reinterpret_cast<const uint16_t *>(p))};
    case WEFT_UINT32: return {static_cast<real>(*reinterpret_cast<const uint32_t *>(p))};
    case WEFT_UINT64: return {static_cast<real>(*reinterpret_cast<const uint64_t *>(p))};
    case WEFT_FLOAT32: return {*reinterpret_cast<const float *>(p)};
    case WEFT_FLOAT64: return {*reinterpret_cast<const double *>(p)};
    case WEFT_COMPLEX64: return {reinterpret_cast<const float *>(p)[0], reinterpret_cast<const float *>(p)[1]};
    case WEFT_COMPLEX128: return {reinterpret_cast<const double *>(p)[0], reinterpret_cast<const double *>(p)[1]};
    default: return {half_value(*reinterpret_cast<const uint16_t *>(p), d)};
    }
}

template <class T> void put(unsigned char *p, T value) { std::memcpy(p, &value, sizeof value); }

// What out of range gives is stated in element.h: through int32 for targets up to that, else through int64.
int64_t truncated(real x, real low, real high, int64_t otherwise) {
    const real t = std::trunc(x);
    return t >= low && t <= high ? static_cast<int64_t>(t) : otherwise;
}

void store(int d, Value v, int from, unsigned char *p) {
    const bool whole = is_integer(from) || from == WEFT_BOOL;
    int64_t bits = whole ? static_cast<int64_t>(v.re < 0x1p63L ? static_cast<uint64_t>(static_cast<int64_t>(v.re)) : static_cast<uint64_t>(v.re))
                         : truncated(v.re, -0x1p31L, 0x1p31L - 1, INT32_MIN);
    if (!whole && (d == WEFT_INT64 || d == WEFT_UINT64 || d == WEFT_UINT32)) bits = truncated(v.re, -0x1p63L, 0x1p63L - 1, INT64_MIN);
    if (!whole && d == WEFT_UINT64 && v.re >= 0x1p63L && v.re < 0x1p64L) bits = static_cast<int64_t>(static_cast<uint64_t>(v.re));
    switch (d) {
    case WEFT_BOOL: *p = v.re != 0 || v.im != 0; break;
    case WEFT_FLOAT16:
    case WEFT_BFLOAT16: put(p, nearest_half(v.re, d)); break;
    case WEFT_FLOAT32: put(p, static_cast<float>(v.re)); break;
    case WEFT_FLOAT64: put(p, static_cast<double>(v.re)); break;
    case WEFT_COMPLEX64: put(p, static_cast<float>(v.re)), put(p + 4, static_cast<float>(v.im)); break;
    case WEFT_COMPLEX128: put(p, static_cast<double>(v.re)), put(p + 8, static_cast<double>(v.im)); break;
    default: std::memcpy(p, &bits, size_of(d));
    }
}

// 512 elements of dtype D: telling values, then noise of its own bits.
std::vector<unsigned char> sample(int d) {
    const int size = size_of(d);
    std::vector<unsigned char> data(512 * size);
    Noise noise;
    for (int i = 0; i < 512; i++) {
        unsigned char *p = &data[i * size];
        for (int k = 0; k < size; k++) p[k] = static_cast<unsigned char>(noise.bits() >> 20);
        if (d == WEFT_BOOL) *p &= 1;
        static const double telling[] = {0, -0.0, 1, -1, 0.5, -1.9, 2.5, 127.9, 128, 255, 256, -129, 32767, 65504, 65519, 65520, 65536, 1e5,
                                         2147483647, 2147483648.0, -2147483648.0, 4294967295.0, 9.3e18, 1.8e19, 1e20, -1e19, 3.3e38,
                                         3.4e38, 1e39, 1e300, 6e-8, 3e-8, 2.9e-8, 6.1e-5, 1e-40, 1e-320, INFINITY, -INFINITY, NAN,
                                         4611686018427387904.0, 1.00390625, 1.001953125, 1.00048828125};
        const int n = sizeof telling / sizeof *telling;
        if (is_integer(d) || d == WEFT_BOOL) {
            if (is_integer(d) && i % 4 == 0) std::memset(p, 0, size), *p = static_cast<unsigned char>(i);
            // Halfway between bfloat16 neighbours, but for the last bit: a double would round it away.
            if (size == 8 && i % 7 == 0) put(p, (static_cast<uint64_t>(1) << 62) + (static_cast<uint64_t>(1) << 54) + i % 2);
        } else if (i < n) {
            store(d, {telling[i], telling[n - 1 - i]}, WEFT_FLOAT64, p);
        } else if (i % 2) {
            store(d, {noise.between(-300, 300), noise.between(-1, 1)}, WEFT_FLOAT64, p);
        }
    }
    return data;
}

bool same_element(int d, const unsigned char *a, const unsigned char *b) {
    if (std::memcmp(a, b, size_of(d)) == 0) return true;
    const Value x = load(d, a), y = load(d, b);
    const bool re = (std::isnan(x.re) && std::isnan(y.re)) || (x.re == y.re && std::signbit(x.re) == std::signbit(y.re));
    const bool im = (std::isnan(x.im) && std::isnan(y.im)) || (x.im == y.im && std::signbit(x.im) == std::signbit(y.im));
    return re && im;
}

TEST(Cast, EveryPairConvertsAsStated) {
    for (const wf_kernel_table *table : all_tables())
        for (int from = 1; from < WEFT_NDTYPES; from++) {
            const std::vector<unsigned char> in = sample(from);
            for (int to = 1; to < WEFT_NDTYPES; to++)
                for (int64_t n : odd_lengths()) {
                    const int width = size_of(to);
                    std::vector<unsigned char> out((n + 1) * width, 77);
                    table->cast[from][to](n, out.data(), in.data());
                    for (int64_t i = 0; i < n; i++) {
                        const Value v = load(from, &in[i * size_of(from)]);
                        unsigned char want[16];
                        store(to, v, from, want);
                        ASSERT_TRUE(same_element(to, &out[i * width], want))
                            << table->name << " from " << from << " to " << to << ": " << v.re << " gave "
                            << load(to, &out[i * width]).re << ", want " << load(to, want).re;
                    }
                    ASSERT_EQ(out[n * width], 77) << from << " to " << to << " wrote past its end";
                }
        }
}

TEST(Cast, GivesTheSameBitsInEveryTable) {
    const std::vector<const wf_kernel_table *> tables = all_tables();
    for (int from = 1; from < WEFT_NDTYPES; from++)
        for (int to = 1; to < WEFT_NDTYPES; to++) {
            const std::vector<unsigned char> in = sample(from);
            std::vector<unsigned char> want(512 * size_of(to));
            tables[0]->cast[from][to](512, want.data(), in.data());
            for (const wf_kernel_table *table : tables) {
                std::vector<unsigned char> out(512 * size_of(to));
                table->cast[from][to](512, out.data(), in.data());
                for (int i = 0; i < 512; i++) {
                    const Value v = load(to, &want[i * size_of(to)]);
                    const bool same = std::memcmp(&out[i * size_of(to)], &want[i * size_of(to)], size_of(to)) == 0;
                    ASSERT_TRUE(same || ((std::isnan(v.re) || std::isnan(v.im)) && !is_half(from) && !is_half(to)))
                        << table->name << " from " << from << " to " << to << " element " << i << " value " << v.re;
                }
            }
        }
}

TEST(Cast, AllSixteenBitFloatsComeBackFromFloat32) {
    for (const wf_kernel_table *table : all_tables())
        for (int d : {WEFT_FLOAT16, WEFT_BFLOAT16})
            for (int start = 0; start < 65536; start += 512) {
                uint16_t in[512], back[512];
                float wide[512];
                for (int i = 0; i < 512; i++) in[i] = static_cast<uint16_t>(start + i);
                table->cast[d][WEFT_FLOAT32](512, wide, in);
                table->cast[WEFT_FLOAT32][d](512, back, wide);
                for (int i = 0; i < 512; i++) {
                    const real want = half_value(in[i], d);
                    if (std::isnan(want)) {
                        ASSERT_TRUE(std::isnan(wide[i]));
                        // Quiet, sign and payload kept.
                        ASSERT_EQ(back[i], in[i] | (d == WEFT_FLOAT16 ? 0x200 : 0x40)) << in[i];
                    } else {
                        ASSERT_EQ(wide[i], want);
                        ASSERT_EQ(back[i], in[i]);
                    }
                }
            }
}

// Every float16, the halfway points and their neighbours.
TEST(Cast, RoundsFloat32ToNearestEvenAtEveryHalfwayPoint) {
    for (const wf_kernel_table *table : all_tables())
        for (int d : {WEFT_FLOAT16, WEFT_BFLOAT16}) {
            std::vector<float> in;
            for (int h = 0; h < (d == WEFT_FLOAT16 ? 0x7c00 : 0x7f80); h += d == WEFT_FLOAT16 ? 3 : 7) {
                const float low = static_cast<float>(half_value(static_cast<uint16_t>(h), d));
                const real next = h == 0x7bff || h == 0x7f7f ? 2 * low : half_value(static_cast<uint16_t>(h + 1), d);
                const float middle = static_cast<float>((low + next) / 2);
                for (float x : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, INFINITY), -middle}) in.push_back(x);
            }
            in.resize(in.size() / 512 * 512);
            std::vector<uint16_t> out(in.size());
            std::vector<float> rounded(in.size());
            for (size_t i = 0; i < in.size(); i += 512) {
                table->cast[WEFT_FLOAT32][d](512, &out[i], &in[i]);
                table->round16[d](512, &rounded[i], &in[i]);
            }
            for (size_t i = 0; i < in.size(); i++) {
                ASSERT_EQ(out[i], nearest_half(in[i], d)) << table->name << " " << in[i];
                ASSERT_EQ(rounded[i], static_cast<float>(half_value(out[i], d)));
            }
        }
}

TEST(Cast, RoundsInPlace) {
    for (const wf_kernel_table *table : all_tables())
        for (int64_t n : odd_lengths()) {
            std::vector<float> x(n + 1, 1.0009766f);
            table->round16[WEFT_BFLOAT16](n, x.data(), x.data());
            for (int64_t i = 0; i < n; i++) ASSERT_EQ(x[i], 1.0f);
            ASSERT_EQ(x[n], 1.0009766f);
        }
}

}  // namespace
