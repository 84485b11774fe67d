/**
 * Expressions that try to break out of the language or to cost much: a few of each class written by hand, and any number
 * of them put together from a seed.
 */
import { RandomStream } from '@rollcast/core';

/** The expression, and the part of it at which the refusal must point. */
export interface HostileExpression {
  readonly text: string;
  /** First column of what is hostile, from 1. */
  readonly from: number;
  /** Last column that a refusal may name. */
  readonly to: number;
}

/** What is hostile, in brackets of its own kind: `before ⟦hostile⟧ behind`. */
const HANDWRITTEN: Readonly<Record<string, readonly string[]>> = {
  'properties and prototypes': [
    'a⟦.constructor⟧',
    'a⟦.__proto__⟧',
    'a⟦.constructor.constructor("return process")()⟧',
    'a⟦["constructor"]⟧',
    'a⟦[a]⟧',
    '⟦constructor⟧',
    '⟦__proto__⟧ + a',
    '⟦prototype⟧',
    '⟦hasOwnProperty⟧("a")',
    '⟦valueOf⟧()',
    'abs⟦.call⟧(a)',
    'abs⟦.constructor("return 1")()⟧',
    'max⟦[⟧0](a)',
    '(a)⟦.toString⟧()',
    '1⟦.toFixed⟧(2)⟦⟧',
    '⟦toString⟧(a)',
    '⟦__defineGetter__⟧(a, a)',
    '⟦this⟧',
    '⟦globalThis⟧⟦.process⟧',
    '⟦process.exit⟧(1)',
    '⟦require⟧("fs")',
    '⟦Function⟧("return 1")',
  ],
  'functions of mathjs that reach further': [
    '⟦import⟧({ a: 1 })',
    '⟦createUnit⟧("foo")',
    '⟦evaluate⟧("1")',
    '⟦eval⟧("1")',
    '⟦parse⟧("a")',
    '⟦parser⟧()',
    '⟦compile⟧("a")',
    '⟦simplify⟧("a + a")',
    '⟦derivative⟧("a^2", "a")',
    '⟦resolve⟧("a")',
    '⟦rationalize⟧("a")',
    '⟦help⟧(a)',
    '⟦config⟧({})',
    '⟦typed⟧(a)',
    '⟦chain⟧(a)',
    '⟦reviver⟧()',
    '⟦print⟧("$a", a)',
    '⟦format⟧(a)',
    '⟦random⟧()',
    '⟦map⟧(a, square)',
    '⟦forEach⟧(a, square)',
    '⟦filter⟧(a, square)',
    '⟦typeOf⟧(a)',
    '⟦clone⟧(a)',
  ],
  'much work or memory': [
    '⟦ones⟧(1e9)',
    '⟦zeros⟧(100000, 100000)',
    '⟦identity⟧(1e6)',
    '⟦range⟧(1, 1e12)',
    'sum(1⟦:⟧1e12)',
    '1⟦:⟧1e9',
    'a + (0⟦:⟧0.0000001:1)',
    '⟦factorial⟧(1e9)',
    '170⟦!⟧',
    'a⟦!⟧!',
    '⟦combinations⟧(1e6, 5e5)',
    '⟦gamma⟧(1e300)',
    '⟦permutations⟧(1e9)',
    '⟦bellNumbers⟧(1e5)',
    '⟦stirlingS2⟧(1e5, 5e4)',
    '⟦primes⟧(1e12)',
    '⟦isPrime⟧(1e300)',
    '⟦bignumber⟧(2)^1e9',
    '⟦concat⟧("a", "b")',
    '⟦repeat⟧("a", 1e9)',
    '⟦resize⟧([1], [1e9])',
    '⟦kron⟧(a, a)',
    '⟦inv⟧(a)',
    '⟦expm⟧(a)',
    '⟦nthRoots⟧(a, 1e7)',
    '⟦1e999⟧*a',
    `a + ⟦${'9'.repeat(400)}⟧`,
  ],
  'lists, text and objects': [
    '⟦[⟧1, 2, 3]',
    '⟦[⟧a; b]',
    'sum(⟦[⟧1, 2])',
    '⟦{⟧ a: 1 }',
    '⟦{⟧}.constructor',
    '⟦"text"⟧',
    "⟦'text'⟧",
    '⟦`text`⟧',
    'a + ⟦"1"⟧',
    "a⟦'⟧",
    '⟦matrix⟧(a)',
    '⟦sparse⟧(a)',
    '⟦string⟧(a)',
    '⟦index⟧(1)',
    '⟦subset⟧(a, 1)',
    '⟦null⟧',
    '⟦undefined⟧',
    '⟦true⟧ + a',
    '⟦NaN⟧',
    'a*⟦Infinity⟧',
  ],
  'assignments, definitions and several statements': [
    'a ⟦=⟧ 1',
    'a ⟦=⟧ b = 1',
    '⟦f⟧(x) = f(x)',
    '⟦abs⟧(a) = a⟦⟧',
    '⟦max⟧(a, b) = a⟦⟧',
    'a ⟦;⟧ b',
    'a⟦\n⟧b',
    'a⟦\r⟧',
    'a ⟦+=⟧ 1',
    'a ⟦#⟧ comment',
    '⟦_⟧(a) = a',
    'a ⟦=>⟧ a',
    '⟦var⟧ x = 1',
    '⟦while⟧(1) a',
    '⟦for⟧ (a) b',
    '⟦function⟧(a) a',
  ],
  'units and constants': [
    'a + 5 ⟦cm⟧',
    'a ⟦to⟧ b',
    'a ⟦in⟧ b',
    '5⟦kg⟧',
    '⟦unit⟧(5, "cm")',
    '⟦i⟧*a',
    '⟦speedOfLight⟧',
    '2⟦e⟧',
    '⟦version⟧',
    '0⟦x1F⟧*a',
    '0⟦b11⟧',
  ],
  'other operators': [
    'a ⟦%⟧ b',
    'a ⟦mod⟧ b',
    'a ⟦and⟧ b',
    'a ⟦or⟧ b',
    'a ⟦xor⟧ b',
    '⟦not⟧ a',
    '⟦!⟧a',
    'a ⟦&⟧ b',
    'a ⟦|⟧ b',
    '⟦~⟧a',
    'a ⟦.*⟧ b',
    'a ⟦./⟧ b',
    'a ⟦.^⟧ b',
    'a ⟦<<⟧ 2',
    'a ⟦>>⟧ 2',
    'a ⟦>>>⟧ 2',
    'a ⟦??⟧ b',
    'a?⟦.⟧b',
    'a ⟦@⟧ b',
    '⟦$⟧a',
    'a ⟦\\⟧ b',
    '⟦...⟧a',
  ],
  'characters that deceive': [
    '⟦а⟧ + b', // Cyrillic
    'a⟦\u200b⟧',
    '⟦\u202e⟧a',
    'a ⟦−⟧ b', // a minus that is none
    'a ⟦×⟧ b',
    '⟦√⟧a',
    'a⟦²⟧',
    'a⟦\u0000⟧',
    'a⟦\ud800⟧',
    '⟦😀⟧',
    'a⟦\u2028⟧b',
    '⟦ａｂｓ⟧(a)',
    '⟦\ufeff⟧a',
    'a⟦\u00a0⟧+ b',
  ],
  'depth and length': [
    `${'('.repeat(32)}⟦${'('.repeat(400)}a${')'.repeat(432)}⟧`,
    `${'('.repeat(32)}⟦${'('.repeat(900)}⟧`,
    `${'abs('.repeat(32)}⟦${'abs('.repeat(150)}a⟧`,
    `⟦${'b('.repeat(333)}⟧`,
    `${'a?'.repeat(32)}a⟦?${'a?'.repeat(200)}⟧`,
    `${'a?1:'.repeat(32)}a⟦?1:${'a?1:'.repeat(150)}1⟧`,
    `${'-'.repeat(400)}⟦${'-'.repeat(500)}a⟧`,
    `${'1^'.repeat(200)}⟦${'1^'.repeat(200)}a⟧`,
    `${'1+'.repeat(200)}⟦${'1+'.repeat(200)}a⟧`,
    `${'a '.repeat(400)}⟦${'a '.repeat(90)}⟧`,
    `${'1<'.repeat(200)}⟦${'1<'.repeat(200)}a⟧`,
    `${'a'.repeat(1000)}⟦${'a'.repeat(1_000_000)}⟧`,
    `${' '.repeat(1000)}⟦${' '.repeat(100_000)}a⟧`,
    `${'('.repeat(1000)}⟦${'('.repeat(1_000_000)}⟧`,
    `${'[['.repeat(500)}⟦${'[['.repeat(100_000)}⟧`,
    `${'a?b:'.repeat(250)}⟦${'a?b:'.repeat(250_000)}a⟧`,
  ],
  'broken in the middle': [
    'a +⟦⟧',
    '(a⟦⟧',
    'a⟦)⟧',
    'max(a,⟦⟧',
    'max(a,⟦)⟧',
    'a ? b⟦⟧',
    'a ? ⟦:⟧ b',
    '⟦*⟧a',
    'a *⟦*⟧ b',
    'a ⟦,⟧ b',
    '⟦(⟧)⟦⟧',
    '1 ⟦2 3 4 5 6⟧ a',
    '⟦abs⟧⟦⟧',
    '⟦abs⟧()',
    '⟦abs⟧(a, b)',
    '⟦mean⟧(1)',
    '⟦max⟧(a)',
  ],
};

