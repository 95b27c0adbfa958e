// The calls of the host, answered by a scorer session by session.

#include "rematch_scorer.h"

#include <stdlib.h>
#include <string.h>

#include "rematch_internal.h"

struct rematch_scores {
    size_t sessions, metrics, session;
    double *values;
    bool *known;
    // Errors, in order of the sessions.
    exports_guest_session_error_t *errors;
    size_t error_count, error_capacity;
    bool failed;
    // Outputs end to end; none as long as `outputs` is NULL. Session i ends at `ends[i]`.
    uint8_t *outputs;
    size_t output_len, output_capacity;
    uint32_t *ends;
};

void *rematch_allocate(size_t count, size_t size) {
    void *memory = calloc(count == 0 ? 1 : count, size);
    if (memory == NULL) abort();
    return memory;
}

void *rematch_reallocate(void *memory, size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size) abort();
    memory = realloc(memory, count * size);
    if (memory == NULL) abort();
    return memory;
}

void rematch_log(log_level_t level, const char *message) {
    scorer_string_t text = {.ptr = (uint8_t *)message, .len = strlen(message)};
    log_log(level, &text);
}

static void describe_text(scorer_string_t *text, const char *source) {
    scorer_string_dup(text, source == NULL ? "" : source);
}

static scorer_option_f64_t bound(rematch_number number) {
    return (scorer_option_f64_t){.is_some = number.known, .val = number.value};
}

void exports_guest_describe(exports_guest_description_t *ret) {
    const rematch_description *about = rematch_describe();
    describe_text(&ret->name, about->name);
    describe_text(&ret->version, about->version);
    describe_text(&ret->summary, about->summary);
    describe_text(&ret->params_schema, about->params_schema);
    ret->needs = (exports_guest_columns_t)about->needs;
    ret->metrics.len = about->metric_count;
    ret->metrics.ptr = rematch_allocate(about->metric_count, sizeof *ret->metrics.ptr);
    for (size_t i = 0; i < about->metric_count; i++) {
        const rematch_metric *metric = &about->metrics[i];
        exports_guest_metric_t *described = &ret->metrics.ptr[i];
        describe_text(&described->name, metric->name);
        describe_text(&described->summary, metric->summary);
        described->higher_is_better = !metric->lower_is_better;
        described->low = bound(metric->low);
        described->high = bound(metric->high);
    }
    ret->reusable = !about->stateful;
}

void rematch_set(rematch_scores *scores, size_t metric, double value) {
    if (metric >= scores->metrics) abort();
    size_t at = metric * scores->sessions + scores->session;
    scores->values[at] = value;
    scores->known[at] = true;
}

void rematch_fail(rematch_scores *scores, const char *reason) {
    if (scores->failed) return;
    scores->failed = true;
    if (scores->error_count == scores->error_capacity) {
        scores->error_capacity = 2 * scores->error_capacity + 4;
        scores->errors = rematch_reallocate(scores->errors, scores->error_capacity, sizeof *scores->errors);
    }
    exports_guest_session_error_t *error = &scores->errors[scores->error_count++];
    error->index = (uint32_t)scores->session;
    scorer_string_dup(&error->message, reason);
}

void rematch_output(rematch_scores *scores, const char *text, size_t len) {
    if (scores->ends == NULL) scores->ends = rematch_allocate(scores->sessions, sizeof *scores->ends);
    if (len > UINT32_MAX - scores->output_len) abort();
    if (scores->output_len + len > scores->output_capacity) {
        scores->output_capacity = 2 * scores->output_capacity + len;
        scores->outputs = rematch_reallocate(scores->outputs, scores->output_capacity, 1);
    }
    if (len > 0) memcpy(scores->outputs + scores->output_len, text, len);
    scores->output_len += len;
    scores->ends[scores->session] = (uint32_t)scores->output_len;
}

static void return_outputs(const rematch_scores *scores, exports_guest_texts_t *ret) {
    if (scores->ends == NULL) return;
    ret->offsets.len = scores->sessions + 1;
    ret->offsets.ptr = rematch_allocate(ret->offsets.len, sizeof(uint32_t));
    for (size_t i = 0; i < scores->sessions; i++) {
        // A session without a text ends where the one before it does.
        uint32_t end = scores->ends[i], before = ret->offsets.ptr[i];
        ret->offsets.ptr[i + 1] = end > before ? end : before;
    }
    ret->bytes.len = scores->output_len;
    ret->bytes.ptr = scores->outputs;
    free(scores->ends);
}

static void return_scores(const rematch_scores *scores, exports_guest_scores_t *ret) {
    size_t count = scores->sessions * scores->metrics, undefined = 0;
    for (size_t i = 0; i < count; i++) undefined += !scores->known[i];
    ret->values.len = count;
    ret->values.ptr = scores->values;
    ret->undefined.ptr = undefined == 0 ? NULL : rematch_allocate(undefined, sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        if (!scores->known[i]) ret->undefined.ptr[ret->undefined.len++] = (uint32_t)i;
    }
    ret->errors.len = scores->error_count;
    ret->errors.ptr = scores->errors;
    return_outputs(scores, &ret->outputs);
    free(scores->known);
}

static void score_batch(const exports_guest_batch_t *batch, exports_guest_scores_t *ret) {
    size_t metrics = rematch_describe()->metric_count;
    size_t count = metrics * batch->len;
    rematch_scores scores = {.sessions = batch->len, .metrics = metrics};
    scores.values = rematch_allocate(count, sizeof(double));
    scores.known = rematch_allocate(count, sizeof(bool));
    for (uint32_t i = 0; i < batch->len; i++) {
        rematch_session session = {.batch = batch, .index = i};
        scores.session = i;
        scores.failed = false;
        rematch_score(&session, &scores);
    }
    return_scores(&scores, ret);
}

bool exports_guest_score(exports_guest_batch_t *batch, scorer_string_t *params_text, exports_guest_scores_t *ret,
                         exports_guest_failure_t *err) {
    memset(ret, 0, sizeof *ret);
    rematch_params params;
    rematch_params_open(&params, (const char *)params_text->ptr, params_text->len);
    if (params.error[0] == '\0') {
        rematch_configure(&params);
        rematch_params_finish(&params);
    }
    bool accepted = params.error[0] == '\0';
    if (accepted) {
        score_batch(batch, ret);
    } else {
        err->tag = EXPORTS_GUEST_FAILURE_INVALID_PARAMS;
        scorer_string_dup(&err->val.invalid_params, params.error);
    }
    // An instance may serve batch after batch.
    rematch_params_close(&params);
    scorer_string_free(params_text);
    exports_guest_batch_free(batch);
    return accepted;
}
