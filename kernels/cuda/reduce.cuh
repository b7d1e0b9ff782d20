// SPDX-License-Identifier: Apache-2.0
// reduce - what the reductions at the end of a program are made of, in the canonical order of
// kernels/kernel.h, so that the bits are the CPU's. Of a row, a warp takes pieces of 512 elements,
// lane i the elements i, i + 32, ...; of columns, each is one thread's, and so is a row of at most
// 16 elements.
//
// A reducer is a structure of types and functions:
//   value    what it takes: one element, converted
//   partial  a partial result; of(fields..) makes one, join(a, b) combines two, a the earlier
//   seen     what a lane has seen of its piece, or a thread of its column. take(seen, first, k, x,
//            i) adds an element: the K-th since a piece or a group began, FIRST the very first,
//            number I of its cell
//   piece    all lanes' elements of a piece of N to one partial result, in every lane's first
//   group    columns: K elements have been taken since the last group began
//   column   the partial result of a column
//   write    stores a partial result's fields
#ifndef WF_CUDA_REDUCE_CUH
#define WF_CUDA_REDUCE_CUH

#include "complex.cuh"
#include "integer.cuh"

#define LANES 32
#define PIECE 512       // elements of a row reduced together
#define SHARE 16        // of which each lane has so many
#define MOMENT_ROWS 32  // elements of a column whose moments are taken together

// --- values from other lanes ---

template <class T> WF_DEVICE T from_lane_after(T x, int by)
{
    if constexpr (type<T>::kind == 'c')
        return make_complex(from_lane_after(x.re, by), from_lane_after(x.im, by));
    else if constexpr (sizeof(T) < 4) return (T)__shfl_down_sync(WF_FULL_WARP, (int)x, by);
    else return __shfl_down_sync(WF_FULL_WARP, x, by);
}
template <class T> WF_DEVICE T from_lane(T x, int lane)
{
    if constexpr (type<T>::kind == 'c')
        return make_complex(from_lane(x.re, lane), from_lane(x.im, lane));
    else if constexpr (sizeof(T) < 4) return (T)__shfl_sync(WF_FULL_WARP, (int)x, lane);
    else return __shfl_sync(WF_FULL_WARP, x, lane);
}

// A NaN in a result is always the same one.
template <class T> WF_DEVICE T final_of(T x)
{
    if constexpr (type<T>::kind == 'c') return make_complex(final_of(x.re), final_of(x.im));
    else if constexpr (type<T>::kind == 'f') return x == x ? x : float_nan<T>();
    else return x;
}

template <class T> WF_DEVICE b8 has_nan(T x)
{
    if constexpr (type<T>::kind == 'c') return x.re != x.re || x.im != x.im;
    else if constexpr (type<T>::kind == 'f') return x != x;
    else return false;
}

// --- how two values are joined, the earlier first ---

template <class T> WF_DEVICE T plus(T a, T b)
{
    if constexpr (type<T>::kind == 'c') return complex_add(a, b);
    else if constexpr (type<T>::kind == 'f') return a + b;
    else if constexpr (type<T>::kind == 'b') return a | b;
    else return int_add(a, b);
}

struct by_sum {
    template <class T> WF_DEVICE T join(T a, T b) { return plus(a, b); }
};
struct by_prod {
    template <class T> WF_DEVICE T join(T a, T b)
    {
        if constexpr (type<T>::kind == 'c') return complex_multiply(a, b);
        else if constexpr (type<T>::kind == 'f') return a * b;
        else if constexpr (type<T>::kind == 'b') return a & b;
        else return int_multiply(a, b);
    }
};
struct by_min {
    template <class T> WF_DEVICE T join(T a, T b) { return a <= b || has_nan(a) ? a : b; }
};
struct by_max {
    template <class T> WF_DEVICE T join(T a, T b) { return a >= b || has_nan(a) ? a : b; }
};
struct by_fmin {
    template <class T> WF_DEVICE T join(T a, T b) { return a <= b || has_nan(b) ? a : b; }
};
struct by_fmax {
    template <class T> WF_DEVICE T join(T a, T b) { return a >= b || has_nan(b) ? a : b; }
};

// --- the trees ---

// Lanes of one piece: 0 + 16, 1 + 17, .. then + 8, + 4, + 2, + 1. N lanes have something.
template <class R, class P> WF_DEVICE P lanes_joined(P p, int n, int lane)
{
#pragma unroll
    for (int half = LANES / 2; half > 0; half /= 2) {
        const P other = R::after(p, half);
        if (lane + half < n) p = R::join(p, other);
    }
    return p;
}

