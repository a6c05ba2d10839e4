/* The catalogue of models: data/models.json, as somebody may have changed it. */
#include "weights/catalogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    asr_error error;
    asr_catalogue *catalogue =
        asr_catalogue_parse((const char *)data, size, "models.json", &error);
    if (catalogue) {
        for (size_t i = 0; i < catalogue->count; i++) {
            asr_catalogue_find(catalogue, catalogue->models[i].name);
            asr_catalogue_size(&catalogue->models[i]);
        }
        asr_catalogue_destroy(&catalogue);
    }
    return 0;
}
