// nDCG@k (Järvelin and Kekäläinen 2002), the same as Rematch's own metric: to compare languages with.

#include "rematch_scorer.h"

static const rematch_metric METRICS[] = {
    {.name = "ndcg",
     .summary = "In [0, 1]; undefined where no item has a positive grade.",
     .low = REMATCH_BOUND(0),
     .high = REMATCH_BOUND(1)},
};

static const rematch_description DESCRIPTION = {
    .name = "ndcg",
    .version = "0.1.0",
    .summary = "Discounted gain of the top k over that of the best possible top k; gain is the grade.",
    .params_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"k\":{\"type\":\"integer\","
                     "\"minimum\":1,\"default\":10,\"description\":\"ranks that count\"}}}",
    .needs = REMATCH_JUDGED,
    .metrics = METRICS,
    .metric_count = sizeof METRICS / sizeof *METRICS,
};

const rematch_description *rematch_describe(void) {
    return &DESCRIPTION;
}

static uint32_t k;

void rematch_configure(rematch_params *params) {
    k = 10;
    rematch_param_whole(params, "k", &k);
}

void rematch_score(const rematch_session *session, rematch_scores *out) {
    rematch_number ndcg = rematch_ndcg(session, k);
    if (ndcg.known) rematch_set(out, 0, ndcg.value);
}
