/* Where oneDNN was not found at build time: own kernels compute every product. */
#include "cpu/dnnl.h"

cpu_dnnl *cpu_dnnl_create(asr_cpu_isa isa, bool is_limit, int n_threads)
{
    (void)isa, (void)is_limit, (void)n_threads;
    return NULL;
}

void cpu_dnnl_destroy(cpu_dnnl **dnnl)
{
    *dnnl = NULL;
}

bool cpu_dnnl_is_exact(const cpu_dnnl *dnnl, cpu_dnnl_type type)
{
    (void)dnnl, (void)type;
    return false;
}

cpu_dnnl_product *cpu_dnnl_product_create(cpu_dnnl *dnnl, const cpu_dnnl_shape *shape,
                                          const void *weight)
{
    (void)dnnl, (void)shape, (void)weight;
    return NULL;
}

void cpu_dnnl_product_destroy(cpu_dnnl_product **product)
{
    *product = NULL;
}

size_t cpu_dnnl_scratch_bytes(const cpu_dnnl_product *product)
{
    (void)product;
    return 0;
}

bool cpu_dnnl_run(cpu_dnnl_product *product, int thread, const void *x, void *sums,
                  void *scratch)
{
    (void)product, (void)thread, (void)x, (void)sums, (void)scratch;
    return false;
}
