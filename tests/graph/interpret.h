// SPDX-License-Identifier: Apache-2.0
// interpret - the meaning of an expression graph, element by element and without any cleverness: the oracle of the tests of
// constructors. It also checks, node by node, the invariants that plans rely on (graph/make.h). Values are held in double and
// int64, so it knows nothing of rounding to narrow floats.
#ifndef WF_TESTS_GRAPH_INTERPRET_H
#define WF_TESTS_GRAPH_INTERPRET_H

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <vector>

extern "C" {
#include "graph/make.h"
}

using Coord = std::vector<int64_t>;

struct Value {
    std::complex<double> c;  // floats, complex
    int64_t i = 0;           // bool, integers (uint64: its bits)
};

inline bool is_integral(weft_dtype d)
{
    char k = wf_dtype_kind(d);
    return k == 'b' || k == 'i' || k == 'u';
}

inline std::complex<double> as_complex(const Value &v, weft_dtype d)
{
    if (!is_integral(d)) return v.c;
    return wf_dtype_kind(d) == 'u' ? static_cast<double>(static_cast<uint64_t>(v.i))
                                   : static_cast<double>(v.i);
}

inline int64_t wrap(int64_t i, weft_dtype d)
{
    switch (d) {
    case WEFT_INT8: return static_cast<int8_t>(i);
    case WEFT_INT16: return static_cast<int16_t>(i);
    case WEFT_INT32: return static_cast<int32_t>(i);
    case WEFT_UINT8: return static_cast<uint8_t>(i);
    case WEFT_UINT16: return static_cast<uint16_t>(i);
    case WEFT_UINT32: return static_cast<uint32_t>(i);
    default: return i;
    }
}

inline Value convert(const Value &v, weft_dtype from, weft_dtype to)
{
    std::complex<double> c = as_complex(v, from);
    if (to == WEFT_BOOL) return { {}, c != 0.0 };
    if (is_integral(to))
        return { {}, wrap(is_integral(from) ? v.i : static_cast<int64_t>(c.real()), to) };
    return { wf_dtype_kind(to) == 'c' ? c : std::complex<double>(c.real()), 0 };
}

// A leaf's data, found through its object.
struct LeafData {
    std::vector<Value> values;
};

class Interpreter {
  public:
    Value at(const wf_node *n, const Coord &at)
    {
        check_inside(n, at);
        switch (n->kind) {
        case WF_NODE_SCALAR: return scalar(n);
        case WF_NODE_LEAF:
            return static_cast<const LeafData *>(n->object->data)->values[linear(n, at)];
        case WF_NODE_COUNTER: return { {}, counter(n, at) };
        case WF_NODE_RANDOM:
            return convert({ {}, static_cast<int64_t>(linear(n, at)) }, WEFT_INT64, dtype(n));
        case WF_NODE_MAP: return map(n, at);
        case WF_NODE_CAST: return convert(this->at(n->in[0], at), dtype(n->in[0]), dtype(n));
        case WF_NODE_VIEW: return this->at(n->in[0], through(*n->map, at));
        case WF_NODE_PARTS: return parts(n, at);
        case WF_NODE_RECHUNK: return this->at(n->in[0], at);
        case WF_NODE_FIELD: return field(n->in[0], at)[n->field];
        case WF_NODE_SCAN: return scan(n, at);
        case WF_NODE_CONTRACT: return contract(n, at);
        case WF_NODE_RESHAPE: return this->at(n->in[0], unravel(n->in[0], linear(n, at)));
        case WF_NODE_TAKE: return take(n, at);
        case WF_NODE_COMPACT: return compact(n, at);
        case WF_NODE_GROUP: return group(n, at);
        case WF_NODE_BINCOUNT: return bincount(n, at);
        default:
            ADD_FAILURE() << "a " << wf_node_kind_name(static_cast<wf_node_kind>(n->kind));
            return {};
        }
    }

    std::vector<Value> all(const wf_node *n)
    {
        std::vector<Value> values;
        for (int64_t i = 0; i < wf_shape_size(&n->shape); i++)
            values.push_back(at(n, unravel(n, i)));
        return values;
    }

    static weft_dtype dtype(const wf_node *n) { return static_cast<weft_dtype>(n->dtype); }

