// SPDX-License-Identifier: Apache-2.0
// sum - running sums and products along an axis, and sums by label. Both add in the order that kernels/kernel.h fixes: one element after
// another, so a thread walks a line; lines and columns are what runs in parallel.
// WF_T, the element type by element.cuh's name, and WF_PRODUCT (0 or 1) are defined by who includes this.
#include "reduce.cuh"

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
        WF_T sum = A.carry ? A.carry[line] : cast<WF_T>((i64)WF_PRODUCT);
        for (int64_t i = 0; i < A.length; i++) {
            const WF_T x = *(const WF_T *)(A.in + from + i * A.in_step);
            sum = WF_PRODUCT ? by_prod().join(sum, x) : plus(sum, x);
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
            *sum = plus(*sum, A.in ? *(const WF_T *)(in + r * A.in_row) : cast<WF_T>((i64)1));
        }
    }
}
