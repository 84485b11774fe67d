/** Something that ONNX Runtime refused or could not do; the message names the tfjs kernel where one is at fault. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}