// The same tree over the N elements of a short row, in X[0]: all of them are one thread's.
template <class R, class P, int HELD> WF_DEVICE P elements_joined(P (&x)[HELD], int n)
{
#pragma unroll
    for (int half = HELD / 2; half > 0; half /= 2)
#pragma unroll
        for (int l = 0; l < half; l++)
            if (l + half < n) x[l] = R::join(x[l], x[l + half]);
    return x[0];
}

// Pieces in order, one in each of N lanes: neighbours first.
template <class R, class P> WF_DEVICE P pieces_joined(P p, int n, int lane)
{
#pragma unroll
    for (int half = 1; half < LANES; half *= 2) {
        const P other = R::after(p, half);
        if (lane + half < n) p = R::join(p, other);
    }
    return p;
}

// What a warp has of a row: its pieces' results are kept in one lane each and joined by 32, and
// what these give again.
template <class R> struct row {
    typename R::partial last, kept, chunk;
};
template <class R, class P>
WF_DEVICE void add_piece(row<R> &r, const P &p, int piece, int pieces, int lane)
{
    r.last = p;
    if (pieces == 1) return;
    const P of_piece = R::from(p, 0);
    if (lane == piece % LANES) r.kept = of_piece;
    if (piece % LANES != LANES - 1 && piece + 1 != pieces) return;
    r.last = pieces_joined<R>(r.kept, piece % LANES + 1, lane);
    const P of_chunk = R::from(r.last, 0);
    if (lane == piece / LANES) r.chunk = of_chunk;
}
// Chunk NUMBER: HELD pieces whose results are PART. Called by one warp.
template <class R, class P>
WF_DEVICE void add_chunk(row<R> &r, const P *part, int held, int number, int lane)
{
    r.last = pieces_joined<R>(part[lane < held ? lane : 0], held, lane);
    const P of_chunk = R::from(r.last, 0);
    if (lane == number) r.chunk = of_chunk;
}
// In lane 0.
template <class R> WF_DEVICE typename R::partial row_joined(const row<R> &r, int pieces, int lane)
{
    if (pieces <= LANES) return r.last;
    return pieces_joined<R>(r.chunk, (pieces + LANES - 1) / LANES, lane);
}

// P, then the partial results of N lanes one after another. FIRST: there is no P yet.
template <class R, class P> WF_DEVICE P joined_in_order(P p, const P &q, int n, b8 first)
{
#pragma unroll 8
    for (int j = 0; j < LANES; j++) {
        const P next = R::from(q, j);
        if (j < n) p = first && j == 0 ? next : R::join(p, next);
    }
    return p;
}

// --- sums, products, the smallest and largest ---

template <class T, class BY> struct simple {
    typedef T value;
    typedef T partial;
    typedef T seen;

    WF_DEVICE T of(T x) { return x; }
    WF_DEVICE T join(T a, T b) { return BY::join(a, b); }
    WF_DEVICE T after(T p, int by) { return from_lane_after(p, by); }
    WF_DEVICE T from(T p, int lane) { return from_lane(p, lane); }

    WF_DEVICE void take(T &s, b8 first, int, T x, i64) { s = first ? x : join(s, x); }
    WF_DEVICE T piece(const T &s, int n, int lane)
    {
        return lanes_joined<simple>(s, n < LANES ? n : LANES, lane);
    }
    WF_DEVICE void group(T &, int) {}
    WF_DEVICE T column(const T &s) { return s; }

    WF_DEVICE void write(T p, char *to) { *(T *)to = final_of(p); }
};

// A row of at most HELD elements.
template <class T, class BY, int HELD> struct simple_short {
    typedef T value;
    typedef T partial;
    struct seen {
        T x[HELD];
    };

    WF_DEVICE T join(T a, T b) { return BY::join(a, b); }
    WF_DEVICE void take(seen &s, b8, int k, T x, i64) { s.x[k] = x; }
    WF_DEVICE void group(seen &s, int n) { elements_joined<simple_short>(s.x, n); }
    WF_DEVICE T column(const seen &s) { return s.x[0]; }
    WF_DEVICE void write(T p, char *to) { *(T *)to = final_of(p); }
};

// --- positions of the smallest and largest; NaN wins, or is skipped ---

