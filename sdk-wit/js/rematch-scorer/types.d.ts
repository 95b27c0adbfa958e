// The shapes that a scorer declares, reads and returns. `columns` are those of `scoring.wit`, which says what each means.

import type { BatchView } from "./batch.js";
import type { Session } from "./session.js";

/** A group of columns that a scorer reads. The host sends what is asked for and nothing else. */
export type Need =
  | "judged"
  | "relevance"
  | "hits"
  | "hit-scores"
  | "shown"
  | "interactions"
  | "interaction-details"
  | "session-ids"
  | "times"
  | "queries"
  | "query-vectors"
  | "inputs"
  | "expected"
  | "taxonomy"
  | "item-ids"
  | "item-fields";

/** One number that a scorer gives to a session. */
export interface Metric {
  /** For example `revenue`: letters, digits and any of `-_.@()=`, at most 64 of them. */
  name: string;
  /** What it means and when it is undefined, in a sentence. */
  summary?: string;
  /** The smallest legal value; none where there is no bound. */
  low?: number;
  /** The largest legal value; none where there is no bound. */
  high?: number;
  /** Whether a higher value is a better one; it is where nothing is said. */
  higherIsBetter?: boolean;
}

/** The score of a session, with what belongs to it. */
export interface Score {
  /** The first metric of the declaration; `null` where it is undefined. */
  value: number | null;
  /** The other metrics by name; those that are left out are undefined. */
  subScores?: Record<string, number | null>;
  /** A text that explains the score; it goes into the report. */
  output?: string;
}

/** What a scoring function returns for a session: `null` where the score is undefined. */
export type Scored = number | null | Score;

/** What `defineScorer` takes. It has either `score` or `scoreBatch`. */
export interface ScorerDefinition<Params = any> {
  /** Name of the scorer, for example `snippet-judge`. */
  name: string;
  /** For example `1.2.0`. */
  version?: string;
  /** What the scorer is for, in a sentence or two. */
  summary?: string;
  /** The groups of columns that the function reads. */
  needs: readonly Need[];
  /** What the function returns: first the score itself, then the sub-scores. */
  metrics: readonly Metric[];
  /**
   * JSON Schema of the parameters, an object; see `readParams` for what of it is checked. A `default` of a property
   * stands in where the benchmark does not give it.
   */
  paramsSchema?: Record<string, any>;
  /** Whether one instance may score batch after batch: only where the module keeps nothing that could change a score. */
  reusable?: boolean;
  /**
   * Turns the checked parameters into what the scoring function gets. Called once per batch. A `ParamsError` or
   * `RangeError` from it says that the parameters are wrong.
   */
  prepare?(params: Record<string, any>): Params;
  /**
   * Scores one session. A `ScoreError` says why the session cannot be scored; any other error is an error of that
   * session as well, and its neighbours keep their scores.
   */
  score?(session: Session, params: Params): Scored;
  /**
   * Scores a whole batch, one result per session, from `batch.columns`: for simple metrics, where a view of each session
   * costs more than the metric. An error fails the batch; the host then tries its sessions one by one.
   */
  scoreBatch?(batch: BatchView, params: Params): Iterable<Scored>;
  /**
   * Sums up a whole run, where the mean over the sessions is not what is meant. Gets the values of every metric by name,
   * one per session and `null` where there is none. Returns the score of the run, `null` where it is undefined.
   */
  aggregate?(metrics: Record<string, (number | null)[]>, params: Params): number | null;
}

/** An item that the retriever returned. */
export interface Hit {
  /** 1-based rank. */
  rank: number;
  /** Item number; see `Session.itemId` and `Session.itemField`. */
  item: number;
  /** The retriever's score; `null` where it gives none, and without the need `hit-scores`. */
  score: number | null;
}

/** An item that the retriever returned and whose worth is known. */
export interface JudgedHit {
  /** 1-based rank. */
  rank: number;
  /** The judge's grade or the weight of what the user did; negative means judged and not relevant. */
  grade: number;
}