  private:
    std::map<std::pair<const wf_node *, Coord>, std::vector<Value>> partial;  // of REDUCE nodes

    static void check_inside(const wf_node *n, const Coord &at)
    {
        ASSERT_EQ(static_cast<int>(at.size()), n->shape.ndim)
            << wf_node_kind_name(static_cast<wf_node_kind>(n->kind));
        for (size_t i = 0; i < at.size(); i++) {
            ASSERT_GE(at[i], 0);
            ASSERT_LT(at[i], n->shape.dim[i])
                << wf_node_kind_name(static_cast<wf_node_kind>(n->kind));
        }
    }

    static size_t linear(const wf_node *n, const Coord &at)
    {
        int64_t i = 0;
        for (size_t a = 0; a < at.size(); a++) i = i * n->shape.dim[a] + at[a];
        return static_cast<size_t>(i);
    }

    static Coord unravel(const wf_node *n, int64_t i)
    {
        Coord at(static_cast<size_t>(n->shape.ndim));
        for (int a = n->shape.ndim - 1; a >= 0; a--) {
            at[a] = i % n->shape.dim[a];
            i /= n->shape.dim[a];
        }
        return at;
    }

    static Coord through(const wf_map &m, const Coord &at)
    {
        Coord from(static_cast<size_t>(m.ndim));
        for (int i = 0; i < m.ndim; i++)
            from[i] = m.start[i] + (m.axis[i] < 0 ? 0 : m.step[i] * at[m.axis[i]]);
        return from;
    }

    static Value scalar(const wf_node *n)
    {
        switch (wf_dtype_kind(dtype(n))) {
        case 'b': return { {}, n->scalar.b };
        case 'i': return { {}, n->scalar.i };
        case 'u': return { {}, static_cast<int64_t>(n->scalar.u) };
        case 'f':
            return { n->dtype == WEFT_FLOAT64 ? n->scalar.f64 : static_cast<double>(n->scalar.f32),
                     0 };
        default:
            if (n->dtype == WEFT_COMPLEX64) return { { n->scalar.c64[0], n->scalar.c64[1] }, 0 };
            return { { n->scalar.c128[0], n->scalar.c128[1] }, 0 };
        }
    }

    static int64_t counter(const wf_node *n, const Coord &at)
    {
        int64_t v = n->scalar.i;
        for (size_t a = 0; a < at.size(); a++) v += at[a] * n->stride[a];
        return v;
    }

    Value map(const wf_node *n, const Coord &at)
    {
        Value v[3];
        for (int i = 0; i < n->nin; i++)
            v[i] = this->at(n->in[i], n->in[i]->kind == WF_NODE_SCALAR ? Coord{} : at);
        weft_dtype d = dtype(n->in[n->nin - 1]);
        return is_integral(d) ? integers(n, v, d) : floats(n, v);
    }

    static Value integers(const wf_node *n, const Value *v, weft_dtype d)
    {
        int64_t a = v[0].i, b = v[1].i;
        bool truth = d == WEFT_BOOL;
        switch (n->op) {
        case WF_OP_ADD: return { {}, truth ? (a | b) : wrap(a + b, d) };
        case WF_OP_SUBTRACT: return { {}, wrap(a - b, d) };
        case WF_OP_MULTIPLY: return { {}, truth ? (a & b) : wrap(a * b, d) };
        case WF_OP_SQUARE: return { {}, wrap(a * a, d) };
        case WF_OP_REMAINDER: return { {}, b ? ((a % b) + b) % b : 0 };
        case WF_OP_MAXIMUM: return { {}, a > b ? a : b };
        case WF_OP_MINIMUM: return { {}, a < b ? a : b };
        case WF_OP_EQUAL: return { {}, a == b };
        case WF_OP_NOT_EQUAL: return { {}, a != b };
        case WF_OP_LESS: return { {}, a < b };
        case WF_OP_LOGICAL_AND: return { {}, a && b };
        case WF_OP_LOGICAL_OR: return { {}, a || b };
        case WF_OP_LOGICAL_NOT: return { {}, !a };
        case WF_OP_WHERE: return a ? v[1] : v[2];
        default: ADD_FAILURE() << "integer " << wf_op_name(static_cast<wf_op>(n->op)); return {};
        }
    }

