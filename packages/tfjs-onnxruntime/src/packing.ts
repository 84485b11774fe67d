/**
 * Several inputs of a graph as one, and several outputs as one. A call costs ONNX Runtime's binding 1.3 µs an input and 2 µs an
 * output, whatever their size: a small network with its optimiser spends more on that than on its arithmetic.
 *
 * - Small inputs are fed as one vector, which the graph takes apart; small outputs are handed over as one vector, of which the
 *   tensors are views.
 * - A vector that the graph puts together of nothing but inputs is fed as it is, and outputs that are all the parts of a vector
 *   are handed over as that. All parameters of a model, as an optimiser wants them, thus go out and come back in without being
 *   copied on the host: they are views of the vector that came out last.
 */
import { sizeOf, type GraphNode, type HostArray, type Value } from './graph.js';
import { outlineGraph, type KeyedOutline } from './outline.js';
import type { Recorder } from './recorder.js';

/** Up to this size copying a tensor costs less than handing it over by itself. */
const MOST_PACKED_ELEMENTS = 4096;

/** A vector of several tensors. */
interface Bundle {
  readonly vector: Value;
  readonly members: readonly Value[];
}

/** Where an output lies. */
interface Place {
  readonly port: number;
  /** In the vector that has it; a tensor by itself has no such place. */
  readonly start?: number;
  readonly end?: number;
}

/** A graph whose inputs and outputs are packed, and how to go between its ports and its tensors. */
export class PackedGraph {
  readonly outline: KeyedOutline;
  /** The inputs of the graph as it was recorded, in the order in which `feeds` takes them. */
  readonly inputs: readonly Value[];
  /** By port: the input that is fed by itself, or those that are fed as one. */
  private readonly feeders: readonly (number | Gather)[];
  private readonly places: readonly Place[];

  /**
   * @param recorder - holds the nodes, in topological order; more are recorded
   * @param outputs - what the graph is asked for
   */
  constructor(recorder: Recorder, outputs: readonly Value[]) {
    recorder.kernel = 'compile';
    const given = outputBundles(recorder, outputs);
    const packed = new Set(given.flatMap(({ members }) => members));
    const ports = [...given.map(({ vector }) => vector), ...outputs.filter((value) => !packed.has(value))];

    const recorded = recorder.nodes;
    const { nodes, inputs } = outlineGraph(recorded, ports);
    const taken = inputBundles(nodes, inputs);
    recorder.nodes = [];
    for (const bundle of taken) takeApart(recorder, bundle);
    for (const node of recorded) recorder.nodes.push(node);

    this.inputs = inputs;
    this.outline = outlineGraph(recorder.nodes, ports);
    this.feeders = this.outline.inputs.map((value) => {
      const bundle = taken.find(({ vector }) => vector === value);
      return bundle
        ? new Gather(bundle.members.map((member) => inputs.indexOf(member)))
        : inputs.indexOf(value);
    });
    this.places = outputs.map((value) => placeOf(value, given, ports));
  }

  /**
   * What the session is fed.
   *
   * @param sources - host memory of the inputs, in their order
   */
  feeds(sources: readonly HostArray[]): HostArray[] {
    return this.feeders.map((feeder) =>
      typeof feeder === 'number' ? sources[feeder] : feeder.vector(sources),
    );
  }

  /** The outputs in their order, from those of the session; tensors of one vector share its memory. */
  outputs(results: readonly HostArray[]): HostArray[] {
    return this.places.map(({ port, start, end }) =>
      start === undefined ? results[port] : results[port].subarray(start, end),
    );
  }
}

/** Puts float32 arrays one after the other. */
class Gather {
  /** The same memory at every call; made when it is first needed. */
  private memory: Float32Array | undefined;

  /** @param members - which of the sources */
  constructor(private readonly members: readonly number[]) {}

