import type { GraphNode, Value } from './graph.js';
import type { GraphOutline } from './onnx-model.js';

/** A pruned graph and the text that is equal for graphs of equal structure. */
export interface KeyedOutline extends GraphOutline {
  readonly key: string;
}

let passes = 0;

/**
 * The part of a recording on which the outputs depend. Its key holds operators, attributes, topology, constants, the
 * types and shapes of the inputs and which values are outputs; everything else follows from these.
 *
 * @param nodes - in the order of recording, which is topological
 */
export function outlineGraph(nodes: readonly GraphNode[], outputs: readonly Value[]): KeyedOutline {
  const pass = ++passes;
  for (const { node } of outputs) if (node) node.pass = pass;
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (nodes[i].pass !== pass) continue;
    for (const value of nodes[i].inputs) if (value?.node) value.node.pass = pass;
  }
  const alive: GraphNode[] = [];
  const inputs: Value[] = [];
  const constants: Value[] = [];
  const key: (number | string)[] = [];
  let ids = 0;
  for (const node of nodes) {
    if (node.pass !== pass) continue;
    alive.push(node);
    key.push(node.signature);
    for (const value of node.inputs) {
      if (!value) {
        key.push('_');
        continue;
      }
      if (value.pass !== pass) {
        value.pass = pass;
        value.id = ids++;
        if (value.constant) {
          constants.push(value);
          key.push(`c${value.constant.key}`);
        } else {
          inputs.push(value);
          key.push(`i${value.type}[${value.shape.join()}]`);
        }
      }
      key.push(value.id!);
    }
    for (const value of node.outputs) {
      value.pass = pass;
      value.id = ids++;
    }
    key.push(';');
  }
  key.push('>');
  for (const value of outputs) key.push(value.id!);
  return { nodes: alive, inputs, constants, outputs, key: key.join(' ') };
}