    static Value floats(const wf_node *n, const Value *v)
    {
        std::complex<double> a = v[0].c, b = v[1].c;
        double x = a.real(), y = b.real();
        bool nan = std::isnan(x) || std::isnan(y) || std::isnan(a.imag());
        switch (n->op) {
        case WF_OP_ADD: return { a + b, 0 };
        case WF_OP_SUBTRACT: return { a - b, 0 };
        case WF_OP_MULTIPLY: return { a.imag() == 0 && b.imag() == 0 ? x * y : a * b, 0 };
        case WF_OP_DIVIDE: return { b.imag() == 0 ? (a.imag() == 0 ? x / y : a / y) : a / b, 0 };
        case WF_OP_POW: return { std::pow(x, y), 0 };
        case WF_OP_SQUARE: return { a * a, 0 };
        case WF_OP_SQRT: return { std::sqrt(x), 0 };
        case WF_OP_ABS: return { std::abs(a), 0 };
        case WF_OP_CONJ: return { std::conj(a), 0 };
        case WF_OP_REAL: return { x, 0 };
        case WF_OP_IMAG: return { a.imag(), 0 };
        case WF_OP_FLOOR: return { std::floor(x), 0 };
        case WF_OP_MAXIMUM: return { nan ? std::nan("") : std::max(x, y), 0 };
        case WF_OP_MINIMUM: return { nan ? std::nan("") : std::min(x, y), 0 };
        case WF_OP_ISNAN: return { {}, nan };
        case WF_OP_ISFINITE: return { {}, std::isfinite(x) && std::isfinite(a.imag()) };
        case WF_OP_EQUAL: return { {}, a == b };
        case WF_OP_LESS: return { {}, x < y };
        case WF_OP_LESS_EQUAL: return { {}, x <= y };
        case WF_OP_GREATER: return { {}, x > y };
        case WF_OP_WHERE: return v[0].i ? v[1] : v[2];
        default: ADD_FAILURE() << "float " << wf_op_name(static_cast<wf_op>(n->op)); return {};
        }
    }

    Value parts(const wf_node *n, const Coord &at)
    {
        for (int p = 0; p < n->npart; p++) {
            const wf_box &box = n->part[p].box;
            bool inside = true;
            for (int a = 0; a < box.ndim; a++)
                inside &= at[a] >= box.start[a] && at[a] < box.start[a] + box.count[a];
            if (!inside) continue;
            if (n->part[p].operand < 0) return this->at(n->in[n->nin - 1], {});
            return this->at(n->in[n->part[p].operand], through(n->part[p].map, at));
        }
        ADD_FAILURE() << "parts do not cover the node";
        return {};
    }

    // Coordinates of a cell's elements in C order.
    static std::vector<Coord> cell(const wf_node *n, const Coord &at)
    {
        std::vector<Coord> found = { {} };
        for (int a = 0; a < n->shape.ndim; a++) {
            std::vector<Coord> longer;
            int64_t from = at[a] * n->cell[a],
                    to = std::min(from + n->cell[a], n->in[0]->shape.dim[a]);
            for (const Coord &c : found)
                for (int64_t i = from; i < to; i++) {
                    longer.push_back(c);
                    longer.back().push_back(i);
                }
            found = longer;
        }
        return found;
    }

    static int64_t position(const wf_node *n,
                            const Coord &at)  // among the reduced elements of level 0
    {
        int64_t p = 0;
        for (int a = 0; a < n->shape.ndim; a++)
            if (reduces(n, a)) p = p * n->in[0]->shape.dim[a] + at[a];
        return p;
    }

    // cell 1 on an axis that a later level reduces cannot be told from a kept axis here: tests of positions stay below that.
    static bool reduces(const wf_node *n, int a) { return n->cell[a] > 1; }