  vector(sources: readonly HostArray[]): Float32Array {
    const { members } = this;
    const first = sources[members[0]];
    let end = first.byteOffset + first.byteLength;
    let together = true;
    for (let i = 1; i < members.length && together; i++) {
      const next = sources[members[i]];
      // offsets first: asking a small array for its buffer makes V8 move it out of the heap
      together = next.byteOffset === end && next.buffer === first.buffer;
      end += next.byteLength;
    }
    if (together) return new Float32Array(first.buffer, first.byteOffset, (end - first.byteOffset) / 4);

    this.memory ??= new Float32Array(members.reduce((sum, member) => sum + sources[member].length, 0));
    let start = 0;
    for (const member of members) {
      const source = sources[member];
      if (source.length === 1) this.memory[start] = source[0];
      else this.memory.set(source, start);
      start += source.length;
    }
    return this.memory;
  }
}

function isSmall({ type, shape }: Value): boolean {
  const size = sizeOf(shape);
  return type === 'float32' && size > 0 && size <= MOST_PACKED_ELEMENTS;
}

/** The value itself, whatever shapes it was given since. */
function unshaped(value: Value): Value {
  return value.node?.operator === 'Reshape' ? unshaped(value.node.inputs[0]!) : value;
}

/** The inputs that vectors of the graph are made of, and the other small ones. */
function inputBundles(nodes: readonly GraphNode[], inputs: readonly Value[]): Bundle[] {
  const left = new Set(inputs.filter(({ type }) => type === 'float32'));
  const bundles: Bundle[] = [];
  for (const { operator, inputs: operands, outputs } of nodes) {
    if (operator !== 'Concat' || outputs[0].shape.length !== 1) continue;
    const members = operands.map((operand) => unshaped(operand!));
    const distinct = new Set(members);
    if (distinct.size < members.length || !members.every((member) => left.has(member))) continue;
    bundles.push({ vector: outputs[0], members });
    for (const member of members) left.delete(member);
  }
  const small = [...left].filter(isSmall);
  if (small.length > 1) {
    const length = small.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    bundles.push({ vector: { type: 'float32', shape: [length] }, members: small });
  }
  return bundles;
}

/** Records how inputs are taken from their vector, which is fed instead of them. */
function takeApart(recorder: Recorder, { vector, members }: Bundle): void {
  (vector as { node?: GraphNode }).node = undefined;
  const sizes = members.map(({ shape }) => sizeOf(shape));
  const parts = recorder.multi(
    'Split',
    [vector, recorder.indices(sizes)],
    sizes.map((size) => ({ type: 'float32', shape: [size] })),
    { attributes: { axis: 0 } },
  );
  members.forEach((value, i) => {
    let made = parts[i];
    if (value.shape.length !== 1) made = recorder.op('Reshape', [made, recorder.indices(value.shape)], value);
    // every node that reads the input now reads what is made here
    const node = made.node!;
    node.outputs[node.outputs.indexOf(made)] = value;
    (value as { node?: GraphNode }).node = node;
  });
}

/** Outputs that are all the parts of a vector, and the other small ones in a vector that is recorded here. */
function outputBundles(recorder: Recorder, outputs: readonly Value[]): Bundle[] {
  const left = new Set(outputs);
  const bundles: Bundle[] = [];
  for (const { node } of outputs) {
    if (node?.operator !== 'Split' || node.inputs[0]!.shape.length !== 1) continue;
    const members = node.outputs;
    if (!node.inputs[0]!.node || members.length < 2 || !members.every((member) => left.has(member))) continue;
    bundles.push({ vector: node.inputs[0]!, members });
    for (const member of members) left.delete(member);
  }
  const small = [...left].filter(isSmall);
  if (small.length > 1) {
    const vectors = small.map((value) => recorder.reshape(value, [sizeOf(value.shape)]));
    bundles.push({ vector: recorder.concat(vectors, 0), members: small });
  }
  return bundles;
}

function placeOf(output: Value, bundles: readonly Bundle[], ports: readonly Value[]): Place {
  for (const { vector, members } of bundles) {
    const index = members.indexOf(output);
    if (index < 0) continue;
    const start = members.slice(0, index).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return { port: ports.indexOf(vector), start, end: start + sizeOf(output.shape) };
  }
  return { port: ports.indexOf(output) };
}
