/* The reference itself, whose check shows that the checks work. */
#include "device.h"

#include "reference/reference.h"

static asr_backend *open_reference(const device *d, asr_error *error)
{
    (void)d;
    return asr_reference_create(error);
}

int device_list(device devices[DEVICE_MOST])
{
    int n = 0;
    devices[n++] = (device){"reference", open_reference, 0};
    return n;
}
