/**
 * TensorBoard event files with scalars. A file is a row of TFRecords (length as uint64, masked CRC-32C of the length,
 * the bytes, their masked CRC-32C; all little-endian), each holding one `tensorflow.Event` protobuf:
 *
 *   Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }
 *   Summary { repeated Value value = 1 },  Value { string tag = 1; float simple_value = 2 }
 */
import { appendFileSync, existsSync } from 'node:fs';

import { fileError, readFile, writeFileAtomically } from './atomic.js';

const CRC32C_POLYNOMIAL = 0x82f63b78; // Castagnoli, reflected
const RECORD_OVERHEAD = 16;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
  return crc >>> 0;
});

/** CRC-32C (RFC 3720, appendix B.4) of some bytes. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  return ~crc >>> 0;
}

/** TFRecord stores checksums rotated and shifted, so that a checksum of checksums stays meaningful. */
function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** One TFRecord around some bytes. */
function frame(data: Uint8Array): Buffer {
  const record = Buffer.alloc(data.length + RECORD_OVERHEAD);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return record;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...bytes, rest]);
}

/** A protobuf field: tag byte and payload; strings and messages (wire type 2) carry their length. */
const field = (number: number, wireType: 0 | 1 | 2 | 5, payload: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from([(number << 3) | wireType]),
    ...(wireType === 2 ? [varint(payload.length)] : []),
    payload,
  ]);

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function float(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

/** The record that opens every event file. */
export function fileVersionRecord(wallTime: number): Buffer {
  return frame(Buffer.concat([field(1, 1, double(wallTime)), field(3, 2, Buffer.from('brain.Event:2'))]));
}

/**
 * One record with scalars.
 *
 * @param wallTime - seconds since 1970
 * @param step - the update, a safe integer ≥ 0
 * @param scalars - values by tag, stored as float32
 */
export function scalarRecord(
  wallTime: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    field(1, 2, Buffer.concat([field(1, 2, Buffer.from(tag)), field(2, 5, float(value))])),
  );
  // protobuf leaves out fields that hold zero
  const stepField = step === 0 ? [] : [field(2, 0, varint(step))];
  return frame(
    Buffer.concat([field(1, 1, double(wallTime)), ...stepField, field(5, 2, Buffer.concat(values))]),
  );
}

/** Appends scalars to an event file, which the first call makes; every call reaches the disk. */
export class EventFileWriter {
  /** @param path - its name must contain `tfevents`, or TensorBoard does not see it */
  constructor(readonly path: string) {}

  /** @throws {CheckpointError} when the file cannot be written */
  addScalars(step: number, scalars: Readonly<Record<string, number>>, wallTime = Date.now() / 1000): void {
    try {
      const head = existsSync(this.path) ? [] : [fileVersionRecord(wallTime)];
      appendFileSync(this.path, Buffer.concat([...head, scalarRecord(wallTime, step, scalars)]));
    } catch (error) {
      throw fileError('write', this.path, error);
    }
  }

  /** Removes every record after a step, and whatever a killed process left unfinished at the end. */
  rewind(step: number): void {
    if (!existsSync(this.path)) return;
    const bytes = readFile(this.path);
    const kept = records(bytes).filter(({ event }) => stepOf(event) <= step);
    writeFileAtomically(this.path, Buffer.concat(kept.map(({ record }) => record)));
  }
}

/** The intact records at the start of an event file. */
function records(bytes: Buffer): { record: Buffer; event: Buffer }[] {
  const found = [];
  let start = 0;
  while (start + RECORD_OVERHEAD <= bytes.length) {
    const length = Number(bytes.readBigUInt64LE(start));
    const end = start + length + RECORD_OVERHEAD;
    if (end > bytes.length) break;
    const event = bytes.subarray(start + 12, end - 4);
    const intact =
      bytes.readUInt32LE(start + 8) === maskedCrc32c(bytes.subarray(start, start + 8)) &&
      bytes.readUInt32LE(end - 4) === maskedCrc32c(event);
    if (!intact) break;
    found.push({ record: bytes.subarray(start, end), event });
    start = end;
  }
  return found;
}

/** The step of an event as written here: wall time first (9 bytes), then the step unless it is zero. */
function stepOf(event: Buffer): number {
  if (event[9] !== ((2 << 3) | 0)) return 0;
  let step = 0;
  for (let i = 10, scale = 1; i < event.length; i++, scale *= 0x80) {
    step += (event[i] & 0x7f) * scale;
    if (event[i] < 0x80) break;
  }
  return step;
}
