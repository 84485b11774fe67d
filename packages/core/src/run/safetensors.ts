/**
 * The safetensors file format, float32 only (huggingface/safetensors, format page): eight bytes with the length of the
 * header (little-endian), the header as JSON padded with spaces to a multiple of eight, then the values without a gap.
 * Equal arrays give equal bytes: names are sorted as the reference implementation sorts them.
 */
import { CheckpointError } from '../errors.js';
import type { NamedArray } from '../nn/parameters.js';

/** The header's upper limit in the format. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [begin: number, end: number];
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
const elements = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/**
 * The bytes of a safetensors file.
 *
 * @param metadata - free text by name, kept in the header under `__metadata__`
 * @throws {CheckpointError} when an array's shape and number of values differ, or a name is reserved
 */
export function encodeSafetensors(
  arrays: Readonly<Record<string, NamedArray>>,
  metadata: Readonly<Record<string, string>> = {},
): Buffer {
  const header: [name: string, entry: unknown][] = [];
  const metadataNames = Object.keys(metadata).sort(byBytes);
  if (metadataNames.length > 0) {
    header.push(['__metadata__', Object.fromEntries(metadataNames.map((name) => [name, metadata[name]]))]);
  }
  const names = Object.keys(arrays).sort(byBytes);
  let offset = 0;
  for (const name of names) {
    const { shape, data } = arrays[name];
    if (name === '__metadata__') throw new CheckpointError('An array cannot be named "__metadata__".');
    if (elements(shape) !== data.length) {
      throw new CheckpointError(
        `The array "${name}" has shape [${shape.join(', ')}] but ${data.length} values.`,
      );
    }
    header.push([
      name,
      { dtype: 'F32', shape: [...shape], data_offsets: [offset, offset + data.byteLength] },
    ]);
    offset += data.byteLength;
  }
  // Not an object: integer-like names ("10") would be moved to its front.
  const text = `{${header.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`;
  const textBytes = Buffer.from(text);
  const headerLength = Math.ceil(textBytes.length / 8) * 8;
  const bytes = Buffer.alloc(LENGTH_BYTES + headerLength + offset, ' ');
  bytes.writeBigUInt64LE(BigInt(headerLength), 0);
  textBytes.copy(bytes, LENGTH_BYTES);
  let position = LENGTH_BYTES + headerLength;
  for (const name of names) {
    const { data } = arrays[name];
    // Node runs on little-endian machines only, like the format.
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

/**
 * Reads a safetensors file of float32 arrays; every value is copied out of `bytes`.
 *
 * @param source - the name of the file, for messages
 * @param finite - refuse values that are not finite: no weight and no moment may be
 * @throws {CheckpointError} naming the file and the first thing that is wrong with it
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  source: string,
  { finite = true }: { finite?: boolean } = {},
): { arrays: Record<string, NamedArray>; metadata: Record<string, string> } {
  const fail = (problem: string): never => {
    throw new CheckpointError(`${source} is not a usable safetensors file: ${problem}.`);
  };
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < LENGTH_BYTES) fail(`it has ${buffer.length} bytes, fewer than the 8 of its head`);
  const headerLength = Number(buffer.readBigUInt64LE(0));
  if (headerLength > MAX_HEADER_BYTES)
    fail(`it claims a header of ${headerLength} bytes; the format allows ${MAX_HEADER_BYTES}`);
  const dataStart = LENGTH_BYTES + headerLength;
  if (dataStart > buffer.length)
    fail(
      `it is cut off: the header should take ${headerLength} bytes, ${buffer.length - LENGTH_BYTES} are there`,
    );

  const header = parseHeader(buffer.subarray(LENGTH_BYTES, dataStart), fail);
  const dataLength = buffer.length - dataStart;
  const metadata = checkMetadata(header['__metadata__'], fail);
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]): [string, HeaderEntry] => [name, checkEntry(name, entry, dataLength, fail)]);

  const inOrder = [...entries].sort(([, { data_offsets: a }], [, { data_offsets: b }]) =>
    a[0] === b[0] ? a[1] - b[1] : a[0] - b[0],
  );
  let covered = 0;
  for (const [name, entry] of inOrder) {
    if (entry.data_offsets[0] !== covered)
      fail(`the values of "${name}" start at byte ${entry.data_offsets[0]}, expected ${covered}`);
    covered = entry.data_offsets[1];
  }
  if (covered !== dataLength)
    fail(`the header describes ${covered} bytes of values, ${dataLength} are there`);

  const arrays = entries.map(
    ([
      name,
      {
        shape,
        data_offsets: [begin, end],
      },
    ]): [string, NamedArray] => {
      const data = new Float32Array((end - begin) / 4);
      new Uint8Array(data.buffer).set(buffer.subarray(dataStart + begin, dataStart + end));
      const wrong = finite ? data.findIndex((value) => !Number.isFinite(value)) : -1;
      if (wrong >= 0) fail(`"${name}" holds ${data[wrong]} at position ${wrong}; every value must be finite`);
      return [name, { shape, data }];
    },
  );
  return { arrays: Object.fromEntries(arrays), metadata };
}

type Fail = (problem: string) => never;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseHeader(bytes: Buffer, fail: Fail): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return fail('its header is not JSON');
  }
  return isRecord(header) ? header : fail('its header is not a JSON object');
}

function checkMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (value === undefined) return {};
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === 'string'))
    return fail('its __metadata__ is not text by name');
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataLength: number, fail: Fail): HeaderEntry {
  if (!isRecord(value)) return fail(`the entry of "${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (dtype !== 'F32')
    return fail(`"${name}" is of type ${JSON.stringify(dtype) ?? 'none'}; only F32 is read here`);
  const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isCount)) return fail(`the shape of "${name}" is damaged`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    return fail(`the offsets of "${name}" are damaged`);
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength)
    return fail(`the values of "${name}" (bytes ${begin} to ${end}) lie outside of the ${dataLength} there`);
  const sizes = shape as number[];
  if (elements(sizes) * 4 !== end - begin)
    return fail(`"${name}" of shape [${sizes.join(', ')}] has ${end - begin} bytes`);
  return { dtype, shape: sizes, data_offsets: [begin, end] };
}