    std::vector<Value> field(const wf_node *n, const Coord &at)
    {
        auto key = std::make_pair(n, at);
        auto found = partial.find(key);
        if (found != partial.end()) return found->second;
        std::vector<Value> acc;
        for (const Coord &c : cell(n, at)) {
            std::vector<Value> one;
            if (n->nin == 1)
                one = single(n, convert(this->at(n->in[0], c), dtype(n->in[0]), dtype(n)),
                             position(n, c));
            else
                for (int f = 0; f < n->nin; f++) one.push_back(this->at(n->in[f], c));
            acc = acc.empty() ? one : combine(n, acc, one);
        }
        return partial[key] = acc;
    }

    static std::vector<Value> single(const wf_node *n, Value v, int64_t position)
    {
        bool nothing = (n->op == WF_REDUCE_NANARGMIN || n->op == WF_REDUCE_NANARGMAX) &&
                       std::isnan(v.c.real());
        if (n->op >= WF_REDUCE_ARGMIN && n->op <= WF_REDUCE_NANARGMAX)
            return { v, { {}, nothing ? -1 : position } };
        if (n->op == WF_REDUCE_MOMENTS) return { { 1.0, 0 }, v, { 0.0, 0 } };
        if (n->op == WF_REDUCE_NANMOMENTS)
            return { { std::isnan(v.c.real()) ? 0.0 : 1.0, 0 }, v, { 0.0, 0 } };
        return { v };
    }

    static std::vector<Value> combine(const wf_node *n, std::vector<Value> a,
                                      const std::vector<Value> &b)
    {
        weft_dtype d = dtype(n);
        bool ints = is_integral(d);
        double x = as_complex(a[0], d).real(), y = as_complex(b[0], d).real();
        bool skip = n->op >= WF_REDUCE_NANARGMIN;
        switch (n->op) {
        case WF_REDUCE_SUM:
            return { { a[0].c + b[0].c,
                       d == WEFT_BOOL ? (a[0].i | b[0].i) : wrap(a[0].i + b[0].i, d) } };
        case WF_REDUCE_PROD: return { { a[0].c * b[0].c, wrap(a[0].i * b[0].i, d) } };
        case WF_REDUCE_ANY: return { { {}, a[0].i | b[0].i } };
        case WF_REDUCE_ALL: return { { {}, a[0].i & b[0].i } };
        case WF_REDUCE_MIN:
            return !ints && std::isnan(x) ? a : (y < x || (!ints && std::isnan(y))) ? b : a;
        case WF_REDUCE_MAX:
            return !ints && std::isnan(x) ? a : (y > x || (!ints && std::isnan(y))) ? b : a;
        case WF_REDUCE_FMIN: return std::isnan(x) ? b : y < x ? b : a;
        case WF_REDUCE_FMAX: return std::isnan(x) ? b : y > x ? b : a;
        case WF_REDUCE_ARGMIN:
        case WF_REDUCE_NANARGMIN:
            if (std::isnan(x)) return skip ? b : a;
            return y < x || (std::isnan(y) && !skip) ? b : a;
        case WF_REDUCE_ARGMAX:
        case WF_REDUCE_NANARGMAX:
            if (std::isnan(x)) return skip ? b : a;
            return y > x || (std::isnan(y) && !skip) ? b : a;
        default: return moments(a, b);
        }
    }

    static std::vector<Value> moments(const std::vector<Value> &a, const std::vector<Value> &b)
    {
        double na = a[0].c.real(), nb = b[0].c.real(), m = na + nb;
        if (nb == 0) return a;
        if (na == 0) return b;
        std::complex<double> d = b[1].c - a[1].c;
        return { { m, 0 },
                 { a[1].c + d * (nb / m), 0 },
                 { a[2].c + b[2].c + std::norm(d) * na * nb / m, 0 } };
    }

    Value scan(const wf_node *n, Coord at)
    {
        int64_t last = at[n->axis];
        Value acc = { n->op == WF_SCAN_PROD ? 1.0 : 0.0, n->op == WF_SCAN_PROD };
        for (at[n->axis] = 0; at[n->axis] <= last; at[n->axis]++) {
            Value v = this->at(n->in[0], at);
            if (n->op == WF_SCAN_PROD) acc = { acc.c * v.c, acc.i * v.i };
            else acc = { acc.c + v.c, acc.i + v.i };
        }
        return acc;
    }