template <class T> struct found {
    T value;
    i64 position;  // -1: nothing yet
};

template <class T, b8 LARGEST, b8 SKIP> struct arg {
    typedef T value;
    typedef found<T> partial;
    typedef found<T> seen;

    WF_DEVICE partial of(T x, i64 position)
    {
        partial p;
        p.value = x;
        p.position = position;
        return p;
    }
    WF_DEVICE b8 before(T a, T b) { return LARGEST ? a > b : a < b; }
    // The value of the identity.
    WF_DEVICE T worst()
    {
        if constexpr (type<T>::kind == 'f')
            return LARGEST ? -float_infinity<T>() : float_infinity<T>();
        else if constexpr (type<T>::kind == 'b') return !LARGEST;
        else if constexpr (type<T>::kind == 'u') return LARGEST ? (T)0 : (T) ~(T)0;
        else {
            const T lowest = (T)((typename type<T>::bits)1 << (8 * sizeof(T) - 1));
            return LARGEST ? lowest : (T)~lowest;
        }
    }
    // Of equals the first position wins, whatever the order in which they come.
    WF_DEVICE partial join(const partial &a, const partial &b)
    {
        const b8 nan_a = has_nan(a.value), nan_b = has_nan(b.value);
        const b8 tie = (a.value == b.value || (nan_a && nan_b)) && b.position < a.position;
        const b8 better = before(b.value, a.value) || (nan_b && !nan_a) || tie;
        return b.position >= 0 && (a.position < 0 || better) ? b : a;
    }
    WF_DEVICE partial after(const partial &p, int by)
    {
        partial r;
        r.value = from_lane_after(p.value, by);
        r.position = from_lane_after(p.position, by);
        return r;
    }
    WF_DEVICE partial from(const partial &p, int lane)
    {
        partial r;
        r.value = from_lane(p.value, lane);
        r.position = from_lane(p.position, lane);
        return r;
    }

    WF_DEVICE void take(seen &s, b8 first, int, T x, i64 i)
    {
        partial p;
        const b8 skipped = SKIP && has_nan(x);
        p.value = skipped ? worst() : x;
        p.position = skipped ? -1 : i;
        s = first ? p : join(s, p);
    }
    WF_DEVICE partial piece(const seen &s, int n, int lane)
    {
        return lanes_joined<arg>(s, n < LANES ? n : LANES, lane);
    }
    WF_DEVICE void group(seen &, int) {}
    WF_DEVICE partial column(const seen &s) { return s; }

    // P's position is that of the array by now.
    WF_DEVICE void write(const partial &p, char *value, char *position)
    {
        *(T *)value = final_of(p.value);
        *(i64 *)position = p.position;
    }
};

// --- count, mean, and sum of squared distances from the mean ---

template <class T> struct moment {
    typename type<T>::part count;
    T mean;
    typename type<T>::part squares;
};

template <class T> WF_DEVICE T over(T a, typename type<T>::part n)
{
    if constexpr (type<T>::kind == 'c') return make_complex(a.re / n, a.im / n);
    else return a / n;
}
template <class T> WF_DEVICE T scaled(T a, typename type<T>::part n)
{
    if constexpr (type<T>::kind == 'c') return make_complex(a.re * n, a.im * n);
    else return a * n;
}
template <class T> WF_DEVICE T minus(T a, T b)
{
    if constexpr (type<T>::kind == 'c') return complex_subtract(a, b);
    else return a - b;
}
template <class T> WF_DEVICE typename type<T>::part squared(T a)
{
    if constexpr (type<T>::kind == 'c') return a.re * a.re + a.im * a.im;
    else return a * a;
}

