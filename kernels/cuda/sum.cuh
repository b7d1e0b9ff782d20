// SPDX-License-Identifier: Apache-2.0
// sum - running sums and products along an axis, and sums by label. Both add in the order that kernels/kernel.h fixes: one element after
// another, so a thread walks a line; lines and columns are what runs in parallel.
// WF_T, the element type, and WF_PRODUCT (0 or 1) are defined by who includes this.
#include "kernel.cuh"

struct pair32 {
    float re, im;
};
struct pair64 {
    double re, im;
};

template <typename T> WF_DEVICE T plus(T a, T b) { return (T)(a + b); }
WF_DEVICE pair32 plus(pair32 a, pair32 b) { return pair32{ a.re + b.re, a.im + b.im }; }
WF_DEVICE pair64 plus(pair64 a, pair64 b) { return pair64{ a.re + b.re, a.im + b.im }; }

template <typename T> WF_DEVICE T times(T a, T b) { return (T)(a * b); }
WF_DEVICE pair32 times(pair32 a, pair32 b) { return pair32{ a.re * b.re + a.im * -b.im, a.re * b.im + a.im * b.re }; }
WF_DEVICE pair64 times(pair64 a, pair64 b) { return pair64{ a.re * b.re + a.im * -b.im, a.re * b.im + a.im * b.re }; }

template <typename T> WF_DEVICE void set(T *x, int n) { *x = (T)n; }
WF_DEVICE void set(pair32 *x, int n) { *x = pair32{ (float)n, 0 }; }
WF_DEVICE void set(pair64 *x, int n) { *x = pair64{ (double)n, 0 }; }

#define WF_SUM_AXES 16

struct scan_args {
    const char *in;
    WF_T *out;
    const WF_T *carry;  // NULL: none
    WF_T *carry_out;
    int64_t lines, length;
    int64_t in_step, out_step;  // along the axis: bytes, elements
    int32_t ndim, pad;          // of the other axes, innermost first
    int64_t count[WF_SUM_AXES], in_stride[WF_SUM_AXES], out_stride[WF_SUM_AXES];  // bytes, elements
};

WF_KERNEL(scan, scan_args)
{
    const int64_t step = (int64_t)gridDim.x * WF_THREADS;
    for (int64_t line = (int64_t)blockIdx.x * WF_THREADS + threadIdx.x; line < A.lines; line += step) {
        int64_t rest = line, from = 0, to = 0;
        for (int d = 0; d < A.ndim; d++) {
            const int64_t q = rest / A.count[d], r = rest - q * A.count[d];
            from += r * A.in_stride[d];
            to += r * A.out_stride[d];
            rest = q;
        }
        WF_T sum;
        set(&sum, WF_PRODUCT);
        if (A.carry) sum = A.carry[line];
        for (int64_t i = 0; i < A.length; i++) {
            const WF_T x = *(const WF_T *)(A.in + from + i * A.in_step);
            sum = WF_PRODUCT ? times(sum, x) : plus(sum, x);
            A.out[to + i * A.out_step] = sum;
        }
        if (A.carry_out) A.carry_out[line] = sum;
    }
}

struct group_args {
    const int64_t *label;
    const char *in;  // NULL: every element counts one
    char *out;
    int64_t outer, rows, cols;
    int64_t in_outer, in_row, in_col, out_outer, out_row;
};

WF_KERNEL(group, group_args)
{
    const int64_t step = (int64_t)gridDim.x * WF_THREADS, n = A.outer * A.cols;
    for (int64_t k = (int64_t)blockIdx.x * WF_THREADS + threadIdx.x; k < n; k += step) {
        const int64_t o = k / A.cols, c = k - o * A.cols;
        const char *in = A.in + o * A.in_outer + c * A.in_col;
        char *out = A.out + o * A.out_outer + c * (int64_t)sizeof(WF_T);
        for (int64_t r = 0; r < A.rows; r++) {
            if (A.label[r] < 0) continue;
            WF_T *sum = (WF_T *)(out + A.label[r] * A.out_row);
            WF_T x;
            set(&x, 1);
            if (A.in) x = *(const WF_T *)(in + r * A.in_row);
            *sum = plus(*sum, x);
        }
    }
}
