/* How a product is cut into blocks that fit the registers. A source of product kernels
 * defines ROWS and PANELS, the largest block, and includes this once for each function to
 * make, with BLOCKS_NAME its name and BLOCK(args, row, panel, rows, panels) the code for
 * one block, which is expanded with constants. All rows go through a few panels before
 * the next, so that these stay in the nearest cache. */

#ifndef BLOCKS_TAIL
#define BLOCKS_PASTE_(name) name##_rows
#define BLOCKS_PASTE(name) BLOCKS_PASTE_(name)
#define BLOCKS_TAIL(n)                                                                   \
    case n:                                                                              \
        BLOCK(a, row, panel, n, panels);                                                 \
        break
#endif

#define BLOCKS_ROWS BLOCKS_PASTE(BLOCKS_NAME)

CPU_INLINE void BLOCKS_ROWS(const cpu_product_args *a, int panel, int panels)
{
    int row = 0;
    for (; row + ROWS <= a->rows; row += ROWS)
        BLOCK(a, row, panel, ROWS, panels);
    switch (a->rows - row) {
#if ROWS > 6
        BLOCKS_TAIL(7);
        BLOCKS_TAIL(6);
#endif
#if ROWS > 3
        BLOCKS_TAIL(5);
        BLOCKS_TAIL(4);
        BLOCKS_TAIL(3);
#endif
#if ROWS > 1
        BLOCKS_TAIL(2);
        BLOCKS_TAIL(1);
#endif
    }
}

static void BLOCKS_NAME(const cpu_product_args *a)
{
    int panel = 0;
    for (; panel + PANELS <= a->n_panels; panel += PANELS)
        BLOCKS_ROWS(a, panel, PANELS);
    for (; panel < a->n_panels; panel++)
        BLOCKS_ROWS(a, panel, 1);
}

#undef BLOCKS_ROWS
#undef BLOCKS_NAME
#undef BLOCK