// HELD: elements kept at once, SHARE of a row's piece or MOMENT_ROWS of a column; or, SHORT, all of a
// row.
template <class T, b8 SKIP, b8 SHORT, int HELD> struct moments {
    typedef typename type<T>::part R;
    typedef T value;
    typedef moment<T> partial;
    struct seen {
        T x[HELD];
        partial before;  // columns: of the groups that are complete
        b8 started;
    };

    WF_DEVICE partial of(R count, T mean, R squares)
    {
        partial p;
        p.count = count;
        p.mean = mean;
        p.squares = squares;
        return p;
    }
    // Chan, Golub and LeVeque (1979).
    WF_DEVICE partial join(const partial &a, const partial &b)
    {
        if (a.count == 0) return b;
        if (b.count == 0) return a;
        const R n = a.count + b.count, share = b.count / n;
        const T d = minus(b.mean, a.mean);
        partial p;
        p.count = n;
        p.mean = plus(a.mean, scaled(d, share));
        p.squares = (a.squares + b.squares) + squared(d) * (a.count * share);
        return p;
    }
    WF_DEVICE partial after(const partial &p, int by)
    {
        partial r;
        r.count = from_lane_after(p.count, by);
        r.mean = from_lane_after(p.mean, by);
        r.squares = from_lane_after(p.squares, by);
        return r;
    }
    WF_DEVICE partial from(const partial &p, int lane)
    {
        partial r;
        r.count = from_lane(p.count, lane);
        r.mean = from_lane(p.mean, lane);
        r.squares = from_lane(p.squares, lane);
        return r;
    }

    WF_DEVICE b8 counts(T x) { return !SKIP || !has_nan(x); }
    WF_DEVICE T kept(T x) { return counts(x) ? x : T(); }
    WF_DEVICE R distance_of(T x, T mean) { return counts(x) ? squared(minus(x, mean)) : (R)0; }

    WF_DEVICE void take(seen &s, b8 first, int k, T x, i64)
    {
        s.x[k] = x;
        if (first) s.started = false;
    }

    WF_DEVICE partial piece(const seen &s, int n, int lane)
    {
        const int lanes = n < LANES ? n : LANES;
        partial p;
        T sum = kept(s.x[0]);
        R count = counts(s.x[0]);
#pragma unroll
        for (int k = 1; k < HELD; k++)
            if (lane + k * LANES < n) {
                sum = plus(sum, kept(s.x[k]));
                count += (R)counts(s.x[k]);
            }
        sum = lanes_joined<simple<T, by_sum>>(sum, lanes, lane);
        if (SKIP) count = lanes_joined<simple<R, by_sum>>(count, lanes, lane);
        p.count = from_lane(SKIP ? count : (R)n, 0);
        p.mean = from_lane(p.count == 0 ? T() : over(sum, p.count), 0);
        R squares = distance_of(s.x[0], p.mean);
#pragma unroll
        for (int k = 1; k < HELD; k++)
            if (lane + k * LANES < n) squares += distance_of(s.x[k], p.mean);
        p.squares = lanes_joined<simple<R, by_sum>>(squares, lanes, lane);
        return p;
    }

    // Sums and squares by the tree of a short row.
    WF_DEVICE partial of_short(const seen &s, int n)
    {
        T sum[HELD];
        R squares[HELD];
        partial p;
        p.count = SKIP ? (R)0 : (R)n;
#pragma unroll
        for (int k = 0; k < HELD; k++) {
            sum[k] = kept(s.x[k]);
            if (SKIP && k < n) p.count += (R)counts(s.x[k]);
        }
        elements_joined<simple<T, by_sum>>(sum, n);
        p.mean = p.count == 0 ? T() : over(sum[0], p.count);
#pragma unroll
        for (int k = 0; k < HELD; k++) squares[k] = distance_of(s.x[k], p.mean);
        p.squares = elements_joined<simple<R, by_sum>>(squares, n);
        return p;
    }
    // The same one after another, from 0.
    WF_DEVICE partial of_column(const seen &s, int n)
    {
        partial p;
        T sum = T();
        p.count = SKIP ? (R)0 : (R)n;
        p.squares = 0;
#pragma unroll
        for (int k = 0; k < HELD; k++)
            if (k < n) {
                sum = plus(sum, kept(s.x[k]));
                if (SKIP) p.count += (R)counts(s.x[k]);
            }
        p.mean = over(sum, p.count == 0 ? (R)1 : p.count);
#pragma unroll
        for (int k = 0; k < HELD; k++)
            if (k < n) p.squares += distance_of(s.x[k], p.mean);
        return p;
    }
    WF_DEVICE void group(seen &s, int n)
    {
        const partial p = SHORT ? of_short(s, n) : of_column(s, n);
        s.before = s.started ? join(s.before, p) : p;
        s.started = true;
    }
    WF_DEVICE partial column(const seen &s) { return s.before; }

    WF_DEVICE void write(const partial &p, char *count, char *mean, char *squares)
    {
        *(R *)count = p.count;
        *(T *)mean = final_of(p.mean);
        *(R *)squares = final_of(p.squares);
    }
};

#endif