    Value contract(const wf_node *n, const Coord &at)
    {
        size_t nd = at.size();
        Value acc;
        Coord a = at, b = at;
        for (int64_t k = 0; k < n->in[0]->shape.dim[nd - 1]; k++) {
            a[nd - 1] = b[nd - 2] = k;
            Value x = this->at(n->in[0], a), y = this->at(n->in[1], b);
            if (n->dtype == WEFT_BOOL) acc.i |= x.i & y.i;
            else acc = { acc.c + x.c * y.c, wrap(acc.i + x.i * y.i, dtype(n)) };
        }
        return acc;
    }

    Value take(const wf_node *n, Coord at)
    {
        at[n->axis] = n->list->item[at[n->axis]];
        return this->at(n->in[0], at);
    }

    Value compact(const wf_node *n, const Coord &at)
    {
        int64_t seen = 0;
        for (int64_t i = 0; i < n->in[0]->shape.dim[0]; i++)
            if (this->at(n->in[1], { i }).i && seen++ == at[0]) return this->at(n->in[0], { i });
        ADD_FAILURE() << "fewer true elements than counted";
        return {};
    }

    Value group(const wf_node *n, Coord at)
    {
        int64_t label = at[n->axis];
        Value acc;
        for (int64_t i = 0; i < n->list->count; i++) {
            if (n->list->item[i] != label) continue;
            at[n->axis] = i;
            Value v = this->at(n->in[0], at);
            acc = { acc.c + v.c, acc.i + v.i };
        }
        return acc;
    }

    Value bincount(const wf_node *n, const Coord &at)
    {
        int64_t from = at[0] * n->cell[0], to = std::min(from + n->cell[0], n->in[0]->shape.dim[0]);
        Value acc;
        for (int64_t i = from; i < to; i++) {
            if (this->at(n->in[0], { i }).i != at[1]) continue;
            if (n->nin == 1) acc.i++;
            else acc.c += this->at(n->in[1], { i }).c;
        }
        return acc;
    }
};

// The invariants of graph/make.h, for N and all below it.
class Checker {
  public:
    void check(const wf_node *n)
    {
        if (!seen.insert(n).second) return;
        for (int i = 0; i < n->nin; i++) check(n->in[i]);
        SCOPED_TRACE(wf_node_kind_name(static_cast<wf_node_kind>(n->kind)));
        EXPECT_GE(n->refs, 1);
        switch (n->kind) {
        case WF_NODE_MAP: return map(n);
        case WF_NODE_CAST: EXPECT_TRUE(same_shape(n, n->in[0])); return;
        case WF_NODE_VIEW: return view(n);
        case WF_NODE_PARTS: return parts(n);
        case WF_NODE_REDUCE: return reduce(n);
        case WF_NODE_FIELD:
            EXPECT_EQ(n->in[0]->kind, WF_NODE_REDUCE);
            EXPECT_LT(n->field, n->in[0]->field);
            return;
        case WF_NODE_SCAN:
            EXPECT_EQ(n->dtype, n->in[0]->dtype);
            EXPECT_FALSE(is_half(n));
            return;
        case WF_NODE_CONTRACT: return contract(n);
        case WF_NODE_RESHAPE:
            EXPECT_EQ(wf_shape_size(&n->shape), wf_shape_size(&n->in[0]->shape));
            return;
        case WF_NODE_GROUP:
            EXPECT_EQ(n->dtype, n->in[0]->dtype);
            EXPECT_FALSE(is_half(n));
            return;
        default: return;
        }
    }

  private:
    std::set<const wf_node *> seen;

    static bool same_shape(const wf_node *a, const wf_node *b)
    {
        return wf_shape_equal(&a->shape, &b->shape);
    }
    static bool is_half(const wf_node *n)
    {
        return wf_dtype_is_half(static_cast<weft_dtype>(n->dtype));
    }

