// What the parts of the SDK share.
#ifndef REMATCH_INTERNAL_H
#define REMATCH_INTERNAL_H

#include "rematch_scorer.h"

// One key of the parameters.
typedef struct {
    rematch_text key;
    // The value as it is written.
    rematch_text value;
    bool read;
} rematch_entry;

struct rematch_params {
    rematch_entry *entries;
    size_t count, capacity;
    // Keys that were asked for, in order, for the error of an unknown one.
    const char **asked;
    size_t asked_count, asked_capacity;
    char error[512];
};

// Returns memory for `count` elements with what `memory` held, or ends the call.
void *rematch_reallocate(void *memory, size_t count, size_t size);

// Reads a JSON object into `params`, or leaves an error there.
void rematch_params_open(rematch_params *params, const char *text, size_t len);

// Refuses keys that nobody asked for.
void rematch_params_finish(rematch_params *params);

// Frees what `params` holds.
void rematch_params_close(rematch_params *params);

#endif