/** An item of the list that the user saw. */
export interface ShownItem {
  /** 1-based rank. */
  rank: number;
  /** Item number. */
  item: number;
  /** The score that the logged retriever gave; `null` where it is not known. */
  score: number | null;
  /** The probability, in (0, 1], that the item was shown at this rank; `null` where it is not known. */
  propensity: number | null;
}

/** Something that the user did. */
export interface Interaction {
  /** Item number. */
  item: number;
  /** For example `click` or `purchase`. */
  kind: string;
  /** 1-based position at which the item was shown; `null` where it is not known, as the next two, and without the need
   * `interaction-details`. */
  position: number | null;
  /** When it was done, in milliseconds since the Unix epoch, UTC. */
  timeMs: number | null;
  /** A number that goes with the kind: seconds of a dwell, price of a purchase. */
  value: number | null;
}

/** A column of UTF-8 texts: text i is `bytes` from `offsets[i]` to `offsets[i + 1]`. */
export interface Texts {
  offsets: readonly number[];
  bytes: Uint8Array;
}

/** A column of values some of which are missing. */
export interface Optional {
  values: readonly number[];
  known: readonly boolean[];
}

/** The columns of a batch as the host sends them; session i of a group has the rows `offsets[i]` to `offsets[i + 1]`. */
export interface Columns {
  len: number;
  judged: { offsets: readonly number[]; ranks: readonly number[]; grades: readonly number[] };
  ideal: { offsets: readonly number[]; gains: readonly number[] };
  relevance: { offsets: readonly number[]; items: readonly number[]; grades: readonly number[] };
  hits: { offsets: readonly number[]; items: readonly number[]; scores: Optional };
  shown: { offsets: readonly number[]; items: readonly number[]; scores: Optional; propensities: Optional };
  interactions: {
    offsets: readonly number[];
    items: readonly number[];
    kinds: readonly number[];
    kindNames: Texts;
    positions: readonly number[];
    times: Optional;
    values: Optional;
  };
  sessionIds: Texts;
  times: Optional;
  queries: Texts;
  queryVectors: { offsets: readonly number[]; values: readonly number[] };
  inputs: Texts;
  expected: Texts;
  taxonomy: { offsets: readonly number[]; paths: Texts };
  itemIds: Texts;
  itemFields: readonly { name: string; values: Texts }[];
}

/** The scores of a batch as the host gets them. */
export interface Scores {
  values: number[];
  undefined: number[];
  errors: { index: number; message: string }[];
  outputs: Texts;
}

/** What a component says of itself. */
export interface Description {
  name: string;
  version: string;
  summary: string;
  paramsSchema: string;
  needs: Record<string, boolean>;
  metrics: { name: string; summary: string; higherIsBetter: boolean; low: number | null; high: number | null }[];
  reusable: boolean;
}

/** A session for a test; every key may be left out. */
export interface SampleSession {
  id?: string;
  query?: string;
  queryVector?: number[];
  /** Milliseconds since the Unix epoch, UTC. */
  timeMs?: number;
  /** Anything that JSON knows. */
  inputs?: any;
  /** Anything that JSON knows. */
  expected?: any;
  /** Paths such as `home/kitchen`. */
  taxonomy?: string[];
  /** Item ids, or pairs of an item id and a score, best first. */
  hits?: (string | [string, number | null])[];
  /** Grades by item id. */
  relevance?: Record<string, number>;
  /** Item ids, or objects, from the top of the list. */
  shown?: (string | { item: string; score?: number | null; propensity?: number | null })[];
  interactions?: {
    item: string;
    kind?: string;
    position?: number | null;
    timeMs?: number | null;
    value?: number | null;
  }[];
}

/** Fields of items by item id: texts, numbers, booleans, or lists of them. */
export type Corpus = Record<string, Record<string, any>>;