/** The expressions written by hand, by class. */
export function handwritten(): [group: string, expressions: HostileExpression[]][] {
  return Object.entries(HANDWRITTEN).map(([group, list]) => [group, list.map(marked)]);
}

/**
 * `count` hostile expressions: an honest one with something hostile at a random place in it.
 *
 * @param seed - the same seed gives the same expressions
 */
export function generated(count: number, seed: number): HostileExpression[] {
  const random = new RandomStream(seed, 'hostile');
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];
  const number = () => pick(['0', '1', '2.5', '1e9', '1e-3', '100000', '0.1']);
  const honest = (depth: number): string => {
    if (depth === 0) return pick(['a', 'b', 's', number()]);
    const inner = () => honest(depth - 1);
    return pick([
      () => `${inner()} ${pick(['+', '-', '*', '/', '^', '<', '>=', '=='])} ${inner()}`,
      () => `(${inner()})`,
      () => `-${inner()}`,
      () => `${pick(['abs', 'sqrt', 'exp', 'tanh'])}(${inner()})`,
      () => `max(${inner()}, ${inner()})`,
      () => `(${inner()} > ${inner()} ? ${inner()} : ${inner()})`,
    ])();
  };
  const name = () => pick(REACHING);
  const hostile = (): string =>
    pick([
      () => `${name()}(${honest(1)})`,
      () => name(),
      () => `(a).${name()}`,
      () => `[${honest(1)}, ${number()}]`,
      () => `"${name()}"`,
      () => `{${name()}: ${number()}}`,
      () => `(a = ${honest(1)})`,
      () => `(${number()}:${number()}:${number()})`,
      () => `${number()}!`,
      () => `a[${number()}]`,
      () => `(a ${pick(['%', 'mod', 'and', 'or', 'xor', '&', '|', '.*', './', '.^', 'to', 'in'])} b)`,
      () => `${pick(['ones', 'zeros', 'range', 'identity', 'factorial', 'primes'])}(${number()})`,
      () => `${pick(['sum', 'mean', 'max'])}(${number()}:${number()})`,
      () => `f${random.integer(100)}(x) = x`,
      () => `${'('.repeat(33 + random.integer(300))}a`,
      () => `${'a?'.repeat(33 + random.integer(100))}a`,
      () => String.fromCharCode(0x80 + random.integer(0xff00)),
      () => pick([';', '#', '@', '$', '\\', '`', '~', '\n', '\0']),
    ])();
  return Array.from({ length: count }, () => {
    const before = pick(['', `${honest(1)} + `, `(${honest(2)}) * `, `max(${honest(1)}, `, '-', 'abs(']);
    const middle = hostile();
    const behind = pick(['', ` + ${honest(1)}`, ')', ` * (${honest(2)})`]);
    return marked(`${before}⟦${middle}⟧${behind}`);
  });
}

/** Names that mathjs, JavaScript or Node would know. */
const REACHING = [
  ...[
    'import',
    'createUnit',
    'evaluate',
    'parse',
    'simplify',
    'derivative',
    'resolve',
    'compile',
    'help',
    'config',
  ],
  ...[
    'constructor',
    '__proto__',
    'prototype',
    'hasOwnProperty',
    'toString',
    'valueOf',
    'toJSON',
    'then',
    'isRaw',
  ],
  ...[
    'process',
    'globalThis',
    'require',
    'module',
    'Function',
    'eval',
    'Reflect',
    'Proxy',
    'Symbol',
    'fetch',
  ],
  ...[
    'ones',
    'zeros',
    'range',
    'matrix',
    'concat',
    'factorial',
    'combinations',
    'bignumber',
    'unit',
    'random',
  ],
];

function marked(source: string): HostileExpression {
  const from = source.indexOf('⟦');
  const to = source.lastIndexOf('⟧');
  const text = source.replaceAll(/[⟦⟧]/g, '');
  return {
    text,
    from: from + 1,
    to: Math.max(from + 1, to - (source.slice(0, to).match(/[⟦⟧]/g)?.length ?? 0)),
  };
}
