/**
 * What this package needs of a tokeniser; the tokeniser itself belongs to the checkpoint of the model.
 */
export interface ValueTokeniser<Scaling = unknown> {
  /** V, the number of tokens. */
  readonly vocabularySize: number;
  /** [V] what tokens stand for before the scaling: value = scale · centre + shift, the shift may depend on the step. */
  readonly centres?: ArrayLike<number>;
  /** The scaling of a window; it sees the context only. */
  fit(context: ArrayLike<number>): Scaling;
  /** Values → tokens; `firstStep` is the position of values[0] in the window: 0 for the context, W for the future. */
  encode(values: ArrayLike<number>, scaling: Scaling, firstStep: number): Int32Array;
  /** How many values lie beyond what the tokens can express; `firstStep` as in `encode`. */
  saturated(values: ArrayLike<number>, scaling: Scaling, firstStep: number): number;
  /** Tokens → values; `firstStep` as in `encode`. */
  decode(tokens: ArrayLike<number>, scaling: Scaling, firstStep: number): Float64Array;
}
