// @runloop/api-client 1.32.0, unmodified, over HTTP/2 with prior knowledge, as it is by default.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Runloop from '@runloop/api-client';

const { searches, contract, retrievers, expected } = JSON.parse(readFileSync(process.env.CASE, 'utf8'));
const client = new Runloop({
  bearerToken: process.env.TOKEN,
  baseURL: `http://${process.env.ADDRESS}`,
  maxRetries: 0,
});
const mark = randomUUID();
const soon = { polling: { pollingIntervalMs: 100, maxAttempts: 600 } };
const close = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-12, `${found} is not ${wanted}`);
const all = async (pages) => {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
};

const scenarios = [];
for (const { query, judgments } of searches) {
  scenarios.push(
    await client.scenarios.create({
      name: `${mark} ${query}`,
      input_context: { problem_statement: query, additional_context: { judgments } },
      scoring_contract: contract,
    }),
  );
}
const benchmark = await client.benchmarks.create({
  name: mark,
  scenario_ids: scenarios.map((scenario) => scenario.id),
  metadata: { retriever_id: retrievers.boosted },
});
const run = await client.benchmarks.startRun({ benchmark_id: benchmark.id, run_name: 'ts' });
// Many streams of one connection at once.
await Promise.all(
  scenarios.map(async (scenario) => {
    const one = await client.scenarios.startRunAndAwaitEnvReady({ scenario_id: scenario.id, benchmark_run_id: run.id });
    const done = await client.scenarios.runs.scoreAndComplete(one.id, soon);
    assert.equal(done.state, 'completed');
  }),
);
assert.equal((await client.benchmarkRuns.complete(run.id)).state, 'completed');
close((await client.benchmarkRuns.retrieve(run.id)).score, expected.boosted);

// Every other route.
assert.equal((await all(client.benchmarkRuns.listScenarioRuns(run.id, { limit: 2 }))).length, scenarios.length);
assert.deepEqual((await all(client.benchmarkRuns.list({ benchmark_id: benchmark.id }))).map((one) => one.id), [run.id]);
const canceled = await client.benchmarks.startRun({ benchmark_id: benchmark.id });
assert.equal((await client.benchmarkRuns.cancel(canceled.id)).state, 'canceled');
assert.equal((await client.benchmarks.retrieve(benchmark.id)).name, mark);
assert.equal((await all(client.benchmarks.list({ search: mark }))).length, 1);
const shown = await client.scenarios.create({
  name: 'for all',
  input_context: { problem_statement: searches[0].query },
  scoring_contract: contract,
  is_public: true,
});
const offered = await client.benchmarks.create({ name: 'for all', scenario_ids: [shown.id], is_public: true });
const isAmong = (items, wanted) => items.every((item) => item.is_public) && items.some((item) => item.id === wanted.id);
assert.ok(isAmong(await all(client.benchmarks.listPublic({ limit: 100 })), offered));
assert.equal((await client.benchmarks.update(benchmark.id, { description: 'd' })).description, 'd');
assert.equal((await client.benchmarks.definitions(benchmark.id)).scenarios.length, scenarios.length);
const members = { scenarios_to_remove: [scenarios[0].id], scenarios_to_add: [scenarios[0].id] };
assert.equal((await client.benchmarks.updateScenarios(benchmark.id, members)).scenarioIds.at(-1), scenarios[0].id);
assert.equal((await client.scenarios.retrieve(scenarios[0].id)).status, 'active');
assert.equal((await client.scenarios.update(scenarios[0].id, { reference_output: 'x' })).reference_output, 'x');
assert.equal((await all(client.scenarios.list({ search: mark, limit: 2 }))).length, scenarios.length);
assert.ok(isAmong(await all(client.scenarios.listPublic({ limit: 100 })), shown));
const metadata = { retriever_id: retrievers.prod };
let one = await client.scenarios.startRun({ scenario_id: scenarios[1].id, metadata, run_name: mark });
assert.equal((await client.scenarios.runs.scoreAndAwait(one.id, soon)).state, 'scored');
const logs = await client.scenarios.runs.downloadLogs(one.id);
assert.equal(Buffer.from(await logs.arrayBuffer()).subarray(0, 2).toString(), 'PK');
assert.equal((await client.scenarios.runs.complete(one.id)).state, 'completed');
assert.deepEqual((await all(client.scenarios.runs.list({ name: mark }))).map((found) => found.id), [one.id]);
one = await client.scenarios.startRun({ scenario_id: scenarios[1].id });
assert.equal((await client.scenarios.runs.cancel(one.id)).state, 'canceled');
assert.equal((await client.scenarios.runs.retrieve(one.id)).state, 'canceled');
const scorer = await client.scenarios.scorers.create({ type: 'metric:RR', bash_script: '' });
assert.equal((await client.scenarios.scorers.retrieve(scorer.id)).type, 'metric:RR');
assert.equal((await client.scenarios.scorers.update(scorer.id, { type: 'metric:AP', bash_script: '' })).type, 'metric:AP');
assert.ok((await all(client.scenarios.scorers.list())).some((found) => found.id === scorer.id));
assert.equal((await client.scenarios.archive(scenarios[0].id)).status, 'archived');
const agent = { type: 'job_agent', name: 'prod', agent_id: retrievers.prod };
const spec = { type: 'scenarios', scenario_ids: scenarios.slice(1).map((found) => found.id), agent_configs: [agent] };
let job = await client.benchmarkJobs.create({ name: mark, spec });
for (let tries = 0; ['queued', 'initializing', 'running'].includes(job.state); tries += 1) {
  assert.ok(tries < 600);
  await new Promise((resolve) => setTimeout(resolve, 100));
  job = await client.benchmarkJobs.retrieve(job.id);
}
assert.equal(job.state, 'completed');
assert.equal(job.benchmark_outcomes[0].n_completed, scenarios.length - 1);
assert.equal((await client.benchmarkJobs.list({ name: mark })).jobs[0].id, job.id);
await assert.rejects(client.benchmarks.retrieve('bmd_0'), (error) => error.status === 404 && error.error.code === 'not_found');
console.log('@runloop/api-client 1.32.0 over HTTP/2: ok');
process.exit(0);
