import { tf } from '../tf.js';
import { rotaryOfLast, rotate, rotateBack, type RotaryTable } from './rotary.js';

/** Added to the scores of forbidden pairs: e to this power is 0 in float32, and no NaN can arise from it. */
const FORBIDDEN = -1e9;

/**
 * The causal, windowed attention mask: query i may see key j when j ≤ i and i − j < window, in absolute positions.
 *
 * @param firstQuery - absolute position of the first query
 * @param queries - number of queries
 * @param firstKey - absolute position of the first key
 * @param keys - number of keys
 * @param window - how many positions a query sees, itself included
 * @returns [queries, keys], 0 or a very negative number; the caller disposes it
 */
export function attentionMask(
  firstQuery: number,
  queries: number,
  firstKey: number,
  keys: number,
  window: number,
): tf.Tensor2D {
  const mask = new Float32Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      const distance = firstQuery + i - (firstKey + j);
      if (distance < 0 || distance >= window) mask[i * keys + j] = FORBIDDEN;
    }
  }
  return tf.tensor2d(mask, [queries, keys]);
}

/** Queries that are attended at a time: they see only the keys up to the last of them, so that little is computed in vain. */
const QUERY_BLOCK = 33;

/** Some queries and the keys that any of them sees. */
interface Block {
  readonly firstQuery: number;
  readonly queries: number;
  readonly firstKey: number;
  readonly keys: number;
}

/**
 * Cuts the last `queries` of `length` positions into blocks of about equal size, all but the last of which end where the number of keys
 * fills vectors of 16. None is empty: a block is 24 queries long or more before that moves either end by 8 at most.
 */
function queryBlocks(length: number, queries: number, window: number): Block[] {
  const count = Math.max(1, Math.round(queries / QUERY_BLOCK));
  const offset = length - queries;
  const inner = Array.from(
    { length: count - 1 },
    (_, i) => 16 * Math.round((offset + ((i + 1) * queries) / count) / 16) - offset,
  );
  const starts = [0, ...inner];
  return [...inner, queries].map((end, i) => {
    const start = starts[i];
    const firstKey = Math.max(0, offset + start - window + 1);
    return { firstQuery: start, queries: end - start, firstKey, keys: offset + end - firstKey };
  });
}

function rows(x: tf.Tensor, first: number, count: number): tf.Tensor4D {
  return count === x.shape[2]
    ? (x as tf.Tensor4D)
    : tf.slice4d(x as tf.Tensor4D, [0, 0, first, 0], [-1, -1, count, -1]);
}

/** Rows put back among zeros, so that there are `length` of them. */
function padRows(x: tf.Tensor, first: number, length: number): tf.Tensor4D {
  const after = length - first - x.shape[2]!;
  if (first === 0 && after === 0) return x as tf.Tensor4D;
  return tf.pad4d(x as tf.Tensor4D, [[0, 0], [0, 0], [first, after], [0, 0]]); // prettier-ignore
}

function total(parts: tf.Tensor4D[]): tf.Tensor4D {
  return parts.reduce((sum, part) => tf.add<tf.Tensor4D>(sum, part));
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017, eq. 1, arXiv:1706.03762) of the last Q of K positions, causal and
 * limited to a window: softmax(q kᵀ + mask) v. The scale 1/√d belongs to q.
 *
 * Queries go in blocks that see no key beyond their last; the gradient is written out block by block too.
 *
 * @param q - [B, H, Q, d]
 * @param k - [B, H, K, d], K ≥ Q
 * @param v - [B, H, K, d]
 * @param window - how many positions a query sees, itself included
 * @returns [B, H, Q, d]; the caller disposes it
 */
export function attend(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, window: number): tf.Tensor4D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [qs, ks, vs, save] = args as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    const { mixed, shares, blocks } = attendBlocks(qs, ks, vs, window);
    save([qs, ks, vs, mixed, ...shares]);
    return {
      value: mixed,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => attendBack(dy as tf.Tensor4D, saved, blocks),
    };
  });
  return operation(q, k, v);
}

function attendBlocks(
  q: tf.Tensor4D,
  k: tf.Tensor4D,
  v: tf.Tensor4D,
  window: number,
): { mixed: tf.Tensor4D; shares: tf.Tensor4D[]; blocks: Block[] } {
  const [length, queries] = [k.shape[2], q.shape[2]];
  const blocks = queryBlocks(length, queries, window);
  const offset = length - queries;
  const shares: tf.Tensor4D[] = [];
  const mixed = blocks.map(({ firstQuery, queries, firstKey, keys }) => {
    const mask = attentionMask(offset + firstQuery, queries, firstKey, keys, window);
    const scores = tf.matMul(rows(q, firstQuery, queries), rows(k, firstKey, keys), false, true);
    const share = tf.softmax<tf.Tensor4D>(tf.add(scores, mask)); // [B, H, queries, keys]
    shares.push(share);
    return tf.matMul<tf.Tensor4D>(share, rows(v, firstKey, keys));
  });
  return { mixed: mixed.length === 1 ? mixed[0] : tf.concat(mixed, 2), shares, blocks };
}

