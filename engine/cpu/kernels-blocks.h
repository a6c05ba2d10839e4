/* How a product is cut into blocks that fit the registers. A source of product kernels
 * defines ROWS and PANELS, the largest block, and includes this once for each function to
 * make, with BLOCKS_NAME its name and BLOCK(args, row, panel, rows, panels) the code for
 * one block, which is expanded with constants. All rows go through one panel before the
 * next, so that it stays in the nearest cache. */

#ifndef BLOCKS_TAIL
#define BLOCKS_TAIL(n)                                                                   \
    case n:                                                                              \
        BLOCK(a, row, panel, n, PANELS);                                                 \
        break
#endif

static void BLOCKS_NAME(const cpu_product_args *a)
{
    int panel = 0;
    for (; panel + PANELS <= a->n_panels; panel += PANELS) {
        int row = 0;
        for (; row + ROWS <= a->rows; row += ROWS)
            BLOCK(a, row, panel, ROWS, PANELS);
        switch (a->rows - row) {
#if ROWS > 3
#if ROWS > 6
            BLOCKS_TAIL(7);
            BLOCKS_TAIL(6);
#endif
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
    for (; panel < a->n_panels; panel++)
        for (int row = 0; row < a->rows; row++)
            BLOCK(a, row, panel, 1, 1);
}

#undef BLOCKS_NAME
#undef BLOCK