    static void map(const wf_node *n)
    {
        int first = n->op == WF_OP_WHERE;
        if (first) {
            EXPECT_EQ(n->in[0]->dtype, WEFT_BOOL);
        }
        for (int i = 0; i < n->nin; i++) {
            EXPECT_TRUE(n->in[i]->kind == WF_NODE_SCALAR || same_shape(n, n->in[i]));
            if (i >= first) {
                EXPECT_EQ(n->in[i]->dtype, n->in[n->nin - 1]->dtype);
            }
        }
        weft_dtype in[3], compute, result;
        for (int i = 0; i < n->nin; i++) in[i] = static_cast<weft_dtype>(n->in[i]->dtype);
        ASSERT_EQ(wf_op_types(static_cast<wf_op>(n->op), in, &compute, &result), WEFT_OK);
        EXPECT_EQ(compute, in[n->nin - 1]) << wf_op_name(static_cast<wf_op>(n->op));
        EXPECT_EQ(result, n->dtype) << wf_op_name(static_cast<wf_op>(n->op));
    }

    static void inside(const wf_node *from, const wf_map &m, const wf_box &box)
    {
        wf_box image;
        ASSERT_EQ(m.ndim, from->shape.ndim);
        wf_map_image(&m, &box, &image);
        for (int i = 0; i < m.ndim && wf_box_size(&box) > 0; i++) {
            EXPECT_GE(image.start[i], 0);
            EXPECT_LE(image.start[i] + image.count[i], from->shape.dim[i]);
        }
        for (int i = 0; i < m.ndim; i++)
            for (int j = 0; j < i; j++) EXPECT_TRUE(m.axis[i] < 0 || m.axis[i] != m.axis[j]);
        for (int i = m.ndim; i < WEFT_MAX_NDIM; i++)
            EXPECT_EQ(m.axis[i] | m.start[i] | m.step[i], 0);
    }

    static void view(const wf_node *n)
    {
        EXPECT_EQ(n->dtype, n->in[0]->dtype);
        EXPECT_NE(n->in[0]->kind, WF_NODE_VIEW);
        EXPECT_FALSE(same_shape(n, n->in[0]) && wf_map_is_identity(n->map, n->shape.ndim));
        wf_box whole = wf_box_whole(&n->shape);
        inside(n->in[0], *n->map, whole);
    }

    static void parts(const wf_node *n)
    {
        wf_box whole = wf_box_whole(&n->shape);
        ASSERT_GT(n->npart, 0);
        for (int p = 0; p < n->npart; p++) {
            EXPECT_TRUE(wf_box_contains(&whole, &n->part[p].box));
            EXPECT_GT(wf_box_size(&n->part[p].box), 0);
            if (n->part[p].operand < 0) {
                EXPECT_EQ(n->in[n->nin - 1]->kind, WF_NODE_SCALAR);
                continue;
            }
            const wf_node *in = n->in[n->part[p].operand];
            EXPECT_EQ(in->dtype, n->dtype);
            inside(in, n->part[p].map, n->part[p].box);
        }
    }

    static void reduce(const wf_node *n)
    {
        const wf_shape &s = n->in[0]->shape;
        bool any = false;
        EXPECT_FALSE(is_half(n));
        EXPECT_TRUE(n->nin == 1 || n->nin == n->field);
        for (int a = 0; a < s.ndim; a++) {
            EXPECT_GE(n->cell[a], 1);
            EXPECT_LE(n->cell[a], s.dim[a]);
            EXPECT_EQ(n->shape.dim[a], (s.dim[a] + n->cell[a] - 1) / n->cell[a]);
            any |= n->cell[a] > 1;
        }
        EXPECT_TRUE(any);
    }

    static void contract(const wf_node *n)
    {
        const wf_shape &a = n->in[0]->shape, &b = n->in[1]->shape;
        int nd = n->shape.ndim;
        EXPECT_FALSE(is_half(n));
        EXPECT_EQ(n->in[0]->dtype, n->dtype);
        EXPECT_EQ(n->in[1]->dtype, n->dtype);
        ASSERT_EQ(a.ndim, nd);
        ASSERT_EQ(b.ndim, nd);
        for (int i = 0; i < nd - 2; i++)
            EXPECT_TRUE(a.dim[i] == n->shape.dim[i] && b.dim[i] == n->shape.dim[i]);
        EXPECT_EQ(a.dim[nd - 2], n->shape.dim[nd - 2]);
        EXPECT_EQ(b.dim[nd - 1], n->shape.dim[nd - 1]);
        EXPECT_EQ(a.dim[nd - 1], b.dim[nd - 2]);
        EXPECT_GT(a.dim[nd - 1], 0);
    }
};

