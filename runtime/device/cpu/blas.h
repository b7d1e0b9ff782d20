// SPDX-License-Identifier: Apache-2.0
// blas - a CBLAS library found at run time, kept to ourselves and to one thread per call: the
// engine's threads are the parallelism. The host program's own BLAS is left alone (see blas.c). Any
// thread may call.
#ifndef WF_CPU_BLAS_H
#define WF_CPU_BLAS_H

#include "weft/plugin.h"

// Row-major products by the functions of CBLAS, or NULL where there is no library.
typedef struct wf_blas {
    void (*gemm[WEFT_NDTYPES])(
        void);  // float32, float64, complex64, complex128: as cblas_sgemm .. cblas_zgemm
    void (*gemv[WEFT_NDTYPES])(void);
    char name[160];  // "OpenBLAS 0.3.21 (/usr/lib/...)", or why there is none
    bool here;
} wf_blas;

const wf_blas *wf_blas_get(void);  // loads it the first time; never NULL
// A hash of which library that will most likely be, without loading it: opening a device must stay
// quick.
uint64_t wf_blas_identity(void);

#endif
