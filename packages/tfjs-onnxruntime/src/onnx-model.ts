/**
 * Writes a graph as an ONNX ModelProto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), field numbers as there.
 */
import type { Attribute, ConstantArray, ElementType, GraphNode, Value } from './graph.js';
import { MessageWriter } from './protobuf.js';

const IR_VERSION = 10;
const OPSET = 24;
const CONTRIB_DOMAIN = 'com.microsoft';

/** TensorProto.DataType */
const TYPE_NUMBERS: Record<ElementType, number> = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 };

/** AttributeProto.AttributeType */
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const INTS = 7;

export interface GraphOutline {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly Value[];
  readonly constants: readonly Value[];
  readonly outputs: readonly Value[];
}

/** Inputs are named i0, i1, … and outputs o0, o1, …, in the order given. */
export function encodeModel({ nodes, inputs, constants, outputs }: GraphOutline): Uint8Array {
  const names = new Map<Value, string>();
  inputs.forEach((value, i) => names.set(value, `i${i}`));
  constants.forEach((value, i) => names.set(value, `c${i}`));
  outputs.forEach((value, i) => names.set(value, `o${i}`));
  let counter = 0;
  const nameOf = (value: Value | undefined): string => {
    if (!value) return ''; // an optional input left out
    let name = names.get(value);
    if (name === undefined) names.set(value, (name = `v${counter++}`));
    return name;
  };

  const graph = new MessageWriter(nodes.length * 96 + 4096);
  nodes.forEach((node, index) => {
    const message = new MessageWriter(128);
    for (const input of node.inputs) message.text(1, nameOf(input));
    for (const output of node.outputs) message.text(2, nameOf(output));
    message.text(3, describeNode(node, index)).text(4, node.operator);
    for (const [name, attribute] of Object.entries(node.attributes)) {
      message.message(5, encodeAttribute(name, attribute));
    }
    if (node.domain) message.text(7, node.domain);
    graph.message(1, message);
  });
  graph.text(2, 'tfjs');
  constants.forEach((value, i) => graph.message(5, encodeTensor(`c${i}`, value)));
  inputs.forEach((value, i) => graph.message(11, encodeValueInfo(`i${i}`, value)));
  outputs.forEach((value, i) => graph.message(12, encodeValueInfo(`o${i}`, value)));

  return new MessageWriter(graph.finish().length + 64)
    .integer(1, IR_VERSION)
    .text(2, '@rollcast/tfjs-onnxruntime')
    .message(7, graph)
    .message(8, new MessageWriter().text(1, '').integer(2, OPSET))
    .message(8, new MessageWriter().text(1, CONTRIB_DOMAIN).integer(2, 1))
    .finish();
}

/** The name of a node says where it comes from, because ONNX Runtime's errors quote it. */
export function describeNode(node: GraphNode, index: number): string {
  const operands = node.inputs.map((value) => (value ? `${value.type}[${value.shape.join(',')}]` : 'none'));
  return `tfjs kernel ${node.kernel}(${operands.join(', ')}) #${index}`;
}

function encodeAttribute(name: string, attribute: Attribute): MessageWriter {
  const message = new MessageWriter().text(1, name);
  if (typeof attribute === 'number') return message.integer(3, attribute).integer(20, INT);
  if (typeof attribute === 'string') return message.text(4, attribute).integer(20, STRING);
  if ('float' in attribute) return message.float(2, attribute.float).integer(20, FLOAT);
  for (const item of attribute) message.integer(8, item);
  return message.integer(20, INTS);
}

function encodeTensor(name: string, value: Value): MessageWriter {
  const message = new MessageWriter();
  for (const dimension of value.shape) message.integer(1, dimension);
  return message.integer(2, TYPE_NUMBERS[value.type]).text(8, name).bytes(9, bytesOf(value.constant!.data));
}

function encodeValueInfo(name: string, value: Value): MessageWriter {
  const shape = new MessageWriter();
  for (const dimension of value.shape) shape.message(1, new MessageWriter().integer(1, dimension));
  const tensor = new MessageWriter().integer(1, TYPE_NUMBERS[value.type]).message(2, shape);
  return new MessageWriter().text(1, name).message(2, new MessageWriter().message(1, tensor));
}

function bytesOf(data: ConstantArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