/** With P = softmax(S): dS = P ∘ (dP − Σ dy ∘ y), dq = dS k, dk = dSᵀ q, dv = Pᵀ dy. */
function attendBack(
  dy: tf.Tensor4D,
  [q, k, v, mixed, ...shares]: tf.Tensor[],
  blocks: readonly Block[],
): [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D] {
  const length = k.shape[2]!;
  const along = tf.sum(tf.mul(dy, mixed), 3, true); // [B, H, Q, 1]
  const parts = blocks.map(({ firstQuery, queries, firstKey, keys }, i) => {
    const share = shares[i] as tf.Tensor4D;
    const dyRows = rows(dy, firstQuery, queries);
    const dShare = tf.matMul(dyRows, rows(v, firstKey, keys), false, true);
    const dScores = tf.mul<tf.Tensor4D>(share, tf.sub(dShare, rows(along, firstQuery, queries)));
    return {
      dq: tf.matMul<tf.Tensor4D>(dScores, rows(k, firstKey, keys)),
      dk: padRows(tf.matMul(dScores, rows(q, firstQuery, queries), true), firstKey, length),
      dv: padRows(tf.matMul(share, dyRows, true), firstKey, length),
    };
  });
  return [
    parts.length === 1 ? parts[0].dq : tf.concat(parts.map(({ dq }) => dq), 2), // prettier-ignore
    total(parts.map(({ dk }) => dk)),
    total(parts.map(({ dv }) => dv)),
  ];
}

/** Rows cut into heads: [B·T, D] → [B, H, T, d]. No gradient of its own. */
export function splitHeads(x: tf.Tensor, batch: number, heads: number): tf.Tensor4D {
  const [rowCount, width] = x.shape;
  return tf.transpose(tf.reshape(x, [batch, rowCount / batch, heads, width / heads]), [0, 2, 1, 3]);
}

/** Heads side by side again: [B, H, T, d] → [B·T, D]. No gradient of its own. */
export function mergeHeads(x: tf.Tensor4D): tf.Tensor2D {
  const [batch, heads, length, width] = x.shape;
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch * length, heads * width]);
}

/** What a block projects of its rows: queries, perhaps of the last positions only, keys and values. */
export interface Projections {
  /** [B·Q, D] */
  readonly query: tf.Tensor2D;
  /** [B·T, D] */
  readonly key: tf.Tensor2D;
  /** [B·T, D] */
  readonly value: tf.Tensor2D;
}

/** How the rows of a batch are cut into sequences and heads. */
export interface SelfAttentionOptions {
  readonly batch: number;
  readonly heads: number;
  /** How many positions a query sees, itself included. */
  readonly window: number;
  /** Of the T positions. */
  readonly rotary: RotaryTable;
}

/**
 * Self-attention of the last Q of T positions, from projected rows to mixed rows: heads are cut, queries and keys turned by
 * their positions, attended and put side by side again. The scale 1/√d belongs to the projection.
 *
 * @returns [B·Q, D]; the caller disposes it
 */
export function selfAttention(
  { query, key, value }: Projections,
  { batch, heads, window, rotary }: SelfAttentionOptions,
): tf.Tensor2D {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [queries, keys, values, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    const ofLast = rotaryOfLast(rotary, queries.shape[0] / batch);
    const [q, k, v] = [queries, keys, values].map((part) => splitHeads(part, batch, heads));
    const [turnedQ, turnedK] = [rotate(q, ofLast), rotate(k, rotary)] as tf.Tensor4D[];
    const { mixed, shares, blocks } = attendBlocks(turnedQ, turnedK, v, window);
    const { cos, sin, quarterTurn } = rotary;
    save([cos, sin, ofLast.cos, ofLast.sin, quarterTurn, turnedQ, turnedK, v, mixed, ...shares]);
    return {
      value: mergeHeads(mixed),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [cos, sin, cosOfLast, sinOfLast, quarterTurn] = saved as tf.Tensor2D[];
        const [dq, dk, dv] = attendBack(splitHeads(dy, batch, heads), saved.slice(5), blocks);
        return [
          mergeHeads(rotateBack(dq, { cos: cosOfLast, sin: sinOfLast, quarterTurn }) as tf.Tensor4D),
          mergeHeads(rotateBack(dk, { cos, sin, quarterTurn }) as tf.Tensor4D),
          mergeHeads(dv),
        ];
      },
    };
  });
  return operation(query, key, value);
}
