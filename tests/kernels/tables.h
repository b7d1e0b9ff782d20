// SPDX-License-Identifier: Apache-2.0
// tables - what the kernel tests share: the tables of this machine, element types by dtype, reproducible noise.
#ifndef WF_TESTS_KERNELS_TABLES_H
#define WF_TESTS_KERNELS_TABLES_H

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

extern "C" {
#include "kernel.h"
}

// The table of every instruction set that this machine has, the plain one first.
inline std::vector<const wf_kernel_table *> all_tables()
{
    std::vector<const wf_kernel_table *> tables;
    for (const char *name : { "baseline", "avx2", "avx512" }) {
        const wf_kernel_table *table = wf_kernels(name);
        if (tables.empty() || tables.back() != table) tables.push_back(table);
    }
    return tables;
}

inline const char *op_name(int op)
{
    static const char *const names[] = {
#define WEFT_OP(NAME, name, arity, types, cost, doc) #name,
#include "weft/op.def"
    };
    return names[op];
}

inline int op_arity(int op)
{
    static const int arities[] = {
#define WEFT_OP(NAME, name, arity, types, cost, doc) arity,
#include "weft/op.def"
    };
    return arities[op];
}

// The lengths at which strips go wrong: around vectors, lanes and the whole strip.
inline const std::vector<int64_t> &odd_lengths()
{
    static const std::vector<int64_t> lengths = { 0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 511, 512 };
    return lengths;
}

// A small generator of our own, so that every library gives the same numbers.
struct Noise {
    uint64_t state = 88172645463325252u;
    uint64_t bits()
    {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
    double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    double between(double low, double high) { return low + unit() * (high - low); }
};

template <class T> T value_of_bits(uint64_t bits)
{
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T> bool same_bits(T a, T b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// How many units in the last place of T lie between GOT and the exact WANT. Equal infinities and two NaN are 0 apart.
template <class T> double ulps(T got, long double want)
{
    const T near = static_cast<T>(want);
    if (std::isnan(got) && std::isnan(near)) return 0;
    if (got == near) return 0;
    if (std::isnan(got) || std::isnan(near) || std::isinf(got) || std::isinf(near)) return 1e30;
    int exponent;
    std::frexp(want, &exponent);
    const int smallest = std::numeric_limits<T>::min_exponent;
    if (exponent < smallest) exponent = smallest;
    return static_cast<double>(std::fabs(got - want) /
                               std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits));
}

#endif
