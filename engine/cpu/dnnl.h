/* Products of large blocks of rows on oneDNN, through its C API of version 2 or 3.
 *
 * oneDNN is one more kernel that a pool thread calls: each call runs on that thread
 * alone. It follows an instruction set that is the whole process's and stays after its
 * first use; so it is used only where that is the one that own kernels were chosen for,
 * on which linear.c's choice between both rests. */
#ifndef CPU_DNNL_H
#define CPU_DNNL_H

#include "cpu/cpu.h"

typedef struct cpu_dnnl cpu_dnnl;
typedef struct cpu_dnnl_product cpu_dnnl_product;

typedef enum cpu_dnnl_type {
    CPU_DNNL_F32,   /* x and weight f32, sums f32 */
    CPU_DNNL_BF16,  /* x and weight bf16, sums f32 */
    CPU_DNNL_U8_I8, /* x u8, weight i8, sums i32 */
} cpu_dnnl_type;

/* One weight, as a matrix to multiply blocks of rows with. */
typedef struct cpu_dnnl_shape {
    cpu_dnnl_type type;
    int rows;        /* of every block */
    int k, n;        /* the weight is [n, k] */
    size_t x_stride; /* elements between rows of x, at least k */
} cpu_dnnl_shape;

/* Prepares for `n_threads` threads and kernels of the instruction set `isa`; `is_limit`
 * says that better ones must not be used, which this process may have ruled out. NULL,
 * which is no error, where oneDNN was not built in, uses another instruction set or
 * cannot be kept to one thread. */
cpu_dnnl *cpu_dnnl_create(asr_cpu_isa isa, bool is_limit, int n_threads);
/* Not before its products. */
void cpu_dnnl_destroy(cpu_dnnl **dnnl);

/* Whether i32 sums of `type` are exact: without VNNI, i8 products saturate at 16 bits. */
bool cpu_dnnl_is_exact(const cpu_dnnl *dnnl, cpu_dnnl_type type);

/* Packs `weight`, which is not needed afterwards, and compiles code for blocks of this
 * shape. NULL when oneDNN has no such product or not enough memory for it: own kernels
 * then have to do. */
cpu_dnnl_product *cpu_dnnl_product_create(cpu_dnnl *dnnl, const cpu_dnnl_shape *shape,
                                          const void *weight);
void cpu_dnnl_product_destroy(cpu_dnnl_product **product);

/* Bytes of working memory that each run needs, aligned to 64. */
size_t cpu_dnnl_scratch_bytes(const cpu_dnnl_product *product);

/* sums[rows][n] = x[rows][k] · weightᵀ, as thread `thread` < n_threads, of which none
 * runs twice at a time. False, with sums undefined, only when oneDNN cannot get the
 * little memory that it needs for a call. */
bool cpu_dnnl_run(cpu_dnnl_product *product, int thread, const void *x, void *sums,
                  void *scratch);

#endif
