import type { RandomStream } from '@rollcast/core';

/** Damaged and hostile inputs, drawn from a stream: the same stream gives the same input. */

const pick = <T>(random: RandomStream, from: readonly T[]): T => from[random.integer(from.length)];

/** What a cell of a table may turn into. */
const CELLS = [
  '', ' ', 'NaN', 'nan', '-inf', 'Infinity', '1e308', '-1e308', '1e999', '1e-320', '5e-324', '0', '-0', '1e39', '1,5', '0x1F',
  '1_000', '１２', '--1', '1e', '+', '"', '""', '"a\nb"', '\u0000', '\ufeff', '\u2028', '1'.repeat(400), 'x'.repeat(5000),
  '9007199254740993', '=1+1', '__proto__', 'constructor', 'unit', '🔋', '\u001b[31m', ',', ';', '\t', '\r', '\n',
]; // prettier-ignore

/** What a value of a JSON document may turn into. */
const VALUES: readonly unknown[] = [
  null, true, false, '', 'x', 'NaN', '../../etc/passwd', 'x'.repeat(5000), 'a\nb', 0, -0, -1, 0.5, 1, 2, 3, 1e-320, 1e12, 1e21,
  1.7e308, -1.7e308, 2 ** 31, 2 ** 32, 2 ** 53, [], [null], [1e12], {}, { x: 1 }, { length: 1e12 }, [[[[[[]]]]]],
]; // prettier-ignore

/** Keys that mean something to JavaScript. */
const KEYS = ['__proto__', 'constructor', 'toString', 'length', '', 'x', 'learningRat'];

/** A few changes of bytes: flipped, set, cut out, doubled, put in, cut off. */
export function mutateBytes(bytes: Uint8Array, random: RandomStream): Buffer {
  let result = Buffer.from(bytes);
  for (let changes = 1 + random.integer(4); changes > 0; changes--) {
    const at = random.integer(result.length + 1);
    const length = random.integer(Math.min(64, result.length - at + 1) + 1);
    const [before, part, after] = [
      result.subarray(0, at),
      result.subarray(at, at + length),
      result.subarray(at + length),
    ];
    const noise = Buffer.from(Array.from({ length: 1 + random.integer(8) }, () => random.integer(256)));
    switch (random.integer(6)) {
      case 0:
        if (at < result.length) result[at] ^= 1 << random.integer(8);
        break;
      case 1:
        if (at < result.length) result[at] = pick(random, [0, 0xff, 0x7f, 0x80, 0x20]);
        break;
      case 2:
        result = Buffer.concat([before, after]);
        break;
      case 3:
        result = Buffer.concat([before, part, part, after]);
        break;
      case 4:
        result = Buffer.concat([before, noise, after]);
        break;
      default:
        result = Buffer.from(before);
    }
  }
  return result;
}

/** A few changes of a table as text: of cells, rows, delimiters, line ends; now and then of bytes. */
export function mutateTable(text: string, delimiter: string | RegExp, random: RandomStream): Buffer {
  const join = typeof delimiter === 'string' ? delimiter : ' ';
  let rows = text.split('\n').map((line) => line.split(delimiter));
  let encode = (): Buffer => Buffer.from(rows.map((cells) => cells.join(join)).join('\n'));
  for (let changes = 1 + random.integer(3); changes > 0 && rows.length > 0; changes--) {
    const at = random.integer(rows.length);
    const cells = rows[at];
    const column = random.integer(cells.length);
    switch (random.integer(10)) {
      case 0:
        rows.splice(at, 1);
        break;
      case 1:
        rows.splice(at, 0, [...cells]);
        break;
      case 2:
        [rows[0], rows[at]] = [rows[at], rows[0]];
        break;
      case 3:
        cells.splice(column, 1);
        break;
      case 4:
        cells.splice(column, 0, pick(random, CELLS));
        break;
      case 5:
        rows = rows.slice(0, at + 1);
        break;
      case 6: {
        // one column everywhere
        const value = pick(random, CELLS);
        rows = rows.map((row, i) => (i === 0 || row.length <= column ? row : row.with(column, value)));
        break;
      }
      case 7: {
        const inner = encode;
        encode = () => mutateBytes(inner(), random);
        break;
      }
      default:
        cells[column] = pick(random, CELLS);
    }
  }
  return encode();
}

/** A few changes of a JSON value: of values, keys and lengths anywhere in it. */
export function mutateJson(value: unknown, random: RandomStream): unknown {
  let result = structuredClone(value);
  for (let changes = 1 + random.integer(3); changes > 0; changes--) result = changeOnce(result, random);
  return result;
}

function changeOnce(value: unknown, random: RandomStream): unknown {
  if (typeof value !== 'object' || value === null || random.integer(12) === 0)
    return otherValue(value, random);
  if (Array.isArray(value)) {
    const copy = [...(value as unknown[])];
    const at = random.integer(copy.length + 1);
    if (at === copy.length || random.integer(4) === 0)
      copy.splice(at, random.integer(2), pick(random, VALUES));
    else copy[at] = changeOnce(copy[at], random);
    return copy;
  }
  const entries = Object.entries(value);
  const at = random.integer(entries.length + 1);
  const kind = random.integer(8);
  if (at === entries.length || kind === 0) entries.push([pick(random, KEYS), pick(random, VALUES)]);
  else if (kind === 1) entries.splice(at, 1);
  else entries[at] = [entries[at][0], changeOnce(entries[at][1], random)];
  // not assigned one by one: "__proto__" is to be a key like others, as JSON.parse makes it
  return Object.fromEntries(entries);
}

/** Often something of the same kind, so that it is not refused by its type alone. */
function otherValue(value: unknown, random: RandomStream): unknown {
  if (typeof value === 'number' && random.integer(2) === 0)
    return pick(random, [-value, value * 2, value + 1, value / 3, value * 1e9, value * 1e15, value + 0.5]);
  if (typeof value === 'boolean' && random.integer(2) === 0) return !value;
  return pick(random, VALUES);
}

/** What a claim of a safetensors header may turn into. */
const CLAIMS = [
  '1e12', '1000000000000', '-1', '0', '4294967296', '9007199254740992', '[]', 'null', '"F64"', '"__proto__"', '{}',
]; // prettier-ignore

const headerEnd = (safetensors: Buffer): number => 8 + Number(safetensors.readBigUInt64LE(0));

/** A safetensors file with another claim in its header, whose length is put right but for one time in eight. */
export function mutateHeader(safetensors: Buffer, random: RandomStream): Buffer {
  const end = headerEnd(safetensors);
  let text = safetensors.subarray(8, end).toString('utf8');
  const claims = [...text.matchAll(/\d+|"[^"]*"|\[[^\]]*\]/g)];
  const claim = claims[random.integer(claims.length)];
  text = text.slice(0, claim.index) + pick(random, CLAIMS) + text.slice(claim.index + claim[0].length);
  const body = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(random.integer(8) === 0 ? 1e12 : body.length));
  return Buffer.concat([length, body, safetensors.subarray(end)]);
}

/** A safetensors file of float32 with one number replaced. */
export function mutateNumber(safetensors: Buffer, random: RandomStream): Buffer {
  const copy = Buffer.from(safetensors);
  const [start, numbers] = [headerEnd(copy), Math.floor((copy.length - headerEnd(copy)) / 4)];
  const value = pick(random, [NaN, Infinity, -Infinity, 0, -1, 1e-40, 1e10, 3e38, -3e38]);
  if (numbers > 0) copy.writeFloatLE(value, start + 4 * random.integer(numbers));
  return copy;
}
