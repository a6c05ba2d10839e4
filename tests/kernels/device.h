/* The devices that kernels are checked on. */
#ifndef DEVICE_H
#define DEVICE_H

#include "graph/backend.h"

#define DEVICE_MOST 32

typedef struct device {
    char name[32];
    asr_backend *(*open)(const struct device *device, asr_error *error);
    int index; /* whatever `open` tells its devices apart by */
} device;

/* Fills in every device there may be and returns how many. */
int device_list(device devices[DEVICE_MOST]);

#endif