// A node that releases itself; every graph that a test makes is checked when it is taken.
struct Releaser {
    void operator()(wf_node *n) const { wf_node_release(n); }
};
using Node = std::unique_ptr<wf_node, Releaser>;

inline void free_leaf(void *data) { delete static_cast<LeafData *>(data); }

inline wf_shape shape_of(const std::vector<int64_t> &dims)
{
    wf_shape s = {};
    s.ndim = static_cast<int>(dims.size());
    for (size_t i = 0; i < dims.size(); i++) s.dim[i] = dims[i];
    return s;
}

// An array of data; VALUES are converted to DTYPE. Without values: 1, 2, 3, ...
inline Node leaf(weft_dtype dtype, const std::vector<int64_t> &dims,
                 std::vector<std::complex<double>> values = {})
{
    auto *data = new LeafData;
    wf_shape shape = shape_of(dims);
    int64_t n = wf_shape_size(&shape);
    for (int64_t i = 0; i < n; i++) {
        std::complex<double> c = values.empty() ? std::complex<double>(static_cast<double>(i + 1))
                                                : values[static_cast<size_t>(i)];
        data->values.push_back(convert({ c, 0 }, WEFT_COMPLEX128, dtype));
    }
    wf_node *node;
    EXPECT_EQ(wf_node_create(WF_NODE_LEAF, dtype, &shape, 0, nullptr, &node), WEFT_OK);
    EXPECT_EQ(wf_object_create(WF_OBJECT_MEMORY, data, free_leaf, 0, &node->object), WEFT_OK);
    return Node(node);
}

inline Node num(double v)
{
    wf_scalar s = {};
    wf_node *n = nullptr;
    s.f64 = v;
    EXPECT_EQ(wf_make_scalar(WEFT_FLOAT64, &s, true, &n), WEFT_OK);
    return Node(n);
}

inline Node num_int(int64_t v)
{
    wf_scalar s = {};
    wf_node *n = nullptr;
    s.i = v;
    EXPECT_EQ(wf_make_scalar(WEFT_INT64, &s, true, &n), WEFT_OK);
    return Node(n);
}

inline Node num_complex(double re, double im)
{
    wf_scalar s = {};
    wf_node *n = nullptr;
    s.c128[0] = re;
    s.c128[1] = im;
    EXPECT_EQ(wf_make_scalar(WEFT_COMPLEX128, &s, true, &n), WEFT_OK);
    return Node(n);
}

// What a constructor made: EXPECTs that it worked and that the graph keeps the invariants.
// made([&](wf_node **out) { return wf_make_...(..., out); })
template <class Make> Node made(Make make)
{
    wf_node *n = nullptr;
    EXPECT_EQ(make(&n), WEFT_OK) << wf_last_error();
    if (n) Checker().check(n);
    return Node(n);
}

template <class Make> void refused(weft_status status, const char *text, Make make)
{
    wf_node *n = nullptr;
    EXPECT_EQ(make(&n), status);
    EXPECT_STREQ(wf_last_error(), text);
    EXPECT_EQ(n, nullptr);
    wf_node_release(n);
}

inline Node op(wf_op o, const Node &a)
{
    wf_node *in[] = { a.get() };
    return made([&](wf_node **out) { return wf_make_map(o, in, out); });
}

inline Node op(wf_op o, const Node &a, const Node &b)
{
    wf_node *in[] = { a.get(), b.get() };
    return made([&](wf_node **out) { return wf_make_map(o, in, out); });
}

inline std::vector<int64_t> dims(const Node &n)
{
    return { n->shape.dim, n->shape.dim + n->shape.ndim };
}

inline std::vector<double> reals(const Node &n)
{
    std::vector<double> r;
    Interpreter interpreter;
    for (const Value &v : interpreter.all(n.get()))
        r.push_back(as_complex(v, static_cast<weft_dtype>(n->dtype)).real());
    return r;
}

inline std::vector<int64_t> ints(const Node &n)
{
    std::vector<int64_t> r;
    for (double v : reals(n)) r.push_back(static_cast<int64_t>(v));
    return r;
}

#endif
